//! Linking: checked tasks become part of a graph, each with what surrounds it.
//!
//! A file is linked into an empty graph, a file that it names into the place of the task that names
//! it, a group once for each of its copies, and what a task writes into the graph of its run. The
//! tasks of one file or fragment are a unit: they are placed in order, then wired. Nothing that is
//! there already is changed by it.

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::value::Value;
use model::collections::{HashMap, HashSet};
use model::control::{EdgeCondition, Join};
use model::graph::GraphParts;
use model::limits::TASKS_PER_RUN_MAX;
use model::policy::Policy;
use model::{Graph, TaskId};
use serde_json::Value as Json;

use crate::code;
use crate::compile::ComputedItems;
use crate::definition::{Definition, FrameId, Scene, TaskDefinition, TaskOutputs, Upstream};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::items::{Items, ItemsSource, Workshop};
use crate::params::{Workflow, fault};
use crate::template::{Reference, expression_references};

mod call;
mod place;
mod shared;
mod undo;
mod wire;

pub(crate) use place::{Names, Site};
use undo::Undo;

/// Tasks of a unit in whose place others are put when it is linked.
#[derive(Debug, Default)]
pub(crate) struct Structure {
    /// Groups with copies, those around others first.
    pub copied: Vec<CopiedGroup>,
    /// Files that tasks name.
    pub calls: Vec<Call>,
    /// The first tasks of the unit that are not its own: those of the graph that they stand for.
    pub outer: Vec<TaskId>,
}

/// A group that is there once for each item of a list.
#[derive(Debug)]
pub(crate) struct CopiedGroup {
    /// Its whole name in the unit.
    pub name: String,
    pub members: std::ops::Range<u32>,
    /// What ends all copies. It stands right after them.
    pub end: u32,
    pub items: CopiedItems,
    /// How many values make one item.
    pub batch: Option<u32>,
    pub place: Place,
}

/// For what a group is there.
#[derive(Clone, Debug)]
pub(crate) enum CopiedItems {
    Known(Items),
    Computed { source: ItemsSource, max_items: u32 },
}

/// A task in whose place the tasks of a file are put. It stands at their end.
#[derive(Debug)]
pub(crate) struct Call {
    pub task: u32,
    pub workflow: Box<Workflow>,
    /// What the file is given, with the texts in it as they are written.
    pub with: Vec<(String, Json)>,
    /// Where it is named.
    pub place: Place,
}

impl Structure {
    fn is_plain(&self) -> bool {
        self.copied.is_empty() && self.calls.is_empty() && self.outer.is_empty()
    }
}

/// How the content of a file is had.
pub(crate) type ReadFile<'r> = dyn Fn(&Path) -> Result<Vec<u8>, String> + 'r;

/// A graph that units are linked into.
pub(crate) struct Linker<'r> {
    pub definition: Definition,
    pub parts: GraphParts,
    /// The number of the first task that was not there before.
    first: u32,
    policies: HashMap<Policy, u32>,
    undo: Vec<Undo>,
    read: &'r ReadFile<'r>,
    pub faults: Vec<Diagnostic>,
}

impl<'r> Linker<'r> {
    /// Goes on from a graph and its definition.
    pub(crate) fn new(
        definition: Definition,
        mut parts: GraphParts,
        read: &'r ReadFile<'r>,
    ) -> Self {
        if parts.conditions.is_empty() {
            parts.conditions = vec![EdgeCondition::Succeeded; parts.edges.len()];
        }
        let policies =
            (0..).zip(&parts.policies).map(|(number, it)| (it.clone(), number)).collect();
        let (undo, faults) = (Vec::new(), Vec::new());
        let mut linker = Self { definition, parts, first: 0, policies, undo, read, faults };
        linker.first = linker.next();
        linker
    }

    /// Links a unit that nothing is put into, into an empty graph: as it is.
    pub(crate) fn take_plain(&mut self, unit: &mut Workflow) {
        self.parts = std::mem::take(&mut unit.parts);
        let tasks = std::mem::take(&mut unit.tasks);
        *self.definition.tasks_mut() = tasks;
        let mut policies = std::mem::take(&mut self.parts.policies);
        policies.iter_mut().for_each(|policy| self.name_shared(policy, 0));
        self.parts.policies = policies;
        for computed in &unit.computed {
            let items = self.items(computed, (0, &unit.folder));
            let items = self.or_told(items, &computed.place, None);
            self.definition.tasks_mut()[computed.task as usize].items = items;
        }
    }

    /// Links all of a file into an empty graph.
    pub(crate) fn take(&mut self, unit: &mut Workflow) {
        if unit.structure.is_plain() {
            return self.take_plain(unit);
        }
        self.place(unit, &Site::root(unit));
    }

