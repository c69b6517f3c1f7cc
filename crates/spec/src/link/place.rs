//! Placing: the tasks of a unit get numbers, names and frames, copy by copy.

use std::path::PathBuf;

use model::TaskId;
use model::control::Kind;
use model::policy::{Policy, Trigger};

use super::call::Border;
use super::undo::Undo;
use super::{Call, CopiedGroup, CopiedItems, Linker};
use crate::code;
use crate::compile::ComputedItems;
use crate::definition::{Action, Control, Copied, End, Frame, FrameId, LateItems, TaskDefinition};
use crate::expression::names_any;
use crate::items::{Items, ItemsSource};
use crate::params::Workflow;

/// Where tasks are placed.
#[derive(Clone)]
pub(crate) struct Site {
    pub frame: FrameId,
    pub names: Names,
    /// Where the paths of the unit begin.
    pub folder: PathBuf,
    /// The unit's file, if it is not the run's own.
    pub file: Option<String>,
}

/// How names of a unit become names of the run: so much of the front is taken off, and this put in
/// front. Names that are shorter belong to what is around.
#[derive(Clone, Default)]
pub(crate) struct Names {
    strip: usize,
    prefix: String,
    around: Option<Box<Names>>,
}

impl Names {
    pub(crate) fn under(prefix: String) -> Self {
        Self { strip: 0, prefix, around: None }
    }

    /// What stands in front of all names.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    fn copy(&self, group: &str, index: usize) -> Self {
        let prefix = format!("{}.{index}", self.name(group));
        Self { strip: group.len(), prefix, around: Some(Box::new(self.clone())) }
    }

    pub(super) fn name(&self, name: &str) -> String {
        match (&self.around, self.strip, self.prefix.as_str()) {
            (Some(around), strip, _) if name.len() < strip => around.name(name),
            (None, 0, "") => name.to_owned(),
            (None, 0, prefix) if name.is_empty() => prefix.to_owned(),
            (None, 0, prefix) => format!("{prefix}.{name}"),
            (_, strip, prefix) => format!("{prefix}{}", &name[strip..]),
        }
    }
}

impl Site {
    pub(crate) fn root(unit: &Workflow) -> Self {
        Self { frame: 0, names: Names::default(), folder: unit.folder.clone(), file: None }
    }
}

/// A task of a unit where it has been placed.
pub(super) struct Instance {
    /// In which copies, from the outside in.
    pub path: Box<[u32]>,
    /// The first of the tasks that stand for it.
    pub start: u32,
    pub number: u32,
    /// The border of the file that stands in its place.
    pub border: Option<Border>,
}

/// A unit that is being placed.
pub(super) struct Placing<'u> {
    pub unit: &'u Workflow,
    /// By task of the unit, sorted by path.
    pub instances: Vec<Vec<Instance>>,
    /// By task that was placed, from the first: what it is in the unit.
    pub placed: Vec<(u32, u32)>,
}

