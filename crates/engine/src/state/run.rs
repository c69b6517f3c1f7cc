//! A run: its tasks, the items of its fan-outs, and the counts that are kept of them.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use model::control::{Join, Kind};
use model::fact::{ControlImage, PauseCause, PreemptedImage, RunAdmitted, StopCause};
use model::outcome::Totals;
use model::policy::{Policy, Stage};
use model::shared::Deadline;
use model::status::{RunStatus, TaskStatus};
use model::{Digest, Graph, ItemId, Seq, TaskId, Timestamp};

use super::{ClassId, Fan, Item, Tally, Task};

/// One execution of a workflow.
#[derive(Clone, Debug)]
pub struct Run {
    pub(crate) admitted: Box<RunAdmitted>,
    pub(crate) admitted_seq: Seq,
    pub(crate) admitted_at: Timestamp,
    pub(crate) graph: Arc<Graph>,
    pub(crate) status: RunStatus,
    pub(crate) cause: Option<StopCause>,
    /// Why it is paused, if it is.
    pub(crate) paused: Option<PauseCause>,
    /// What its attempts spent that have ended.
    pub(crate) spent: Totals,
    pub(crate) ended_at: Option<Timestamp>,
    /// When the round that is open began: what the run's time limit counts from.
    pub(crate) opened_at: Timestamp,
    pub(crate) tasks: Vec<Task>,
    pub(crate) fans: BTreeMap<TaskId, Fan>,
    /// The ends of loops: few, and looked for often.
    pub(crate) loops: Box<[TaskId]>,
    /// The class of each policy of the graph.
    pub(crate) classes: Vec<ClassId>,
    /// The class of a policy after so many growths, as far as there has been one.
    pub(crate) grown: BTreeMap<(usize, u8), ClassId>,
    /// Items by status.
    pub(crate) items: Tally,
    /// Tasks that have not ended, by stage.
    pub(crate) open: [u32; Stage::ALL.len()],
    /// The last stage whose tasks have been told apart: those that run, and those skipped.
    pub(crate) released: Stage,
    /// Tasks that ended in another way than well or skipped, and nobody counted on that.
    pub(crate) troubled: u32,
    /// Tasks whose join is met and whose question has not been answered.
    pub(crate) asking: BTreeSet<TaskId>,
    /// What control answers have made of tasks.
    pub(crate) control: BTreeMap<TaskId, ControlImage>,
    /// Items whose attempts had to make room for others in this round: few, so apart from items.
    pub(crate) preempted: BTreeMap<(TaskId, ItemId), PreemptedImage>,
    /// How many tasks wait for time or for somebody: they are running, and no worker has them.
    pub(crate) waits: u32,
}

impl Run {
    pub(crate) fn new(
        admitted: RunAdmitted,
        graph: Arc<Graph>,
        classes: Vec<ClassId>,
        (seq, at): (Seq, Timestamp),
    ) -> Self {
        let mut items = Tally::default();
        let fans: BTreeMap<_, _> = graph
            .fan_outs()
            .iter()
            .map(|&(task, count)| (task, Fan::new(count, Item::default())))
            .collect();
        let in_fans: u32 = fans.values().map(|fan| fan.tally().total()).sum();
        let plain = u32::try_from(graph.len() - fans.len()).expect("within TASKS_PER_RUN_MAX");
        items.grow(TaskStatus::Pending, in_fans + plain);
        let mut open = [0; Stage::ALL.len()];
        let tasks: Vec<_> = graph
            .tasks()
            .zip(graph.dependency_counts())
            .map(|(task, edges)| {
                let policy = graph.policy(task);
                open[policy.trigger.stage() as usize] += 1;
                let held = u32::from(policy.trigger.is_handler());
                Task::new(policy.join.needed(edges) + held, edges + held)
            })
            .collect();
        let loops = loops(&graph);
        Self {
            admitted: Box::new(admitted),
            admitted_seq: seq,
            admitted_at: at,
            graph,
            status: RunStatus::Running,
            cause: None,
            paused: None,
            spent: Totals::default(),
            ended_at: None,
            opened_at: at,
            tasks,
            fans,
            loops,
            classes,
            grown: BTreeMap::new(),
            items,
            open,
            released: Stage::Ordinary,
            troubled: 0,
            asking: BTreeSet::new(),
            control: BTreeMap::new(),
            preempted: BTreeMap::new(),
            waits: 0,
        }
    }

