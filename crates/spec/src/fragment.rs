//! Tasks that are added to a run: by a task that writes them, or by a person.
//!
//! Pure: the same run and the same text always become the same graph. What was there keeps its
//! numbers, its edges among itself, and its texts. Whether the run can still be changed so is the
//! engine's business.

use model::collections::{HashMap, HashSet};
use model::control::{EdgeCondition, Join};
use model::graph::{GraphError, GraphParts};
use model::policy::{Policy, Stage};
use model::{Digest, Graph, ItemId, TaskId};

use crate::check::fragment::{FragmentFile, condition_of_added, read};
use crate::check::secrets::SecretNames;
use crate::check::texts::Names;
use crate::check::types::Shapes;
use crate::check::{Inherited, Outer, Whole, fits};
use crate::code;
use crate::definition::{Action, Added, Definition, FrameId};
use crate::diagnostic::{Diagnostic, Diagnostics, Faults};
use crate::file::{NamedTask, TaskFile};
use crate::limits::{ANCESTOR_STEPS_MAX, FRAGMENT_TASKS_MAX, PATTERN_STEPS_MAX};
use crate::link::{Linker, Site};
use crate::params::fault;
use crate::read::Placed;
use crate::source::{Extent, Source};

mod earlier;

use earlier::Earlier;

/// Tasks as they were written: YAML or JSON, `tasks` as in a file, or the list alone.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'t> {
    /// The task that wrote them; nothing if a person adds them.
    pub by: Option<TaskId>,
    /// Its item, if it is a fan-out.
    pub item: Option<ItemId>,
    /// What was written: at most 1 MiB.
    pub text: &'t [u8],
}

/// A run's graph and definition after a change.
#[derive(Debug)]
pub struct Extended {
    /// For [`Graph::new`]. Tasks that were there before have their numbers.
    pub parts: GraphParts,
    /// What belongs to it.
    pub definition: Definition,
    /// How many tasks were added. None if the same had been added already.
    pub added: usize,
}

/// The name that diagnostics give to what a task wrote.
const SHOWN: &str = "$AUTOGLM_TASKS";

impl Definition {
    /// Adds tasks. A task `m` that `g` writes is called `g.m`, or `g.7.m` if its item 7 writes it;
    /// it may depend on `g`, on what `g` depends on, and on others of the fragment, and what
    /// depends on `g` waits for it, too. What a person adds has the names that it says, and may
    /// depend on any task.
    ///
    /// The time and room that it takes are bounded by the fragment and the graph. The same text by
    /// the same task a second time adds nothing.
    ///
    /// # Errors
    /// Everything that is wrong with the text, and another text than the same task wrote before.
    pub fn extend(
        &self,
        graph: &GraphParts,
        written: Fragment<'_>,
    ) -> Result<Extended, Diagnostics> {
        let name = if written.by.is_some() { SHOWN } else { "" };
        let source = Source {
            name: name.to_owned(),
            folder: self.folder().to_owned(),
            text: written.text.to_vec(),
        };
        let mut faults = Faults::default();
        let Some(file) = read(&source, &mut faults) else {
            let valid = source.text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
            return Err(faults.into_diagnostics(&source.name, valid));
        };
        let growing = Growing { definition: self, graph, written, source: &source };
        growing.extend(file, faults)
    }
}

/// One addition.
#[derive(Clone, Copy)]
struct Growing<'g> {
    definition: &'g Definition,
    graph: &'g GraphParts,
    written: Fragment<'g>,
    source: &'g Source,
}