impl Linker<'_> {
    /// Places a unit and wires it.
    pub(crate) fn place(&mut self, unit: &Workflow, site: &Site) -> Border {
        let first = self.next();
        let first_edge = self.parts.edges.len();
        let mut placing = Placing {
            unit,
            instances: unit.tasks.iter().map(|_| Vec::new()).collect(),
            placed: Vec::new(),
        };
        for (task, outer) in unit.structure.outer.iter().enumerate() {
            let (start, number) = (outer.0, outer.0);
            let path = Box::default();
            placing.instances[task].push(Instance { path, start, number, border: None });
        }
        let own = u32::try_from(unit.structure.outer.len()).expect("no more than tasks");
        let range = own..placing.runs();
        self.walk(&mut placing, (range, &unit.structure.copied), (&[], site));
        if self.faults.is_empty() {
            self.wire(&placing);
            self.settle(&placing);
        }
        self.border(first, first_edge)
    }

    /// Places a range of a unit's tasks, among them these groups with copies.
    fn walk(
        &mut self,
        placing: &mut Placing<'_>,
        (range, mut copied): (std::ops::Range<u32>, &[CopiedGroup]),
        (path, site): (&[u32], &Site),
    ) {
        let mut task = range.start;
        let mut copies = None;
        while task < range.end && !self.is_full(None) {
            if let Some((group, rest)) = copied.split_first()
                && group.members.start == task
            {
                let inner = rest.iter().take_while(|it| it.members.end <= group.members.end);
                let (inner, after) = rest.split_at(inner.count());
                copies = Some(self.walk_copies(placing, (group, inner), (path, site)));
                (task, copied) = (group.members.end, after);
                continue;
            }
            self.place_task(placing, task, (path, site, copies.take()));
            task += 1;
        }
    }

    /// Places each copy of a group, and says how many there are.
    fn walk_copies(
        &mut self,
        placing: &mut Placing<'_>,
        (group, inner): (&CopiedGroup, &[CopiedGroup]),
        (path, site): (&[u32], &Site),
    ) -> u32 {
        let items = match &group.items {
            CopiedItems::Known(items) => items.clone(),
            CopiedItems::Computed { source, .. } if self.is_late(source, site.frame) => {
                let message = "the list of a group has to be known before the run, and this one \
                               follows from what tasks come to";
                let problem = (code::BAD_ITEMS, message.to_owned());
                self.fail(problem, &group.place, site.file.as_deref());
                Items::Single
            }
            CopiedItems::Computed { source, max_items } => {
                let (task, source, max_items) = (group.end, source.clone(), *max_items);
                let computed =
                    ComputedItems { task, source, max_items, place: group.place.clone() };
                let items = self.items(&computed, (site.frame, &site.folder));
                self.or_told(items, &group.place, site.file.as_deref())
            }
        };
        let count = items.batches(group.batch).unwrap_or(0);
        for index in 0..count {
            if self.is_full(Some(&group.place)) {
                break;
            }
            let item = items.batch_value(model::ItemId(index), group.batch).unwrap_or_default();
            let copy = Some(Copied { index, item, is_batch: group.batch.is_some() });
            let frame = self.definition.add_frame(Frame { parent: site.frame, copy, file: None });
            let names = site.names.copy(&group.name, index as usize);
            let path = [path, &[index]].concat();
            let site = Site { frame, names, ..site.clone() };
            self.walk(placing, (group.members.clone(), inner), (&path, &site));
        }
        count
    }

    fn place_task(
        &mut self,
        placing: &mut Placing<'_>,
        task: u32,
        (path, site, copies): (&[u32], &Site, Option<u32>),
    ) {
        let unit = placing.unit;
        let index = task as usize;
        let mut defined = unit.tasks[index].clone();
        let mut policy = unit.parts.policies[unit.parts.policy_of[index] as usize].clone();
        let written = std::mem::take(&mut defined.name);
        defined.name = site.names.name(&written).into();
        defined.scope = site.names.name(&defined.scope).into();
        defined.frame = site.frame;
        if let Some(computed) = find(&unit.computed, task, |it| it.task) {
            self.give_items(computed, (&mut defined, &mut policy), site);
        }
        let start = self.next();
        let call = find(&unit.structure.calls, task, |it| it.task);
        let border = call.map(|call| self.place_call(call, &mut defined, site));
        if copies.is_some() {
            defined.action = Action::End(End { copies, ..End::default() });
        }
        let number = self.next();
        self.definition.tasks_mut().push(defined);
        self.name_shared(&mut policy, site.frame);
        let policy = self.policy(policy);
        self.parts.policy_of.push(policy);
        let at = placing.instances[index].len();
        placing.placed.push((task, u32::try_from(at).expect("no more than tasks")));
        placing.instances[index].push(Instance { path: path.into(), start, number, border });
    }

    /// A file in the place of the task that names it.
    fn place_call(&mut self, call: &Call, end: &mut TaskDefinition, site: &Site) -> Border {
        let scope = std::mem::take(&mut end.scope);
        let inner = self.enter(call, (&end.name, scope), site);
        end.scope = end.name.clone();
        end.frame = inner.frame;
        self.place(&call.workflow, &inner)
    }

    /// The items of a fan-out: now, or when its turn comes if a parameter is known only then.
    fn give_items(
        &mut self,
        computed: &ComputedItems,
        (task, policy): (&mut TaskDefinition, &mut Policy),
        site: &Site,
    ) {
        if self.is_late(&computed.source, site.frame) {
            let late = LateItems { source: computed.source.clone(), max_items: computed.max_items };
            let control = task.control.get_or_insert_with(|| Box::new(Control::default()));
            control.late = Some(late);
            policy.asks = true;
            return;
        }
        let items = self.items(computed, (site.frame, &site.folder));
        task.items = self.or_told(items, &computed.place, site.file.as_deref());
    }

    /// Whether items follow from a parameter that is known only while the run goes on.
    fn is_late(&self, source: &ItemsSource, frame: FrameId) -> bool {
        let Some((file, _)) = self.definition.around(frame).file else { return false };
        let is_late = |name: &str| file.late.iter().any(|late| *late.name == *name);
        !file.late.is_empty()
            && !matches!(source, ItemsSource::Lines(_))
            && source.texts().any(|text| names_any(text, "params", is_late))
    }

    /// What tasks say of other tasks of the unit by number, in the numbers of the graph.
    fn settle(&mut self, placing: &Placing<'_>) {
        let Some(&(first, at)) = placing.placed.first() else { return };
        let first = placing.instances[first as usize][at as usize].number;
        let mut sources = None;
        for &(task, at) in &placing.placed {
            let instance = &placing.instances[task as usize][at as usize];
            let number = instance.number as usize;
            if let Some(of) = self.definition.tasks()[number].result_of() {
                let found = placing.nearest(of.0, &instance.path).map(|it| it.number);
                if let Some(control) = &mut self.definition.tasks_mut()[number].control {
                    control.result_of = found;
                }
            }
            if let Action::Until { .. } = self.definition.tasks()[number].action {
                let sources = sources.get_or_insert_with(|| self.sources(first));
                let found = sources.get(&instance.number).cloned().unwrap_or_default();
                if let Action::Until { ends, .. } = &mut self.definition.tasks_mut()[number].action
                {
                    *ends = found.into();
                }
            }
            let policy = &self.parts.policies[self.parts.policy_of[number] as usize];
            if let Kind::Loop { first, turns_max } = policy.kind {
                let start = (first.0..task).find_map(|it| placing.nearest(it, &instance.path));
                let first = TaskId(start.map_or(instance.number, |it| it.start));
                let policy = Policy { kind: Kind::Loop { first, turns_max }, ..policy.clone() };
                self.parts.policy_of[number] = self.policy(policy);
            }
        }
        self.note_undo(placing);
    }

    fn note_undo(&mut self, placing: &Placing<'_>) {
        let unit = placing.unit;
        for task in placing.runs() as usize..unit.tasks.len() {
            let policy = &unit.parts.policies[unit.parts.policy_of[task] as usize];
            let Trigger::Compensation { of } = policy.trigger else { continue };
            for instance in &placing.instances[of.0 as usize] {
                let undone = &self.definition.tasks()[instance.number as usize];
                let name = format!("{}.compensate", undone.name).into();
                let (scope, frame) = (undone.scope.clone(), undone.frame);
                let task = TaskDefinition { name, scope, frame, ..unit.tasks[task].clone() };
                self.undo.push(Undo { of: instance.number, task, policy: policy.clone() });
            }
        }
    }
}

/// What is said of a task in a list that is sorted by tasks.
fn find<T>(sorted: &[T], task: u32, key: impl Fn(&T) -> u32) -> Option<&T> {
    sorted.binary_search_by_key(&task, key).ok().map(|found| &sorted[found])
}

impl Placing<'_> {
    /// How many tasks of the unit run for themselves: what undoes them stands behind.
    fn runs(&self) -> u32 {
        let unit = self.unit;
        let is_undo = |task: &usize| {
            let policy = &unit.parts.policies[unit.parts.policy_of[*task] as usize];
            matches!(policy.trigger, Trigger::Compensation { .. })
        };
        let first = (0..unit.tasks.len()).rev().take_while(is_undo).last();
        u32::try_from(first.unwrap_or(unit.tasks.len())).expect("no more than tasks")
    }

    /// The first instance of a task in the copies that a path is in.
    fn nearest(&self, task: u32, path: &[u32]) -> Option<&Instance> {
        let common = |it: &&Instance| {
            let length = it.path.len().min(path.len());
            it.path[..length] == path[..length]
        };
        self.instances[task as usize].iter().find(common)
    }
}
