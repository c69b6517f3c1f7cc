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
    /// The whole name of what stands in the file: of a loop's end that of the loop.
    pub(super) fn written_name(&self) -> &str {
        match self.role {
            Role::Task => &self.name,
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

/// Takes the tasks of a file apart.
pub(super) fn flatten<'f>(file: &'f WorkflowFile, faults: &mut Faults) -> Steps<'f> {
    let mut steps = Steps { list: Vec::new(), groups: vec![Group::default()] };
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

    fn add_task(&mut self, named: &'f NamedTask, scope: u32, trigger: Trigger) -> Target {
        let number = self.next();
        let NamedTask { name: short, task, is_whole } = named;
        let name = self.whole_name(&short.value, scope);
        let step =
            |name, role, is_whole| Step { name, short, scope, role, task, is_whole, trigger };
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
        let has_join = task.join.as_ref().is_some_and(|join| join.value != JoinFile::All);
        let gate = (task.when.is_some() || has_join).then(|| {
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
        let end = task.until.is_some().then(|| {
            self.list.push(step(format!("{name}.until"), Role::End { first }, number));
            past
        });
        let group = &mut self.groups[number as usize];
        (group.members, group.end) = (first..past, end);
        Target::Group(number)
    }

    /// Notes the name of a task or group. Of two with one name the first keeps it.
    fn name(&mut self, name: &'f Placed<String>, scope: u32, target: Target, faults: &mut Faults) {
        if name.value.is_empty() {
            return;
        }
        let names = &mut self.groups[scope as usize].names;
        if let Some(&first) = names.get(name.value.as_str()) {
            let message = format!("there are two tasks named `{}`", name.value);
            let fault = Fault::new(code::DUPLICATE_TASK, name.extent, message);
            faults.push(fault.related(self.place(first).extent, "the first one"));
        } else {
            names.insert(name.value.as_str(), target);
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
            if self.groups[0].names.contains_key(name.as_str()) || !seen.insert(name) {
                let message = format!("there are two tasks named `{name}`, one of them made here");
                let fault = Fault::new(code::DUPLICATE_TASK, step.short.extent, message);
                faults.push(fault.hint("rename one of them"));
            }
        }
    }
}
