//! What all runs share: circuit breakers and budgets, as far as anybody knows them.

use std::collections::BTreeMap;

use engine::state::Stand;
use model::shared::{Breaker, Shared, Spending, Unit};
use protocol::api::{BreakerSummary, BudgetSummary, Seconds, Time};

use super::words;
use crate::handle::View;

/// The breakers that runs which have not ended keep to, and those that are not closed.
pub(crate) fn breakers(view: &View<'_>) -> Vec<BreakerSummary> {
    let shares = view.engine.state().shares();
    let mut names: Vec<&str> = shares.circuits().map(|(name, _)| name).collect();
    let known = used(view).flat_map(|shared| &shared.breakers);
    names.extend(known.map(|Breaker { name, .. }| &**name));
    names.sort_unstable();
    names.dedup();
    let summary = |name: &str| {
        let circuit = shares.circuit(name);
        let stand = circuit.map_or(Stand::Closed, |circuit| circuit.stand(view.now));
        let (state, until) = match stand {
            Stand::Closed => ("closed", None),
            Stand::Open(until) => ("open", Some(Time(until))),
            Stand::HalfOpen => ("half_open", None),
        };
        BreakerSummary {
            name: name.to_owned(),
            state: state.to_owned(),
            failures: circuit.map_or(0, engine::state::Circuit::failures),
            last: circuit.and_then(|circuit| words::trouble(circuit.last())),
            until,
            openings: circuit.map_or(0, engine::state::Circuit::openings),
            trials: shares.trying(name),
        }
    };
    names.into_iter().map(summary).collect()
}

/// The budgets that runs spend of which have not ended. Files that give one name different sizes
/// each see their own; shown is that of the first run.
pub(crate) fn budgets(view: &View<'_>) -> Vec<BudgetSummary> {
    let mut known: BTreeMap<&str, &Spending> = BTreeMap::new();
    for spending in used(view).flat_map(|shared| &shared.budgets) {
        known.entry(&spending.name).or_insert(spending);
    }
    let shares = view.engine.state().shares();
    let summary = |(name, spending): (&str, &Spending)| {
        let backlog = shares.backlog(name, view.now);
        let spent = u128::from(backlog.0) * u128::from(spending.limit);
        let spent = spent.div_ceil(u128::from(spending.per.0.max(1)));
        BudgetSummary {
            name: name.to_owned(),
            unit: unit(spending.unit).to_owned(),
            limit: spending.limit,
            per_seconds: Seconds(spending.per),
            available: i64::from(spending.limit) - i64::try_from(spent).unwrap_or(i64::MAX),
            full_in_seconds: Seconds(backlog),
        }
    };
    known.into_iter().map(summary).collect()
}

/// What the tasks of runs that have not ended take of what all share.
fn used<'a>(view: &'a View<'_>) -> impl Iterator<Item = &'a Shared> {
    let open = view.engine.state().runs().filter(|(_, run)| !run.status().is_final());
    let policies = open.flat_map(|(_, run)| run.graph().policies());
    policies.flat_map(|policy| policy.variants()).map(|(_, shared)| shared)
}

const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Attempts => "attempts",
        Unit::Requests => "requests",
        Unit::Tokens => "tokens",
    }
}
