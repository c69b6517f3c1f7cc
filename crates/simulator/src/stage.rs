//! What all hosts share: the time, the events to come, the network, the truth, what was observed.
//!
//! A host changes the world only through this. It decides nothing.

use engine::Rules;
use model::{Span, Timestamp};

use crate::event::{Event, Queue};
use crate::invariants::Violation;
use crate::mark::{Mark, Marks};
use crate::mutant::Mutant;
use crate::plan::{EPOCH, NetPlan};
use crate::random::Random;
use crate::truth::Truth;

/// Extra delay of a message that is overtaken. Shorter than any machine is down, so that no message
/// of a machine's former life arrives in its present one, as no connection would let it.
const OVERTAKEN_MAX: Span = Span::millis(500);

/// The shared part of the world.
#[derive(Debug)]
pub struct Stage {
    /// Virtual time.
    pub now: Timestamp,
    /// What is to happen.
    pub queue: Queue,
    /// What really happened.
    pub truth: Truth,
    /// What was reached.
    pub marks: Marks,
    /// The planted fault, if there is one.
    pub mutant: Option<Mutant>,
    /// What coordinators go by.
    pub rules: Rules,
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
    /// What hosts draw from: delays of processes and turns.
    pub hosts: Random,
    /// What evaluators draw from: how long answers take.
    pub evaluator: Random,
    /// Wishes of clients that are planned or wait for an answer.
    pub wishes: usize,
    /// Whether everything is printed as it happens.
    pub trace: bool,
    net: Random,
    net_plan: NetPlan,
    links: Vec<Link>,
}

/// The link between the coordinator and one machine.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    is_local: bool,
    /// Nothing gets through before these times: to the machine, from it.
    cut_until: [Timestamp; 2],
    /// The arrival of the last message: later ones come after it, unless they overtake.
    last: [Timestamp; 2],
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To a machine.
    To = 0,
    /// From a machine.
    From = 1,
}

impl Stage {
    /// A world in which nothing has happened yet.
    #[must_use]
    pub fn new(seed: u64, net_plan: NetPlan, local: &[bool]) -> Self {
        let link = |&is_local: &bool| Link { is_local, ..Link::default() };
        Self {
            now: EPOCH,
            queue: Queue::default(),
            truth: Truth::default(),
            marks: Marks::default(),
            mutant: None,
            rules: Rules::default(),
            violation: None,
            hosts: Random::stream(seed, "hosts in the world"),
            evaluator: Random::stream(seed, "evaluator"),
            wishes: 0,
            trace: false,
            net: Random::stream(seed, "net"),
            net_plan,
            links: local.iter().map(link).collect(),
        }
    }

    /// Plans an event after some time.
    pub fn after(&mut self, span: Span, event: Event) {
        self.queue.push(self.now + span, event);
    }

    /// A length of time from `low` to `high` microseconds.
    pub fn draw_span(&mut self, low: u64, high: u64) -> Span {
        Span(self.hosts.between(low, high))
    }

    /// Whether this fault is planted.
    #[must_use]
    pub fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Counts a mark.
    pub fn hit(&mut self, mark: Mark) {
        self.marks.hit(mark);
    }

    /// Notes an invariant that did not hold; the first one stays.
    pub fn judge(&mut self, id: &'static str, result: Result<(), String>) {
        if let Err(what) = result {
            let at = self.now;
            self.violation.get_or_insert(Violation { id, at, what });
        }
    }

    /// Prints a line of the trace.
    pub fn tell(&self, line: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>14} {}", self.now.since(EPOCH).to_string(), line());
        }
    }

    /// Lets nothing through in one direction for some time.
    pub fn cut(&mut self, node: u32, way: Way, length: Span) {
        self.links[node as usize].cut_until[way as usize] = self.now + length;
    }

    /// Ends all that is wrong with the network.
    pub fn heal_net(&mut self) {
        let NetPlan { loss, duplicate, reorder, .. } = &mut self.net_plan;
        (*loss, *duplicate, *reorder) = (0, 0, 0);
        self.links.iter_mut().for_each(|link| link.cut_until = [Timestamp(0); 2]);
    }

    /// Sends bytes between the coordinator and a machine, as well as the network can.
    pub fn send(&mut self, node: u32, way: Way, bytes: Vec<u8>) {
        let link = self.links[node as usize];
        let NetPlan { loss, duplicate, reorder, delay_max } = self.net_plan;
        if link.is_local {
            let at = self.now + Span::micros(5);
            return self.arrive(node, way, at, bytes);
        }
        let cut = self.now < link.cut_until[way as usize];
        if self.net.per_mille(loss) || cut {
            return;
        }
        if self.net.per_mille(duplicate) {
            let at = self.now + Span(self.net.between(50, delay_max.0 * 2));
            self.arrive(node, way, at, bytes.clone());
        }
        if self.net.per_mille(reorder) {
            let at = self.now + Span(self.net.between(50, OVERTAKEN_MAX.0));
            return self.arrive(node, way, at, bytes);
        }
        let at = self.now + Span(self.net.between(50, delay_max.0.max(50)));
        let at = at.max(link.last[way as usize]);
        self.links[node as usize].last[way as usize] = at;
        self.arrive(node, way, at, bytes);
    }

    fn arrive(&mut self, node: u32, way: Way, at: Timestamp, bytes: Vec<u8>) {
        let event = match way {
            Way::To => Event::ToNode { node, bytes },
            Way::From => Event::ToCoordinator { bytes },
        };
        self.queue.push(at, event);
    }
}
