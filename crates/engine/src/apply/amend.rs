//! A run goes on by another version of its graph. Whether it may was decided; here the new version
//! takes the place of the old one, and what that changes of counts and indexes is derived.

use alloc::sync::Arc;
use alloc::vec::Vec;

use model::fact::RunAmended;
use model::status::TaskStatus;
use model::{Graph, IdSet, ItemId, RunId, TaskId, TaskKey, Timestamp};

use crate::state::{Change, ClassId, Fan, Item, Run, State, Task, Waiting, loops};

/// A task that stands in an index, with those of its items that wait for their next attempt.
type Indexed = (TaskKey, Vec<Waiting>);

impl State {
    pub(super) fn run_amended(&mut self, amended: &RunAmended, graph: Arc<Graph>, at: Timestamp) {
        let id = amended.run;
        let Some(run) = self.runs.get(&id) else { return };
        let known = run.graph.len();
        if run.status().is_final() || graph.len() < known {
            return;
        }
        // Policies have other numbers then, and what waits may be of another class.
        let indexed = self.take_indexed(run.graph.tasks().map(|task| TaskKey { run: id, task }));
        let policies = graph.policies().iter();
        let classes = policies.map(|policy| self.classes.intern(policy, Clone::clone));
        let classes = classes.collect();
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.amend(amended, graph, classes);
        self.changes.push(Change::Run(id));
        let new: Vec<_> = run.graph.tasks().skip(known).collect();
        self.intern_all_grown(id);
        self.put_indexed(indexed);
        self.advance_all(id, new, at);
    }

    fn take_indexed(&mut self, tasks: impl Iterator<Item = TaskKey>) -> Vec<Indexed> {
        let mut taken = Vec::new();
        for key in tasks {
            let Some(run) = self.runs.get(&key.run) else { continue };
            let (ready, retrying) = run.waiting_items(key.task);
            if ready + retrying > 0 {
                let class = run.class(key.task);
                let index = run.graph.policy_index(key.task);
                let grown = run.grown.range((index, 0)..=(index, u8::MAX)).map(|(_, &grown)| grown);
                let mut classes: Vec<_> = grown.chain([class]).collect();
                classes.sort_unstable();
                classes.dedup();
                let waiting = classes.into_iter().flat_map(|class| self.ready.take(class, key));
                let waiting = waiting.collect();
                taken.push((key, waiting));
            }
        }
        taken
    }

    /// Policies have other numbers now: the classes of what has grown are found anew.
    fn intern_all_grown(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.grown.clear();
        let mut grown: Vec<(TaskKey, u8)> = Vec::new();
        for task in run.graph.tasks().filter(|&task| run.policy(task).retry.memory.is_some()) {
            let items = (0..run.item_count(task)).filter_map(|item| run.item(task, ItemId(item)));
            let growths = items.map(Item::growths).filter(|&growths| growths > 0);
            grown.extend(growths.map(|growths| (TaskKey { run: id, task }, growths)));
        }
        grown.sort_unstable();
        grown.dedup();
        grown.into_iter().for_each(|(key, growths)| self.intern_grown(key, growths));
    }

    fn put_indexed(&mut self, indexed: Vec<Indexed>) {
        for (key, waiting) in indexed {
            self.index_task(key);
            for (item, due) in waiting {
                self.insert_retry(key, item, due);
            }
        }
    }
}

impl Run {
    /// How many items of a task are ready, and how many wait for their next attempt.
    fn waiting_items(&self, task: TaskId) -> (u32, u32) {
        let retrying = match self.fan(task) {
            Some(fan) => fan.tally().of(TaskStatus::Retrying),
            None => u32::from(self.task(task).status() == TaskStatus::Retrying),
        };
        (self.ready_items(task), retrying)
    }

    /// Takes on another version of the graph. New tasks are pending; what is counted of edges and
    /// of failures is counted anew.
    fn amend(&mut self, amended: &RunAmended, graph: Arc<Graph>, classes: Vec<ClassId>) {
        let admitted = &mut self.admitted;
        (admitted.graph, admitted.definition) = (amended.graph, amended.definition);
        (admitted.priority, admitted.concurrency) = (amended.priority, amended.concurrency);
        admitted.cost_limit_micro = amended.cost_limit_micro;
        let known = self.graph.len();
        (self.loops, self.classes, self.graph) = (loops(&graph), classes, graph);
        let graph = Arc::clone(&self.graph);
        for task in graph.tasks().skip(known) {
            self.tasks.push(Task::new(0, 0));
            self.open[self.stage(task) as usize] += 1;
            let items = graph.fan_out(task);
            self.items.grow(TaskStatus::Pending, items.unwrap_or(1));
            if let Some(items) = items {
                self.fans.insert(task, Fan::new(items, Item::default()));
            }
        }
        let pending = |task: &TaskId| self.task(*task).status() == TaskStatus::Pending;
        let pending: IdSet = graph.tasks().filter(pending).map(|task| task.0).collect();
        self.recount_edges(&pending);
        let troubled = graph.tasks().filter(|&task| {
            let status = self.task(task).status();
            self.is_troubled_by(task, status)
        });
        self.troubled = u32::try_from(troubled.count()).expect("within TASKS_PER_RUN_MAX");
    }
}
