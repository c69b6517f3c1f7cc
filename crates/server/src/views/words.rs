//! Plain words for outcomes, causes and amounts.

use std::io;

use model::Request;
use model::fact::{PauseCause, StopCause};
use model::outcome::{Failure, Outcome, Unreached};
use protocol::api::Decided;
use serde_json::Value;
use spec::label;

/// How an attempt ended badly, in a word or two; nothing if it ended well.
pub(crate) fn trouble(outcome: Outcome) -> Option<String> {
    let word = match outcome {
        Outcome::Succeeded => return None,
        Outcome::TimedOut => "timed out",
        Outcome::Cancelled => "cancelled",
        Outcome::Terminated => "terminated",
        Outcome::Preempted => "preempted",
        Outcome::Lost => "worker lost",
        Outcome::Failed(failure) => return Some(failed(failure)),
    };
    Some(word.to_owned())
}

fn failed(failure: Failure) -> String {
    match failure {
        Failure::Exit(code) => format!("exit {code}"),
        Failure::Signal(signal) => format!("signal {signal}"),
        Failure::OutOfMemory => "out of memory".to_owned(),
        Failure::Spawn(number) => {
            format!("could not be started: {}", io::Error::from_raw_os_error(number))
        }
        Failure::Outputs => "its outputs could not be read".to_owned(),
        Failure::Tasks => "the tasks that it wrote could not be admitted".to_owned(),
        Failure::Render => "it could not be prepared".to_owned(),
        Failure::Unsatisfiable => "no worker can hold it".to_owned(),
        Failure::Control => "its condition, items or rules could not be worked out".to_owned(),
        Failure::Rejected => "rejected".to_owned(),
        Failure::TurnsUsedUp => "its condition did not hold in the last round".to_owned(),
        Failure::Raised(_) => "the call raised an error".to_owned(),
        Failure::Crashed => "the process that served the call ended in its middle".to_owned(),
        Failure::Status(status) => format!("HTTP {status}"),
        Failure::Unreachable(how) => unreached(how).to_owned(),
        Failure::Answer => "the answer was not what it has to be".to_owned(),
        Failure::TooLarge => "it was more than a limit allows".to_owned(),
        Failure::Forbidden => "it may not be used".to_owned(),
    }
}

const fn unreached(how: Unreached) -> &'static str {
    match how {
        Unreached::Unresolved => "the name has no address",
        Unreached::Refused => "the connection was refused",
        Unreached::Broken => "the connection broke",
        Unreached::Insecure => "the other side could not show who it is",
        Unreached::Slow => "no answer came in time",
    }
}

/// Why a run is to end early, as the API says it.
pub(crate) const fn cause(cause: StopCause) -> &'static str {
    match cause {
        StopCause::TaskFailed => "task failed",
        StopCause::TimedOut => "timed out",
        StopCause::Stopped => "stopped",
        StopCause::Terminated => "terminated",
    }
}

/// Why a run is paused, as the API says it.
pub(crate) const fn pause(cause: PauseCause) -> &'static str {
    match cause {
        PauseCause::Asked => "asked",
        PauseCause::CostLimit => "cost limit",
    }
}

/// Money in millionths as a decimal number, with at least two decimals: `5.00`, `0.0012`.
pub(crate) fn money(micro: u64) -> String {
    let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    let kept = text.trim_end_matches('0').len().max(text.len() - 4);
    text[..kept].to_owned()
}

/// An amount of a resource with its unit: `1.5 CPU`, `8 GiB memory`, `2 gpu`.
pub(crate) fn amount(resource: &str, value: u64) -> String {
    match resource {
        "cpu" => format!("{} CPU", milli(value)),
        "memory" => format!("{} memory", bytes(value)),
        custom => format!("{value} {custom}"),
    }
}

/// An amount of what a queue has: of GPUs in thousandths.
pub(crate) fn quota(resource: &str, value: u64) -> String {
    match resource {
        "gpu" => format!("{} gpu", milli(value)),
        other => amount(other, value),
    }
}

