//! How much of a history was found, and what of it is not simulated.

use std::fmt;

use model::Span;
use protocol::api::Time;
use serde::Serialize;

use super::plural;

/// How much of a history was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Found {
    /// Runs that were submitted from then on,
    pub since: Time,
    /// and before then; until it was looked at, if nothing was said.
    pub until: Option<Time>,
    /// When it was looked at.
    pub at: Time,
    /// How many runs.
    pub runs: u64,
    /// How many attempts they had.
    pub attempts: u64,
    /// How many of the runs had not ended.
    pub going_on: u64,
    /// How often one of them was retried by hand.
    pub retried: u64,
    /// How many have run nothing.
    pub without_work: u64,
    /// Attempts that were followed by another.
    pub tried_again: u64,
    /// Runs of which something was kept back by what is not simulated.
    pub limited: u64,
    /// Runs that asked for custom resources.
    pub custom: u64,
    /// Attempts on nodes of which nothing is known any more.
    pub on_unknown_nodes: u64,
    /// Runs whose history cannot be read.
    pub unreadable: u64,
    /// Runs whose history is not kept any more.
    pub removed: u64,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (runs, attempts) = (plural(self.runs, "run"), plural(self.attempts, "attempt"));
        write!(f, "{runs}, {attempts} ")?;
        match self.until {
            None => write!(f, "of the last {}", length(self.at.0.since(self.since.0)))?,
            Some(until) => write!(f, "from {} to {until}", self.since)?,
        }
        match self.going_on {
            0 => write!(f, "."),
            1 => write!(f, "; 1 run was still going on: taken as far as it had come."),
            runs => write!(f, "; {runs} runs were still going on: taken as far as they had come."),
        }
    }
}

impl Found {
    /// What is left out or supposed, a sentence each.
    pub(crate) fn notes(&self) -> Vec<String> {
        let note = |count: u64, noun: &str, text: &str| {
            (count > 0).then(|| format!("{} {text}", plural(count, noun)))
        };
        let notes = [
            note(self.without_work, "run", "without an attempt: left out"),
            note(self.unreadable, "run", "with a history that cannot be read: left out"),
            note(self.removed, "run", "of that time not kept any more: left out"),
            note(self.retried, "retry", "by hand: each is a job of its own")
                .map(|text| text.replace("retrys", "retries")),
            note(self.tried_again, "attempt", "tried again: of each item the last one counts"),
            note(self.limited, "run", "with breakers, or budgets of what is spent: not simulated"),
            note(self.custom, "run", "with custom resources: not simulated"),
            note(
                self.on_unknown_nodes,
                "attempt",
                "on nodes that no fact names any more: taken \
                 for nodes of usual speed",
            ),
        ];
        notes.into_iter().flatten().collect()
    }
}

/// A length of time in the unit that it was probably asked for in.
fn length(span: Span) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("day", 86_400_000_000),
        ("hour", 3_600_000_000),
        ("minute", 60_000_000),
        ("second", 1_000_000),
    ];
    let whole = |us: u64| (span.0 + us / 2) / us;
    let unit = UNITS.iter().find(|(_, us)| whole(*us) > 1).or(UNITS.last());
    unit.map_or_else(String::new, |&(unit, us)| plural(whole(us), unit))
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    const DAY: u64 = 86_400_000_000;

    fn found() -> Found {
        Found {
            at: Time(Timestamp(7 * DAY + 20_000)),
            runs: 412,
            attempts: 61_204,
            ..Found::default()
        }
    }

    #[test]
    fn it_says_what_was_found() {
        assert_eq!(found().to_string(), "412 runs, 61204 attempts of the last 7 days.");
        let going_on = Found { going_on: 3, runs: 1, ..found() };
        let told = "1 run, 61204 attempts of the last 7 days; 3 runs were still going on: taken as \
                    far as they had come.";
        assert_eq!(going_on.to_string(), told);
        let until = Found { until: Some(Time(Timestamp(DAY))), ..found() };
        assert!(until.to_string().ends_with(
            "from 1970-01-01T00:00:00.000000Z to \
            1970-01-02T00:00:00.000000Z."
        ));
        let lengths = [90, 3_600, 7_200, 172_800].map(|s| length(Span::secs(s)));
        assert_eq!(lengths, ["2 minutes", "60 minutes", "2 hours", "2 days"]);
    }

    #[test]
    fn it_says_what_is_left_out() {
        assert_eq!(found().notes(), Vec::<String>::new());
        let found = Found { tried_again: 2, retried: 2, ..found() };
        let notes = [
            "2 retries by hand: each is a job of its own",
            "2 attempts tried again: of each item the last one counts",
        ];
        assert_eq!(found.notes(), notes);
    }
}