    /// What was admitted.
    #[must_use]
    pub const fn admitted(&self) -> &RunAdmitted {
        &self.admitted
    }

    /// When it was admitted.
    #[must_use]
    pub const fn admitted_at(&self) -> Timestamp {
        self.admitted_at
    }

    /// The fact of its admission.
    #[must_use]
    pub const fn admitted_seq(&self) -> Seq {
        self.admitted_seq
    }

    /// When it ended.
    #[must_use]
    pub const fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// When it was admitted, or last retried by hand: what its time limit counts from.
    #[must_use]
    pub const fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// Its graph.
    #[must_use]
    pub const fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> RunStatus {
        self.status
    }

    /// Why it is to end, or has ended, before it is done.
    #[must_use]
    pub const fn cause(&self) -> Option<StopCause> {
        self.cause
    }

    /// Why it is paused, if it is.
    #[must_use]
    pub const fn paused(&self) -> Option<PauseCause> {
        self.paused
    }

    /// What its attempts spent that have ended, in all rounds.
    #[must_use]
    pub const fn spent(&self) -> Totals {
        self.spent
    }

    /// Whether its attempts have cost as much as they may.
    #[must_use]
    pub fn is_at_cost_limit(&self) -> bool {
        self.admitted.cost_limit_micro.is_some_and(|limit| self.spent.cost_micro >= limit)
    }

    /// Its items by status.
    #[must_use]
    pub const fn items(&self) -> &Tally {
        &self.items
    }

    /// How many of its items workers hold.
    #[must_use]
    pub const fn live(&self) -> u32 {
        self.items.of(TaskStatus::Leased) + self.items.of(TaskStatus::Running) - self.waits
    }

    /// How many items of a task workers hold.
    #[must_use]
    pub fn live_items(&self, task: TaskId) -> u32 {
        let live = |tally: &Tally| tally.of(TaskStatus::Leased) + tally.of(TaskStatus::Running);
        match self.fans.get(&task) {
            Some(fan) => live(fan.tally()),
            None => u32::from(self.task(task).status().is_live() && self.wait(task).is_none()),
        }
    }

    /// How many more items of a task may be leased, if its file sets a limit. All of a gang may.
    #[must_use]
    pub fn allowance(&self, task: TaskId) -> Option<u32> {
        let limit = self.policy(task).concurrency.filter(|_| !self.is_gang(task))?;
        Some(limit.saturating_sub(self.live_items(task)))
    }

    /// A task. Panics if `task` is not one of this run's.
    #[must_use]
    pub fn task(&self, task: TaskId) -> &Task {
        &self.tasks[task.0 as usize]
    }

    /// The items of a fan-out.
    #[must_use]
    pub fn fan(&self, task: TaskId) -> Option<&Fan> {
        self.fans.get(&task)
    }

    /// One item; `None` if there is no such task or item.
    #[must_use]
    pub fn item(&self, task: TaskId, item: ItemId) -> Option<Item> {
        match self.fans.get(&task) {
            Some(fan) => fan.items().get(item.0 as usize).copied(),
            None if item == ItemId(0) => Some(self.tasks.get(task.0 as usize)?.item),
            None => None,
        }
    }

    /// How often the attempts of an item had to make room for others in this round.
    #[must_use]
    pub fn preempted(&self, task: TaskId, item: ItemId) -> PreemptedImage {
        self.preempted.get(&(task, item)).copied().unwrap_or_default()
    }

    /// How many attempts of a task had to make room for others in this round, over all items.
    #[must_use]
    pub fn preempted_of(&self, task: TaskId) -> u64 {
        let items = self.preempted.range((task, ItemId(0))..=(task, ItemId(u32::MAX)));
        items.map(|(_, image)| u64::from(image.count)).sum()
    }

    /// How many items of a task are ready.
    #[must_use]
    pub fn ready_items(&self, task: TaskId) -> u32 {
        match self.fans.get(&task) {
            Some(fan) => fan.tally.of(TaskStatus::Ready),
            None => u32::from(self.task(task).status() == TaskStatus::Ready),
        }
    }

    /// The first ready items of a task that follow each other, at most `count`.
    #[must_use]
    pub fn first_ready(&self, task: TaskId, count: u32) -> Option<Range<u32>> {
        match self.fans.get(&task) {
            Some(fan) => fan.first_ready(count),
            None => (self.ready_items(task) > 0).then_some(0..1),
        }
    }

    /// The class of what a task asks for.
    #[must_use]
    pub fn class(&self, task: TaskId) -> ClassId {
        self.classes[self.graph.policy_index(task)]
    }

