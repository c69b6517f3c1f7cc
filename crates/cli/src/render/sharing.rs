//! What all runs share: circuit breakers and budgets.

use protocol::api::{BreakerSummary, BudgetSummary, Money, Seconds, Spent, Time};

use super::duration;
use crate::style::{Paint, Tone};
use crate::table::{Cell, Table};

/// What stands where no breaker is known.
pub(crate) const NO_BREAKERS: &str = "No run that has not ended keeps to a circuit breaker.";
/// What stands where no budget is known.
pub(crate) const NO_BUDGETS: &str = "No run that has not ended spends of a rate.";

/// Breakers as a table.
pub(crate) fn breakers(breakers: &[BreakerSummary], now: Time, tone: Tone) -> String {
    let mut table =
        Table::new(&["BREAKER", "STATE", "OPEN FOR", ">FAILURES", ">TRIALS", "LAST FAILURE"]);
    for breaker in breakers {
        let left = breaker.until.map(|until| duration(Seconds(until.0.since(now.0))));
        let paint = if breaker.state == "closed" { Paint::Good } else { Paint::Bad };
        table.row([
            Cell::from(&breaker.name),
            Cell::from(breaker.state.replace('_', "-")).paint(paint),
            Cell::from(left.unwrap_or_else(|| "-".to_owned())),
            Cell::from(breaker.failures.to_string()),
            Cell::from(breaker.trials.to_string()),
            Cell::from(breaker.last.as_deref().unwrap_or("")),
        ]);
    }
    table.render(tone)
}

/// Budgets as a table.
pub(crate) fn budgets(budgets: &[BudgetSummary], tone: Tone) -> String {
    let mut table = Table::new(&["BUDGET", ">LEFT", ">OF", "UNIT", "EACH", "FULL IN"]);
    for budget in budgets {
        let is_full = budget.full_in_seconds == Seconds::default();
        let full_in = if is_full { "-".to_owned() } else { duration(budget.full_in_seconds) };
        table.row([
            Cell::from(&budget.name),
            Cell::from(budget.available.to_string()),
            Cell::from(budget.limit.to_string()),
            Cell::from(&budget.unit),
            Cell::from(duration(budget.per_seconds)),
            Cell::from(full_in),
        ]);
    }
    table.render(tone)
}

/// What a run spent, in a line: `12 requests, 4800 tokens in, 950 out, cost 0.02 of 5.00`.
pub(crate) fn spent(spent: Spent, limit: Option<Money>) -> String {
    let Spent { requests, tokens_in, tokens_out, cost } = spent;
    let most = limit.map_or_else(String::new, |limit| format!(" of {}", money(limit)));
    let cost = money(cost);
    format!("{requests} requests, {tokens_in} tokens in, {tokens_out} out, cost {cost}{most}")
}

/// Money with at least its cents.
fn money(Money(micro): Money) -> String {
    let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    let kept = text.trim_end_matches('0').len().max(text.len() - 4);
    text[..kept].to_owned()
}

#[cfg(test)]
mod tests {
    use model::{Span, Timestamp};

    use super::*;

    #[test]
    fn breakers_are_a_table() {
        let open = BreakerSummary {
            name: "search".to_owned(),
            state: "open".to_owned(),
            failures: 5,
            last: Some("HTTP 503".to_owned()),
            until: Some(Time(Timestamp(12_000_000))),
            openings: 1,
            trials: 0,
        };
        let tried = BreakerSummary {
            state: "half_open".to_owned(),
            until: None,
            trials: 1,
            ..open.clone()
        };
        insta::assert_snapshot!(breakers(&[open, tried], Time(Timestamp(0)), Tone::PLAIN), @r"");
    }

    #[test]
    fn budgets_are_a_table() {
        let budget = BudgetSummary {
            name: "tokens".to_owned(),
            unit: "tokens".to_owned(),
            limit: 60_000,
            per_seconds: Seconds(Span::secs(60)),
            available: -120,
            full_in_seconds: Seconds(Span::millis(60_120)),
        };
        insta::assert_snapshot!(budgets(&[budget], Tone::PLAIN), @r"");
    }

    #[test]
    fn what_was_spent_is_a_line() {
        let all = Spent { requests: 12, tokens_in: 4_800, tokens_out: 950, cost: Money(20_500) };
        let line = "12 requests, 4800 tokens in, 950 out, cost 0.0205 of 5.00";
        assert_eq!(spent(all, Some(Money(5_000_000))), line);
    }
}
