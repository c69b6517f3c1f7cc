//! The tasks of a file as the engine numbers them: groups taken apart, with the tasks that nobody
//! writes down but loops, conditions of groups and compensations stand for.
//!
//! A group is a range of numbers. Around it stand its gate, before, and the end of its turn,
//! after.

use std::borrow::Cow;

use model::collections::{HashMap, HashSet};
use model::policy::{Stage, Trigger};

use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::{HandlerEvent, JoinFile, NamedTask, TaskFile, WorkflowFile};
use crate::read::Placed;

/// All tasks and groups of a file.
#[derive(Default)]
pub(super) struct Steps<'f> {
    pub list: Vec<Step<'f>>,
    /// The first is the file itself.
    pub groups: Vec<Group<'f>>,
}

/// A task as the engine knows it.
pub(super) struct Step<'f> {
    /// Its whole name, groups included.
    pub name: Cow<'f, str>,
    /// The name in the file that it comes from.
    pub short: &'f Placed<String>,
    /// The group whose names its texts use.
    pub scope: u32,
    pub role: Role,
    /// The mapping in the file that it comes from.
    pub task: &'f TaskFile,
    /// Whether all of it could be read.
    pub is_whole: bool,
    pub trigger: Trigger,
}

impl Step<'_> {
    /// Whether a file stands in its place.
    pub(super) fn is_call(&self) -> bool {
        self.role == Role::Task && self.task.workflow.is_some()
    }

    /// Whether it is the only member of a group: a file that is there once for each item.
    pub(super) fn is_copied_call(&self) -> bool {
        self.is_call() && self.task.foreach.is_some()
    }

    /// The whole name of what stands in the file: of a loop's end that of the loop.
    pub(super) fn written_name(&self) -> &str {
        match self.role {
            Role::Task | Role::Joint | Role::Outer => &self.name,
            _ => self.name.rsplit_once('.').map_or(&self.name, |(name, _)| name),
        }
    }
}

/// What a task is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It stands in the file.
    Task,
    /// It decides whether a group is begun.
    Gate,
    /// It ends a turn of the tasks from this one on.
    End { first: u32 },
    /// It undoes this task.
    Compensation { of: u32 },
    /// It ends all copies of a group.
    Joint,
    /// It is there already: a task of the graph that this file adds to.
    Outer,
}

/// Tasks that stand in a task, or in the file.
#[derive(Default)]
pub(super) struct Group<'f> {
    /// Its whole name; empty for the file.
    pub name: String,
    pub parent: u32,
    /// The mapping in the file; nothing for the file itself.
    pub task: Option<&'f TaskFile>,
    pub gate: Option<u32>,
    /// Its members, those of its groups included.
    pub members: std::ops::Range<u32>,
    pub end: Option<u32>,
    /// What ends all its copies, if it has some.
    pub joint: Option<u32>,
    pub names: HashMap<&'f str, Target>,
    pub short: Option<&'f Placed<String>>,
    pub trigger: Trigger,
}

/// What a name of a file stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Target {
    Step(u32),
    Group(u32),
}

/// Takes the tasks of a file apart. Behind those that are there already stand its own.
pub(super) fn flatten<'f>(
    file: &'f WorkflowFile,
    outer: &'f [(NamedTask, Trigger)],
    faults: &mut Faults,
) -> Steps<'f> {
    let mut steps = Steps { list: Vec::new(), groups: vec![Group::default()] };
    for (named, trigger) in outer {
        steps.add_outer(named, *trigger);
    }
    for tasks in file.tasks.iter().chain(&file.task_graph) {
        steps.add_tasks(&tasks.0, 0, None, faults);
    }
    if let Some(tasks) = &file.finally {
        steps.add_tasks(&tasks.0, 0, Some(Trigger::Finally), faults);
    }
    steps.groups[0].members = 0..steps.next();
    steps.add_compensations(faults);
    steps.check_whole_names(faults);
    steps
}

/// Whether something decides whether a group, or a file, is begun.
fn has_gate(task: &TaskFile) -> bool {
    task.when.is_some() || task.join.as_ref().is_some_and(|join| join.value != JoinFile::All)
}