impl Growing<'_> {
    fn extend(&self, file: FragmentFile<'_>, faults: Faults) -> Result<Extended, Diagnostics> {
        let Fragment { by, item, .. } = self.written;
        let by_number = by.map(|by| (by.0, item.map(|item| item.0)));
        let digest = blake3::hash(file.meaning.as_bytes()).to_hex().to_string();
        let first = u32::try_from(self.definition.len()).expect("within TASKS_PER_RUN_MAX");
        let added = Added { by: by_number, digest, first };
        if self.definition.has_added(&added) {
            let (parts, definition) = (self.graph.clone(), self.definition.clone());
            return Ok(Extended { parts, definition, added: 0 });
        }
        if let Some(by) = by.filter(|by| self.definition.get(*by).is_none()) {
            return Err(self.told(code::UNKNOWN_TASK, format!("there is no task number {by}"), ""));
        }
        let earlier = Earlier::of(self.definition, self.graph, by);
        self.check_writer(&added, &earlier)?;
        let site = self.site();
        let (outer, numbers) = self.outer(&file, &earlier, &site)?;
        let unit = {
            let around = self.definition.around(site.frame);
            let late = around.file.map_or(&[][..], |(file, _)| &file.late);
            let names = Names {
                params: around
                    .params
                    .keys()
                    .map(String::as_str)
                    .chain(late.iter().map(|late| &*late.name))
                    .collect(),
                env: around.env.keys().map(String::as_str).collect(),
                secrets: SecretNames::known(around.secrets.keys().map(String::as_str)),
                shapes: Shapes::default(),
            };
            let inherited = self.inherited();
            let whole = Whole { source: self.source, text: "", names, inherited, outer: &outer };
            file.check(whole, faults)?
        };
        let mut unit = unit;
        unit.structure.outer = numbers;
        let none =
            |_: &std::path::Path| Err("tasks that are added to a run read no files".to_owned());
        let mut linker = Linker::new(self.definition.clone(), self.graph.clone(), &none);
        let border = linker.place(&unit, &site);
        if let Some(by) = by {
            self.begin_after(by, &border.entries, &mut linker);
            self.wait_for(by, &border.exits, &mut linker);
        }
        let (parts, mut definition) = linker.finish(&self.source.name)?;
        definition.note_added(added);
        self.checked(parts, definition)
    }

    /// Refuses what the writer may not add.
    fn check_writer(&self, added: &Added, earlier: &Earlier<'_>) -> Result<(), Diagnostics> {
        let Some(by) = self.written.by else { return Ok(()) };
        let name = self.definition.task_name(by);
        if self.definition.has_added_by(added) {
            let message = format!("`{name}` has written other tasks before");
            let hint = "a task that runs again writes the same tasks; for others fork the run";
            return Err(self.told(code::CONFLICT, message, hint));
        }
        if earlier.loop_around(by).is_some() {
            let message = format!("`{name}` is repeated by a loop, and cannot write tasks");
            let hint = "write them from a task behind the loop";
            return Err(self.told(code::CONFLICT, message, hint));
        }
        if earlier::policy(self.graph, by.0).trigger.stage() != Stage::Ordinary {
            let message = format!("`{name}` runs when all is over, and cannot write tasks");
            return Err(self.told(code::CONFLICT, message, ""));
        }
        Ok(())
    }

    /// Where the tasks are placed.
    fn site(&self) -> Site {
        let Fragment { by, item, .. } = self.written;
        let defined = by.and_then(|by| self.definition.get(by));
        let frame: FrameId = defined.map_or(0, |defined| defined.frame);
        let prefix = match (defined, item) {
            (None, _) => String::new(),
            (Some(defined), Some(item)) if defined.is_fan_out() => {
                format!("{}.{item}", defined.name)
            }
            (Some(defined), _) => defined.name.to_string(),
        };
        let folder = self.definition.around(frame).folder.to_owned();
        Site { frame, names: crate::link::Names::under(prefix), folder, file: None }
    }

    fn inherited(&self) -> Inherited {
        self.written.by.map_or_else(Inherited::default, |by| {
            let &Policy { priority, critical, failure, deadline, .. } =
                earlier::policy(self.graph, by.0);
            Inherited { priority, critical, failure, deadline }
        })
    }

    /// The tasks of the run that the fragment names, and the numbers from which edges to it lead.
    fn outer(
        &self,
        file: &FragmentFile<'_>,
        earlier: &Earlier<'_>,
        site: &Site,
    ) -> Result<(Outer, Vec<TaskId>), Diagnostics> {
        let mut found: Vec<(String, TaskId)> = Vec::new();
        let mut known: HashSet<String> = HashSet::default();
        let mut note = |name: &str, task: TaskId| {
            if known.insert(name.to_owned()) {
                found.push((name.to_owned(), task));
            }
        };
        let mut steps = 0_usize;
        for name in &file.wanted.depended {
            if let Some(task) = self.lookup(site, name) {
                note(name, task);
            } else if name.contains(['*', '?']) {
                steps = steps.saturating_add(self.definition.len());
                if steps > PATTERN_STEPS_MAX {
                    let message = "the patterns of these tasks fit too many names to be tried";
                    return Err(self.told(code::TOO_LARGE, message.to_owned(), "write names"));
                }
                let all = (0..).map(TaskId).zip(self.definition.tasks());
                let fitting = all.filter(|(task, it)| {
                    fits(name, &it.name)
                        && earlier.may_name(*task)
                        && !matches!(it.action, Action::Until { .. })
                });
                fitting.for_each(|(task, it)| note(&it.name, task));
            }
        }
        for path in &file.wanted.paths {
            let mut name = String::new();
            for step in path {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(step);
                if let Some(task) = self.lookup(site, &name) {
                    note(&name, task);
                }
            }
        }
        if let Some((name, _)) = found.iter().find(|(_, task)| !earlier.may_name(*task)) {
            let by = self.written.by.map_or("", |by| self.definition.task_name(by));
            let message = format!("`{name}` need not have ended when `{by}` has");
            let hint =
                format!("tasks that `{by}` writes may name it, what it depends on, and each other");
            return Err(self.told(code::TEMPLATE_ORDER, message, &hint));
        }
        self.describe(found, earlier, site)
    }

    fn describe(
        &self,
        found: Vec<(String, TaskId)>,
        earlier: &Earlier<'_>,
        site: &Site,
    ) -> Result<(Outer, Vec<TaskId>), Diagnostics> {
        let mut outer =
            Outer { has_item: self.definition.copy(site.frame).is_some(), ..Outer::default() };
        let mut numbers = Vec::new();
        let mut stub_of: HashMap<u32, Vec<u32>> = HashMap::default();
        for (stub, (name, task)) in (0_u32..).zip(found) {
            let trigger = earlier::policy(self.graph, task.0).trigger;
            let name = Placed { value: name, extent: Extent::default() };
            let task_file = TaskFile::default();
            outer.tasks.push((NamedTask { name, task: task_file, is_whole: true }, trigger));
            outer.ended.push(earlier.has_ended(task));
            if let Some(Action::Decision(decision)) = self.definition.get(task).map(|it| &it.action)
            {
                outer.decisions.push((stub, (**decision).clone()));
            }
            // What a loop repeats has ended when the loop has.
            let end = earlier.loop_around(task).unwrap_or(task.0);
            numbers.push(TaskId(end));
            stub_of.entry(task.0).or_default().push(stub);
        }
        let mut steps = 0;
        for (&task, stubs) in &stub_of {
            let ancestors = earlier.ancestors(task, &mut steps);
            if steps > ANCESTOR_STEPS_MAX {
                let message = "it takes too long to find which tasks come before which";
                return Err(self.told(code::TOO_LARGE, message.to_owned(), "name fewer tasks"));
            }
            for ancestor in ancestors {
                for &before in stub_of.get(&ancestor).into_iter().flatten() {
                    outer.known.extend(stubs.iter().map(|&after| (before, after)));
                }
            }
        }
        outer.known.sort_unstable();
        Ok((outer, numbers))
    }

    /// The task that a name means for who writes it: its own group's first, as everywhere.
    fn lookup(&self, site: &Site, name: &str) -> Option<TaskId> {
        if name.is_empty() {
            return None;
        }
        let mut scope = site.names.prefix();
        loop {
            let whole = if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") };
            if let Some(task) = self.definition.task(&whole) {
                return Some(task);
            }
            if scope.is_empty() {
                return None;
            }
            scope = scope.rfind('.').map_or("", |dot| &scope[..dot]);
        }
    }

    /// Lets the first of the tasks come after their writer, so that what follows from the order of
    /// tasks holds for them. Those of an item do not wait for the other items.
    fn begin_after(&self, by: TaskId, entries: &[u32], linker: &mut Linker<'_>) {
        if self.definition.get(by).is_none_or(|defined| defined.is_fan_out()) {
            return;
        }
        let first = u32::try_from(self.definition.len()).unwrap_or(u32::MAX);
        let sources = linker.sources(first);
        for &entry in entries {
            let earlier = sources.get(&entry).map_or(&[][..], Vec::as_slice);
            let is_plain = earlier.is_empty() || linker.join(entry) == Join::All;
            if is_plain && !earlier.contains(&by.0) {
                linker.push_edge(by.0, entry, EdgeCondition::Succeeded);
            }
        }
    }

    /// Lets what waits for the writer wait for what it has written, too.
    fn wait_for(&self, by: TaskId, exits: &[u32], linker: &mut Linker<'_>) {
        let own = format!("{}.", self.definition.task_name(by));
        for (index, &(from, to)) in self.graph.edges.iter().enumerate() {
            let condition = self.graph.conditions.get(index).copied().unwrap_or_default();
            let is_own = || self.definition.task_name(TaskId(to)).starts_with(&own);
            let Some(condition) = condition_of_added(condition).filter(|_| from == by.0) else {
                continue;
            };
            if !is_own() {
                exits.iter().for_each(|&exit| linker.push_edge(exit, to, condition));
            }
        }
    }

    /// The graph, which holds: what the check did not see is told here.
    fn checked(&self, parts: GraphParts, definition: Definition) -> Result<Extended, Diagnostics> {
        let added = definition.len() - self.definition.len();
        if added > FRAGMENT_TASKS_MAX {
            let message = format!("more than {FRAGMENT_TASKS_MAX} tasks are added at once");
            return Err(self.told(code::TOO_LARGE, message, "let one task write fewer"));
        }
        match Graph::new(Digest::default(), parts.clone()) {
            Ok(_) => Ok(Extended { parts, definition, added }),
            Err(GraphError::Cycle(cycle)) => {
                let names: Vec<&str> = cycle.iter().map(|&it| definition.task_name(it)).collect();
                let message = format!("these tasks wait for each other: {}", names.join(" -> "));
                Err(self.told(code::CYCLE, message, "leave one of these dependencies out"))
            }
            Err(GraphError::TooLarge { what, count, limit }) => {
                let message = format!("the run would have {count} {what}, and may have {limit}");
                Err(self.told(code::TOO_LARGE, message, ""))
            }
            Err(GraphError::Malformed(what)) => {
                Err(self.told(code::BAD_VALUE, what.to_owned(), ""))
            }
        }
    }

    fn told(&self, code: model::code::Code, message: String, hint: &str) -> Diagnostics {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        let diagnostics = vec![Diagnostic { hint, ..fault(code, message) }];
        Diagnostics { file: self.source.name.clone(), diagnostics, omitted: 0 }
    }
}