    /// The graph with all that was linked into it.
    ///
    /// # Errors
    /// What was wrong with it.
    pub(crate) fn finish(mut self, file: &str) -> Result<(GraphParts, Definition), Diagnostics> {
        self.place_undo();
        self.check_names();
        if self.faults.is_empty()
            && let Err(error) = self.wire_undo()
        {
            self.faults.push(fault(code::TOO_LARGE, error));
        }
        if !self.faults.is_empty() {
            let diagnostics = self.faults;
            return Err(Diagnostics { file: file.to_owned(), diagnostics, omitted: 0 });
        }
        let mut parts = self.parts;
        if parts.conditions.iter().all(|&condition| condition == EdgeCondition::Succeeded) {
            parts.conditions = Vec::new();
        }
        let tasks = (0..).zip(self.definition.tasks());
        parts.fan_outs = tasks.filter_map(|(task, it)| Some((task, it.item_count()?))).collect();
        Ok((parts, self.definition))
    }

    /// Names that are put together may meet one that is there.
    fn check_names(&mut self) {
        if self.first == 0 && !self.definition.has_frames() {
            return;
        }
        let mut seen: HashSet<&str> = HashSet::default();
        let twice = self.definition.tasks().iter().find(|task| !seen.insert(&task.name));
        if let Some(twice) = twice {
            let message = format!("there is a task `{}` already", twice.name);
            let hint = Some("give it another name".to_owned());
            let diagnostic = Diagnostic { hint, ..fault(code::DUPLICATE_TASK, message) };
            self.faults.push(diagnostic);
        }
    }

    fn next(&self) -> u32 {
        u32::try_from(self.definition.len()).expect("bounded by the tasks of a run")
    }

    /// Whether the run has as many tasks as it may have. Said once.
    fn is_full(&mut self, place: Option<&Place>) -> bool {
        let is_full = self.definition.len() >= TASKS_PER_RUN_MAX;
        let is_told = self.faults.iter().any(|fault| fault.code == code::TOO_LARGE);
        if is_full && !is_told {
            let message = format!("the workflow has more than {TASKS_PER_RUN_MAX} tasks");
            let place = place.cloned();
            self.faults.push(Diagnostic { place, ..fault(code::TOO_LARGE, message) });
        }
        is_full
    }

    pub(crate) fn push_edge(&mut self, from: u32, to: u32, condition: EdgeCondition) {
        self.parts.edges.push((from, to));
        self.parts.conditions.push(condition);
    }

    /// The number of a policy.
    pub(crate) fn policy(&mut self, policy: Policy) -> u32 {
        let next = u32::try_from(self.parts.policies.len()).expect("no more policies than tasks");
        *self.policies.entry(policy).or_insert_with_key(|policy| {
            self.parts.policies.push(policy.clone());
            next
        })
    }

    /// The items of a fan-out, or of a group, that are known before the run.
    fn items(
        &self,
        computed: &ComputedItems,
        (frame, folder): (FrameId, &Path),
    ) -> Result<Items, String> {
        let references: Vec<Reference> =
            computed.source.texts().flat_map(expression_references).collect();
        let context = self.context(frame, &references)?;
        let (templates, environment) = self.definition.engine();
        let read = |path: &str| (self.read)(&folder.join(path));
        let max_items = computed.max_items;
        let workshop =
            Workshop { templates, environment, context: &context, max_items, read: &read };
        workshop.items(&computed.source)
    }

    /// What texts can name that are worked out before the run.
    fn context(&self, frame: FrameId, references: &[Reference]) -> Result<Value, String> {
        let references: Vec<&Reference> = references.iter().collect();
        self.scene(frame, "", |scene| scene.context(&references))
    }

    /// Works something out that the parameters and items around a frame are enough for.
    fn scene<T>(&self, frame: FrameId, scope: &str, work: impl FnOnce(&Scene<'_>) -> T) -> T {
        let upstream: &dyn Upstream = &|_: TaskId| TaskOutputs::Single(Json::Null);
        let scene = Scene {
            definition: &self.definition,
            task: TaskId(u32::MAX),
            defined: &TaskDefinition::default(),
            frame,
            scope,
            item: None,
            upstream,
            round: 1,
            run: None,
            output: None,
            is_expression: true,
        };
        work(&scene)
    }

    fn or_told(
        &mut self,
        items: Result<Items, String>,
        place: &Place,
        file: Option<&str>,
    ) -> Items {
        items.unwrap_or_else(|message| {
            self.fail((code::BAD_ITEMS, message), place, file);
            Items::Single
        })
    }

    fn fail(
        &mut self,
        (code, message): (model::code::Code, String),
        place: &Place,
        file: Option<&str>,
    ) {
        let (place, file) = (Some(place.clone()), file.map(str::to_owned));
        self.faults.push(Diagnostic { place, file, ..fault(code, message) });
    }

    /// The edges into each task from `first` on.
    pub(crate) fn sources(&self, first: u32) -> BTreeMap<u32, Vec<u32>> {
        let mut sources: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for &(from, to) in self.parts.edges.iter().filter(|edge| edge.1 >= first) {
            sources.entry(to).or_default().push(from);
        }
        sources
    }

    /// How many of its dependencies a task waits for.
    pub(crate) fn join(&self, task: u32) -> Join {
        self.parts.policies[self.parts.policy_of[task as usize] as usize].join
    }

    fn graph(&self) -> Option<Graph> {
        let parts = GraphParts {
            policies: vec![Policy::default()],
            policy_of: vec![0; self.definition.len()],
            edges: self.parts.edges.clone(),
            ..GraphParts::default()
        };
        Graph::new(model::Digest::default(), parts).ok()
    }
}
