//! What an attempt is held to: its bounds, and how its class stands back behind others.
//!
//! What cannot be held is said in the attempt's log, with the reason that the supervisor gave. No
//! bound that only looks like one takes its place: a limit of the address space, which is all that
//! a process without a control group could be given, ends programs that reserve more than they use.

use model::Request;
use model::bounds::{Bounds, Enforcement, Means, ServiceClass};
use model::outcome::{Failure, Outcome};
use rustix::thread::CpuSet;

use crate::supervisor::Limits;

/// How far attempts that have said nothing stand back.
const BEST_EFFORT_NICE: u8 = 5;
/// A core, in thousandths.
const CORE_MILLI: u64 = 1_000;

/// The cores that can be handed out, each to one attempt at a time.
#[derive(Debug, Default)]
pub(super) struct Cores {
    free: Vec<u32>,
}

/// What an attempt was given, and what is to be said of it.
#[derive(Debug, Default)]
pub(super) struct Held {
    bounds: Bounds,
    cores: Vec<u32>,
    /// Lines for its log, when it starts.
    pub(super) notes: Vec<String>,
}

impl Cores {
    /// Those that this process may run on.
    pub(super) fn of_this_process() -> Self {
        let own = rustix::thread::sched_getaffinity(None).unwrap_or_default();
        let free = (0..CpuSet::MAX_CPU).filter(|core| own.is_set(*core));
        Self { free: free.filter_map(|core| u32::try_from(core).ok()).collect() }
    }

    fn take(&mut self, count: u64) -> Option<Vec<u32>> {
        let count = usize::try_from(count).ok()?;
        (0 < count && count <= self.free.len()).then(|| self.free.drain(..count).collect())
    }

    /// Takes back what an attempt had.
    pub(super) fn put(&mut self, held: &mut Held) {
        self.free.append(&mut held.cores);
        self.free.sort_unstable();
    }
}

impl Held {
    /// What an attempt is held to that asks for this.
    pub(super) fn new(
        bounds: Bounds,
        request: &Request,
        cores: &mut Cores,
        enforcement: &Enforcement,
    ) -> (Self, Limits) {
        let mut held = Self { bounds, notes: unenforced(&bounds, enforcement), ..Self::default() };
        if bounds.pin {
            match cores.take(request.cpu_milli / CORE_MILLI) {
                Some(taken) => held.cores = taken,
                None => held.notes.push(
                    "it runs on any core: there are not as many free as it is to have for itself"
                        .to_owned(),
                ),
            }
        }
        let class = bounds.class(request);
        let limits = Limits {
            cpu_max_milli: bounds.cpu_milli,
            cpu_weight_milli: request.cpu_milli,
            memory_max_bytes: bounds.memory_bytes,
            memory_low_bytes: request.memory_bytes,
            is_swap_off: class == ServiceClass::Guaranteed,
            pids_max: bounds.pids,
            nice: if class == ServiceClass::BestEffort { BEST_EFFORT_NICE } else { 0 },
            cores: held.cores.clone(),
        };
        (held, limits)
    }

    /// What is to be said of its end.
    pub(super) fn on_end(&self, outcome: Outcome) -> Option<String> {
        let is_memory = outcome == Outcome::Failed(Failure::OutOfMemory);
        let limit = self.bounds.memory_bytes.filter(|_| is_memory)?;
        Some(format!("the kernel killed it: it took more memory than its limit of {}", size(limit)))
    }
}

/// Bytes as a file would say them.
fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes / MIB)
    } else {
        format!("{bytes} bytes")
    }
}

/// A line for each bound that nothing holds the attempt to.
fn unenforced(bounds: &Bounds, enforcement: &Enforcement) -> Vec<String> {
    let is_set = |bound: Option<u64>, means: &Means, name: &str| {
        let reason = bound.and(means.missing())?;
        Some(format!("its limit of {name} is not enforced: {reason}"))
    };
    let lines = [
        is_set(bounds.cpu_milli, &enforcement.cpu, "cpu"),
        is_set(bounds.memory_bytes, &enforcement.memory, "memory"),
        is_set(bounds.pids, &enforcement.pids, "pids"),
    ];
    lines.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(cores: &mut Cores, cpu_milli: u64) -> (Held, Limits) {
        let bounds = Bounds { pin: true, ..Bounds::default() };
        let request = Request { cpu_milli, ..Request::default() };
        Held::new(bounds, &request, cores, &Enforcement::default())
    }

    #[test]
    fn a_core_is_handed_to_one_attempt_at_a_time() {
        let mut cores = Cores { free: vec![0, 2, 3] };
        let (mut first, limits) = pinned(&mut cores, 2_000);
        assert_eq!(limits.cores, [0, 2]);
        let (none, limits) = pinned(&mut cores, 2_000);
        assert_eq!((limits.cores, none.notes.len()), (vec![], 1));
        cores.put(&mut first);
        assert_eq!(cores.free, [0, 2, 3]);
    }

    #[test]
    fn what_is_not_held_is_said_and_nothing_else() {
        let no = |reason: &str| Means::None { reason: reason.into() };
        let enforcement =
            Enforcement { cpu: no("why"), memory: Means::CgroupV2, pids: no("whatever") };
        let bounds =
            Bounds { cpu_milli: Some(500), memory_bytes: Some(1 << 30), ..Bounds::default() };
        let said = unenforced(&bounds, &enforcement);
        assert_eq!(said, ["its limit of cpu is not enforced: why"]);
    }

    #[test]
    fn the_class_says_who_stands_back_and_who_may_swap() {
        let limits = |bounds, request: &Request| {
            Held::new(bounds, request, &mut Cores::default(), &Enforcement::default()).1
        };
        let nothing = Request { cpu_milli: 1_000, ..Request::default() };
        let best_effort = limits(Bounds::default(), &nothing);
        assert_eq!((best_effort.nice, best_effort.need_group()), (BEST_EFFORT_NICE, false));
        let asked = Request { cpu_milli: 500, memory_bytes: 64, ..Request::default() };
        let bounds = Bounds { cpu_milli: Some(500), memory_bytes: Some(64), ..Bounds::default() };
        let guaranteed = limits(bounds, &asked);
        assert_eq!((guaranteed.nice, guaranteed.is_swap_off), (0, true));
        assert!(guaranteed.need_group());
    }
}