    /// The class of what an item asks for: more memory than its task says, after attempts that had
    /// not enough.
    #[must_use]
    pub fn class_of(&self, task: TaskId, item: ItemId) -> ClassId {
        let growths = self.item(task, item).map_or(0, Item::growths);
        match growths {
            0 => self.class(task),
            _ => {
                let place = (self.graph.policy_index(task), growths);
                self.grown.get(&place).copied().unwrap_or_else(|| self.class(task))
            }
        }
    }

    /// When the run has taken as long as it may.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.admitted.timeout.map(|timeout| self.opened_at + timeout)
    }

    /// By when a task must have ended.
    #[must_use]
    pub fn task_deadline(&self, task: TaskId) -> Option<Timestamp> {
        self.policy(task).deadline.map(|deadline| self.resolve(deadline))
    }

    /// A deadline as a time.
    pub(crate) fn resolve(&self, deadline: Deadline) -> Timestamp {
        match deadline {
            Deadline::After(span) => self.opened_at + span,
            Deadline::At(at) => at,
        }
    }

    /// Whether an ordinary task has not ended.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        self.open[Stage::Ordinary as usize] > 0
    }

    /// The first stage of which a task has not ended; `None` if all have.
    #[must_use]
    pub fn open_stage(&self) -> Option<Stage> {
        Stage::ALL.into_iter().find(|&stage| self.open[stage as usize] > 0)
    }

    /// How a task is run.
    #[must_use]
    pub fn policy(&self, task: TaskId) -> &Policy {
        self.graph.policy(task)
    }

    /// The stage that a task belongs to.
    #[must_use]
    pub fn stage(&self, task: TaskId) -> Stage {
        self.policy(task).trigger.stage()
    }

    /// The tasks whose join is met and whose question has not been answered, ascending.
    pub fn asking(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.asking.iter().copied()
    }

    /// How many items a task has, as far as that is known.
    #[must_use]
    pub fn item_count(&self, task: TaskId) -> u32 {
        self.fans.get(&task).map_or(1, |fan| u32::try_from(fan.items().len()).unwrap_or(u32::MAX))
    }

    /// The stored list of the items of a fan-out whose items were worked out late.
    #[must_use]
    pub fn item_list(&self, task: TaskId) -> Option<Digest> {
        match self.control.get(&task) {
            Some(ControlImage::FanOut { list, .. }) => Some(*list),
            _ => None,
        }
    }

    /// The fan-outs whose items are known, ascending by task.
    pub fn fans(&self) -> impl Iterator<Item = (TaskId, &Fan)> {
        self.fans.iter().map(|(&task, fan)| (task, fan))
    }

    /// The stored lists of items that were worked out late.
    pub fn item_lists(&self) -> impl Iterator<Item = Digest> + '_ {
        self.control.values().filter_map(|image| match image {
            ControlImage::FanOut { list, .. } => Some(*list),
            _ => None,
        })
    }

    /// The turn of the innermost loop around a task, or of the loop that it is, from 1.
    #[must_use]
    pub fn turn_around(&self, task: TaskId) -> u16 {
        let around = self.loops.iter().map(|&end| (end, self.body(end)));
        let innermost = around
            .filter(|(_, body)| body.contains(&task.0))
            .min_by_key(|(_, body)| body.end - body.start);
        innermost.map_or(1, |(end, _)| self.turn(end))
    }

    /// The route that a decision took.
    #[must_use]
    pub fn route(&self, task: TaskId) -> Option<u16> {
        match self.control.get(&task) {
            Some(ControlImage::Route(route)) => Some(*route),
            _ => None,
        }
    }

    /// The turn that a loop is in, from 1.
    #[must_use]
    pub fn turn(&self, task: TaskId) -> u16 {
        match self.control.get(&task) {
            Some(ControlImage::Turn(turn)) => *turn,
            _ => 1,
        }
    }

    /// Whether a task waits for time or for somebody, and when it ends by itself.
    #[must_use]
    pub fn wait(&self, task: TaskId) -> Option<Option<Timestamp>> {
        match self.control.get(&task) {
            Some(ControlImage::Wait(until)) => Some(*until),
            _ => None,
        }
    }

    /// The tasks that wait for time or for somebody, ascending, and when each ends by itself.
    pub fn waits(&self) -> impl Iterator<Item = (TaskId, Option<Timestamp>)> + '_ {
        let images = (self.waits > 0).then_some(&self.control).into_iter().flatten();
        let waits = images.filter_map(|(&task, image)| match image {
            ControlImage::Wait(until) => Some((task, *until)),
            _ => None,
        });
        waits.filter(|&(task, _)| self.task(task).status() == TaskStatus::Running)
    }

    /// Whether a task that ends like this makes its run a failed one.
    #[must_use]
    pub fn is_troubled_by(&self, task: TaskId, status: TaskStatus) -> bool {
        is_trouble(status) && !self.graph.expects_failure(task)
    }

    /// The tasks of the body of a loop, and the loop itself.
    pub(crate) fn body(&self, task: TaskId) -> Range<u32> {
        match self.policy(task).kind {
            Kind::Loop { first, .. } => first.0..task.0 + 1,
            _ => task.0..task.0 + 1,
        }
    }

    /// For each task how many edges into it must still be met, and how many are not decided, as the
    /// other tasks stand now; for a handler that is not released one more of each.
    pub(crate) fn edge_counts(&self) -> Vec<(u32, u32)> {
        let graph = &self.graph;
        let (mut met, mut undecided) = (vec![0; graph.len()], graph.dependency_counts());
        let needed: Vec<u32> = graph
            .tasks()
            .zip(&undecided)
            .map(|(task, &edges)| graph.policy(task).join.needed(edges))
            .collect();
        for from in graph.tasks().filter(|&from| self.task(from).status().is_final()) {
            let (status, route) = (self.task(from).status(), self.route(from));
            for (to, condition) in graph.edges_from(from) {
                let counts =
                    graph.policy(to).join == Join::AllDone || condition.is_met_by(status, route);
                met[to.0 as usize] += u32::from(counts);
                undecided[to.0 as usize] -= 1;
            }
        }
        graph
            .tasks()
            .map(|task| {
                let index = task.0 as usize;
                let held = u32::from(self.stage(task) > self.released);
                (needed[index].saturating_sub(met[index]) + held, undecided[index] + held)
            })
            .collect()
    }

    /// Whether anything of a task has not ended and is held by no worker.
    pub(crate) fn has_waiting_items(&self, task: TaskId) -> bool {
        if self.wait(task).is_some() {
            return true;
        }
        let waiting = [TaskStatus::Pending, TaskStatus::Ready, TaskStatus::Retrying];
        match self.fan(task) {
            Some(fan) if fan.items().is_empty() => self.task(task).status() == TaskStatus::Pending,
            Some(fan) => waiting.into_iter().any(|status| fan.tally().of(status) > 0),
            None => waiting.contains(&self.task(task).status()),
        }
    }

    /// The items of a task that a worker holds.
    pub(crate) fn held_items(&self, task: TaskId) -> impl Iterator<Item = ItemId> + '_ {
        let one = core::slice::from_ref(&self.tasks[task.0 as usize].item);
        let items = match self.fans.get(&task) {
            Some(fan) if self.live_items(task) > 0 => fan.items(),
            Some(_) => &[],
            None if self.wait(task).is_some() => &[],
            None => one,
        };
        let live = (0..).zip(items).filter(|(_, item)| item.status().is_live());
        live.map(|(item, _)| ItemId(item))
    }

    /// Whether anything of a task has begun or ended in this round.
    #[must_use]
    pub fn has_begun(&self, task: TaskId) -> bool {
        let waits = |status| matches!(status, TaskStatus::Pending | TaskStatus::Ready);
        match self.fans.get(&task) {
            Some(fan) if !fan.items().is_empty() => {
                fan.tally().iter().any(|(status, _)| !waits(status))
            }
            _ => !waits(self.task(task).status()),
        }
    }

    /// Whether a task is a handler.
    #[must_use]
    pub fn is_handler(&self, task: TaskId) -> bool {
        self.graph.policy(task).trigger.is_handler()
    }
}

/// Whether a task that ended like this makes its run a failed one.
pub(crate) const fn is_trouble(status: TaskStatus) -> bool {
    matches!(status, TaskStatus::Failed | TaskStatus::TimedOut | TaskStatus::Terminated)
}

/// The ends of all loops of a graph.
pub(crate) fn loops(graph: &Graph) -> Box<[TaskId]> {
    let is_loop = |policy: &Policy| matches!(policy.kind, Kind::Loop { .. });
    if !graph.policies().iter().any(is_loop) {
        return Box::default();
    }
    graph.tasks().filter(|&task| is_loop(graph.policy(task))).collect()
}
