//! What happens in the world, and the order in which it does: by time, then by when it was planned.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use model::control::Verdict;
use model::message::LeaseId;
use model::{Outcome, RunId, TaskId, TaskKey, Timestamp};

use engine::{Answered, RequestId};

/// Something that happens at a time.
#[derive(Debug)]
pub enum Event {
    /// A worker looks at its inbox and its deadlines.
    NodeTurn {
        /// Which.
        node: u32,
        /// The instance that it was planned for.
        instance: u64,
    },
    /// A message reaches a machine.
    ToNode {
        /// Which.
        node: u32,
        /// The message as it was sent.
        bytes: Vec<u8>,
    },
    /// Something happens to a process.
    Process {
        /// Where.
        node: u32,
        /// The instance that started it.
        instance: u64,
        /// Its lease.
        lease: LeaseId,
        /// Which process of that lease.
        serial: u64,
        /// What: it has started (`None`), or ended.
        ended: Option<Outcome>,
    },
    /// A process saves its work.
    Saves {
        /// Where.
        node: u32,
        /// The instance that started it.
        instance: u64,
        /// Its lease.
        lease: LeaseId,
        /// Which process of that lease.
        serial: u64,
    },
    /// A machine is there again.
    NodeUp {
        /// Which.
        node: u32,
    },
    /// A worker wakes.
    NodeWake {
        /// Which.
        node: u32,
    },
    /// A message reaches the coordinator.
    ToCoordinator {
        /// The message as it was sent.
        bytes: Vec<u8>,
    },
    /// A coordinator looks at its inbox and its deadlines.
    CoordinatorTurn {
        /// Which of all that ever were.
        life: u64,
    },
    /// A commit is acknowledged.
    Committed {
        /// To which coordinator.
        life: u64,
    },
    /// A coordinator starts, or tries to lead.
    CoordinatorStart {
        /// On which machine.
        host: u32,
    },
    /// The sleeping coordinator wakes.
    CoordinatorWake {
        /// Which of all that ever were.
        life: u64,
    },
    /// An evaluator has worked something out.
    Evaluated {
        /// For which coordinator.
        life: u64,
        /// What.
        answered: Box<Answered>,
    },
    /// Something of the plan breaks.
    Fault {
        /// Its place in the plan.
        index: usize,
    },
    /// The disk has room again.
    DiskFree,
    /// Everything heals.
    Heal,
    /// A client asks for something.
    Ask {
        /// For what.
        wish: Wish,
    },
    /// A client has waited for long enough.
    Unanswered {
        /// For what.
        request: RequestId,
    },
    /// The invariants that cost are looked at.
    Inspect,
}

/// What a client may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Submit a run of the plan.
    Submit {
        /// Its place in the plan.
        index: usize,
    },
    /// Stop a run.
    Stop {
        /// Which.
        run: RunId,
    },
    /// Terminate a run.
    Terminate {
        /// Which.
        run: RunId,
    },
    /// Retry a run.
    Retry {
        /// Which.
        run: RunId,
        /// Where to begin, if not with what did not succeed.
        from: Option<TaskId>,
    },
    /// Let what runs of some task make room for others.
    Preempt {
        /// The run.
        run: RunId,
        /// Which, drawn.
        seed: u64,
    },
    /// Pause a run.
    Pause {
        /// Which.
        run: RunId,
    },
    /// Let a paused run go on; raise its limit first if it has cost what it may.
    Resume {
        /// Which.
        run: RunId,
    },
    /// Say what a task waits for.
    Settle {
        /// Which.
        task: TaskKey,
        /// What is said.
        verdict: Verdict,
    },
    /// Change how a run goes on.
    Edit {
        /// Which.
        run: RunId,
        /// What is changed, drawn.
        seed: u64,
    },
    /// Hold a task, or some items of it, for ended.
    Mark {
        /// Which, and how, drawn.
        seed: u64,
        /// The run.
        run: RunId,
    },
    /// Let some items of an ended run run again.
    RetryItems {
        /// The run.
        run: RunId,
        /// Which, drawn.
        seed: u64,
    },
    /// Make a new run of what was done in an ended one.
    Fork {
        /// The ended one.
        run: RunId,
        /// The place of its plan.
        index: usize,
    },
}

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    order: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// All that is going to happen.
#[derive(Debug, Default)]
pub struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    planned: u64,
}

impl Queue {
    /// Plans an event.
    pub fn push(&mut self, at: Timestamp, event: Event) {
        self.planned += 1;
        self.heap.push(Reverse(Entry { at, order: self.planned, event }));
    }

    /// Takes the next event out.
    pub fn pop(&mut self) -> Option<(Timestamp, Event)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }

    /// How many events were ever planned.
    #[must_use]
    pub fn planned(&self) -> u64 {
        self.planned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_as_they_were_planned() {
        let mut queue = Queue::default();
        for (at, node) in [(5, 0), (3, 1), (5, 2), (3, 3)] {
            queue.push(Timestamp(at), Event::NodeUp { node });
        }
        let order: Vec<u32> = std::iter::from_fn(|| queue.pop())
            .map(|(_, event)| match event {
                Event::NodeUp { node } => node,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(order, [1, 3, 0, 2]);
    }
}