fn trigger(event: HandlerEvent) -> Trigger {
    match event {
        HandlerEvent::Success => Trigger::Success,
        HandlerEvent::Failure => Trigger::Failure,
        HandlerEvent::Cancel => Trigger::Cancel,
        HandlerEvent::Exit => Trigger::Exit,
        HandlerEvent::Finally => Trigger::Finally,
    }
}

impl<'f> Steps<'f> {
    fn next(&self) -> u32 {
        u32::try_from(self.list.len()).expect("a file has fewer bytes than 2^32")
    }

    fn add_tasks(
        &mut self,
        tasks: &'f [NamedTask],
        scope: u32,
        given: Option<Trigger>,
        faults: &mut Faults,
    ) {
        for named in tasks {
            let event = named.task.on.map(trigger);
            if event.is_some() && given.is_some() {
                let message = format!("task `{}` cannot have an `on` of its own", named.name.value);
                let fault = Fault::new(code::CONFLICT, named.name.extent, message);
                faults.push(fault.hint("what it stands in says when it runs: leave `on` out"));
            }
            let trigger = given.or(event).unwrap_or_default();
            let target = match &named.task.tasks {
                Some(tasks) => self.add_group(named, &tasks.value.0, (scope, trigger), faults),
                None if named.task.workflow.is_some() && named.task.foreach.is_some() => {
                    self.add_copied_call(named, scope, trigger)
                }
                None => self.add_task(named, scope, trigger),
            };
            self.name(&named.name, scope, target, faults);
        }
    }

    fn whole_name(&self, name: &'f str, scope: u32) -> Cow<'f, str> {
        match self.groups[scope as usize].name.as_str() {
            "" => Cow::Borrowed(name),
            group => Cow::Owned(format!("{group}.{name}")),
        }
    }

    fn add_outer(&mut self, named: &'f NamedTask, trigger: Trigger) {
        let number = self.next();
        let NamedTask { name: short, task, .. } = named;
        let name = Cow::Borrowed(short.value.as_str());
        let (scope, role, is_whole) = (0, Role::Outer, true);
        self.list.push(Step { name, short, scope, role, task, is_whole, trigger });
        self.groups[0].names.insert(short.value.as_str(), Target::Step(number));
    }

    fn add_task(&mut self, named: &'f NamedTask, scope: u32, trigger: Trigger) -> Target {
        let NamedTask { name: short, task, is_whole } = named;
        let name = self.whole_name(&short.value, scope);
        let step =
            |name, role, is_whole| Step { name, short, scope, role, task, is_whole, trigger };
        if task.workflow.is_some() && has_gate(task) {
            self.list.push(step(Cow::Owned(format!("{name}.when")), Role::Gate, true));
        }
        let number = self.next();
        self.list.push(step(name.clone(), Role::Task, *is_whole));
        if task.until.is_some() {
            let name = Cow::Owned(format!("{name}.until"));
            self.list.push(step(name, Role::End { first: number }, true));
        }
        Target::Step(number)
    }

    fn add_group(
        &mut self,
        named: &'f NamedTask,
        tasks: &'f [NamedTask],
        (parent, trigger): (u32, Trigger),
        faults: &mut Faults,
    ) -> Target {
        let NamedTask { name: short, task, .. } = named;
        let name = self.whole_name(&short.value, parent).into_owned();
        if short.value.contains('.') {
            let fault =
                Fault::new(code::BAD_NAME, short.extent, "the name of a group has no `.` in it");
            faults.push(fault.hint("a `.` stands between a group and its tasks"));
        }
        if tasks.is_empty() && named.is_whole {
            let message = format!("the group `{}` has no tasks", short.value);
            faults.push(Fault::new(code::NO_TASKS, short.extent, message));
        }
        let number = u32::try_from(self.groups.len()).expect("no more groups than bytes");
        let step = |name: String, role, scope| Step {
            name: Cow::Owned(name),
            short,
            scope,
            role,
            task,
            is_whole: true,
            trigger,
        };
        let gate = has_gate(task).then(|| {
            self.list.push(step(format!("{name}.when"), Role::Gate, parent));
            self.next() - 1
        });
        let first = self.next();
        self.groups.push(Group {
            name: name.clone(),
            parent,
            task: Some(task),
            gate,
            short: Some(short),
            trigger,
            ..Group::default()
        });
        self.add_tasks(tasks, number, Some(trigger), faults);
        let past = self.next();
        let joint = task.foreach.is_some().then(|| {
            self.list.push(step(name.clone(), Role::Joint, parent));
            past
        });
        let end = (task.until.is_some() && joint.is_none()).then(|| {
            self.list.push(step(format!("{name}.until"), Role::End { first }, number));
            past
        });
        let group = &mut self.groups[number as usize];
        (group.members, group.end, group.joint) = (first..past, end, joint);
        Target::Group(number)
    }

    /// A file that is there once for each item: a group with one member.
    fn add_copied_call(&mut self, named: &'f NamedTask, parent: u32, trigger: Trigger) -> Target {
        let NamedTask { name: short, task, is_whole } = named;
        let name = self.whole_name(&short.value, parent);
        let step = |name, role, is_whole| Step {
            name,
            short,
            scope: parent,
            role,
            task,
            is_whole,
            trigger,
        };
        let gate = has_gate(task).then(|| {
            self.list.push(step(Cow::Owned(format!("{name}.when")), Role::Gate, true));
            self.next() - 1
        });
        let first = self.next();
        self.list.push(step(name.clone(), Role::Task, *is_whole));
        self.list.push(step(name.clone(), Role::Joint, true));
        let number = u32::try_from(self.groups.len()).expect("no more groups than bytes");
        self.groups.push(Group {
            name: name.into_owned(),
            parent,
            task: Some(task),
            gate,
            members: first..first + 1,
            joint: Some(first + 1),
            short: Some(short),
            trigger,
            ..Group::default()
        });
        Target::Group(number)
    }

    /// Whether a task, or a group, is there once for each item of a group around it.
    pub(super) fn is_copied(&self, scope: u32) -> bool {
        self.scopes(scope).any(|group| self.groups[group as usize].joint.is_some())
    }

    /// Notes the name of a task or group. Of two with one name the first keeps it.
    fn name(&mut self, name: &'f Placed<String>, scope: u32, target: Target, faults: &mut Faults) {
        if name.value.is_empty() {
            return;
        }
        let names = &self.groups[scope as usize].names;
        let known = names.get(name.value.as_str()).copied();
        let is_outer = |it: Target| match it {
            Target::Step(step) => self.list[step as usize].role == Role::Outer,
            _ => false,
        };
        if let Some(first) = known.filter(|&it| !is_outer(it)) {
            let message = format!("there are two tasks named `{}`", name.value);
            let fault = Fault::new(code::DUPLICATE_TASK, name.extent, message);
            faults.push(fault.related(self.place(first).extent, "the first one"));
        } else {
            self.groups[scope as usize].names.insert(name.value.as_str(), target);
        }
    }

    /// The name in the file of a task or group.
    pub(super) fn place(&self, target: Target) -> &'f Placed<String> {
        match target {
            Target::Step(step) => self.list[step as usize].short,
            Target::Group(group) => {
                self.groups[group as usize].short.expect("the file itself is no target")
            }
        }
    }

