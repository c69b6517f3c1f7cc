//! Why an item is where it is: the workers that had room, and what was better about the one.

use model::{Timestamp, WorkerId};
use protocol::api::{Candidate, PlacedBecause, Time};

use super::super::words::plural;
use super::Text;

impl Text<'_, '_> {
    pub(super) fn because(&self) -> Option<PlacedBecause> {
        let decision = self.subject.engine.decision(self.key)?;
        let least = decision.candidates.iter().map(|(_, it)| it.waste).min()?;
        let candidates = decision.candidates.iter();
        let candidates: Vec<Candidate> =
            candidates.map(|known| self.candidate(known, least)).collect();
        let reason = reason(decision.roomy, &candidates);
        Some(PlacedBecause { had_room: decision.roomy, reason, candidates })
    }

    fn candidate(&self, known: &(WorkerId, engine::Candidate), least: u64) -> Candidate {
        let (worker, known) = known;
        Candidate {
            worker: self.worker(*worker),
            speed_percent: known.speed / 10,
            ends: Time(Timestamp(known.ends_at)),
            unmet: known.unmet,
            others: known.crowd,
            waste: known.waste - least,
            free_percent: known.slack / 10,
        }
    }
}

/// What was better about the first than about the second, in the order in which they are compared.
fn reason(roomy: u32, candidates: &[Candidate]) -> String {
    let Some((taken, rest)) = candidates.split_first() else { return String::new() };
    let worker = &taken.worker;
    if roomy <= 1 {
        return format!("worker {worker} was the only one with room");
    }
    let all = plural(u64::from(roomy), "worker");
    let Some(next) = rest.first() else {
        return format!("of {all} with room {worker} was next, in the order of the policy");
    };
    let better = match () {
        () if taken.speed_percent != next.speed_percent => "is the fastest",
        () if taken.unmet != next.unmet => "has most of what the task prefers, of the fastest",
        () if taken.others != next.others => "has fewest others of its task, of the fastest",
        () if taken.waste != next.waste => "leaves the GPUs most useful for others, of the fastest",
        () if taken.free_percent != next.free_percent => {
            "leaves least unused beside it, of the fastest"
        }
        () => "is the first of those that are alike",
    };
    format!("of {all} with room {worker} {better}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(worker: &str) -> Candidate {
        Candidate {
            worker: worker.to_owned(),
            speed_percent: 100,
            ends: Time(Timestamp(0)),
            unmet: 0,
            others: 0,
            waste: 0,
            free_percent: 0,
        }
    }

    #[test]
    fn the_first_difference_is_the_reason() {
        let (a, b) = (candidate("a"), candidate("b"));
        let says = |taken: &Candidate, next: &Candidate| reason(4, &[taken.clone(), next.clone()]);
        assert_eq!(says(&a, &b), "of 4 workers with room a is the first of those that are alike");
        let waste = Candidate { waste: 5, speed_percent: 100, free_percent: 9, ..b.clone() };
        let said =
            "of 4 workers with room a leaves the GPUs most useful for others, of the fastest";
        assert_eq!(says(&a, &waste), said);
        let slow = Candidate { speed_percent: 50, ..waste };
        assert_eq!(says(&a, &slow), "of 4 workers with room a is the fastest");
        assert_eq!(reason(1, std::slice::from_ref(&a)), "worker a was the only one with room");
        let next = "of 4 workers with room a was next, in the order of the policy";
        assert_eq!(reason(4, &[a]), next);
    }
}