/// All that an attempt asks for: `2 CPU, 1 GiB memory, 1 gpu`.
pub(crate) fn request(request: &Request) -> String {
    let mut amounts = vec![amount("cpu", request.cpu_milli)];
    if request.memory_bytes > 0 {
        amounts.push(amount("memory", request.memory_bytes));
    }
    amounts.extend(request.custom.iter().map(|(name, value)| amount(name, *value)));
    if request.devices.count > 0 {
        amounts.push(request.devices.to_string());
    }
    amounts.join(", ")
}

/// Thousandths as a decimal number without zeros at its end.
fn milli(value: u64) -> String {
    let text = format!("{}.{:03}", value / 1_000, value % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Bytes in the largest binary unit that they fill, with at most one decimal, rounded down.
fn bytes(value: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let Some(&(unit, shift)) = UNITS.iter().find(|&&(_, shift)| value >> shift > 0) else {
        return format!("{value} B");
    };
    let (whole, rest) = (value >> shift, value & ((1 << shift) - 1));
    match (rest * 10) >> shift {
        0 => format!("{whole} {unit}"),
        tenth => format!("{whole}.{tenth} {unit}"),
    }
}

/// A count with its noun: `1 item`, `3 items`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Some of `total` things as a list: `a`, `a and b`, `a, b and 4 more`.
pub(crate) fn listed(mut shown: Vec<String>, total: usize) -> String {
    let more = total.saturating_sub(shown.len());
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    match shown.pop() {
        None => "nothing".to_owned(),
        Some(last) if shown.is_empty() => last,
        Some(last) => format!("{} and {last}", shown.join(", ")),
    }
}

/// What a decision came to, and by which rule: `deploy (rule 2: params.n > 3)`. `route` is what
/// there is to say where the rule names neither a route nor a value.
pub(crate) fn decided(decided: &Decided, route: String) -> String {
    let Decided { rule, when, .. } = decided;
    let what = match (&decided.route, &decided.value) {
        (Some(name), _) => name.clone(),
        (None, Value::Null) => route,
        (None, value) => label(value),
    };
    match when {
        Some(when) => format!("{what} (rule {rule}: {})", label(&Value::from(when.as_str()))),
        None => format!("{what} (rule {rule}, which always holds)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_carry_their_units() {
        let amounts = [("cpu", 1_500), ("cpu", 4_000), ("memory", 3 << 30), ("gpu", 2)];
        let shown = amounts.map(|(resource, value)| amount(resource, value));
        assert_eq!(shown, ["1.5 CPU", "4 CPU", "3 GiB memory", "2 gpu"]);
        assert_eq!([0, 1_023, 1_536, 5 << 20].map(bytes), ["0 B", "1023 B", "1.5 KiB", "5 MiB"]);
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
    }

    #[test]
    fn money_has_its_cents() {
        let shown = [0, 5_000_000, 1_250_000, 1_200, 1].map(money);
        assert_eq!(shown, ["0.00", "5.00", "1.25", "0.0012", "0.000001"]);
    }

    #[test]
    fn lists_read_as_sentences() {
        let names = |count: usize| ["a", "b", "c"].map(str::to_owned)[..count].to_vec();
        assert_eq!(listed(names(0), 0), "nothing");
        assert_eq!(listed(names(1), 1), "a");
        assert_eq!(listed(names(2), 2), "a and b");
        assert_eq!(listed(names(3), 7), "a, b, c and 4 more");
    }

    #[test]
    fn every_bad_end_has_a_word() {
        assert_eq!(trouble(Outcome::Succeeded), None);
        assert_eq!(trouble(Outcome::Failed(Failure::Exit(3))).as_deref(), Some("exit 3"));
        assert_eq!(trouble(Outcome::Failed(Failure::Signal(9))).as_deref(), Some("signal 9"));
        assert_eq!(trouble(Outcome::TimedOut).as_deref(), Some("timed out"));
    }
}