    fn add_compensations(&mut self, faults: &mut Faults) {
        for of in 0..self.next() {
            let Step { ref name, short, scope, role, task, trigger, .. } = self.list[of as usize];
            let Some(compensate) = task.compensate.as_ref().filter(|_| role == Role::Task) else {
                continue;
            };
            if trigger.stage() != Stage::Ordinary {
                let message = format!("task `{name}` runs when all is over: it is never undone");
                let fault = Fault::new(code::CONFLICT, compensate.extent, message);
                faults.push(fault.hint("leave `compensate` out"));
            }
            self.list.push(Step {
                name: Cow::Owned(format!("{name}.compensate")),
                short,
                scope,
                role: Role::Compensation { of },
                task: &compensate.value,
                is_whole: true,
                trigger: Trigger::Compensation { of: model::TaskId(of) },
            });
        }
    }

    /// Names that are put together can meet one that is written out.
    fn check_whole_names(&self, faults: &mut Faults) {
        let mut seen: HashSet<&str> = HashSet::default();
        for step in &self.list {
            let Cow::Owned(name) = &step.name else { continue };
            if step.role == Role::Joint {
                continue;
            }
            if self.groups[0].names.contains_key(name.as_str()) || !seen.insert(name) {
                let message = format!("there are two tasks named `{name}`, one of them made here");
                let fault = Fault::new(code::DUPLICATE_TASK, step.short.extent, message);
                faults.push(fault.hint("rename one of them"));
            }
        }
    }
}
