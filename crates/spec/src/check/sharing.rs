//! Locks, rates and breakers: what tasks take of what all runs share must be declared, and enough
//! of it.

use model::shared::{Breaker, Lock, Shared, Spending};

use super::check_name;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::{BreakerRules, Breakers, Rates, TaskBreaker, TaskFile, WorkflowFile};
use crate::read::Placed;
use crate::suggest::did_you_mean;

/// What a file declares.
#[derive(Default)]
pub(super) struct Sharing<'f> {
    /// Locks with how many may hold each; nothing if the file declares none at all.
    locks: Option<Vec<(&'f str, u32)>>,
    rates: Option<&'f Rates>,
    breakers: Option<&'f Breakers>,
}

impl<'f> Sharing<'f> {
    pub(super) fn of(file: &'f WorkflowFile, faults: &mut Faults) -> Self {
        let locks = file.locks.as_ref().map(|locks| {
            let declared = locks.0.iter().map(|(name, holders)| {
                check_name("a lock", name, faults);
                (name.value.as_str(), holders.map_or(1, |holders| narrow(holders.0)))
            });
            declared.collect()
        });
        let rates = file.rates.as_deref();
        for (name, _) in rates.into_iter().flat_map(|rates| &rates.0) {
            check_name("a rate", name, faults);
        }
        let breakers = file.breakers.as_deref();
        for (name, _) in breakers.into_iter().flat_map(|breakers| &breakers.0) {
            check_name("a breaker", name, faults);
        }
        Self { locks, rates, breakers }
    }

    /// What an attempt of a task takes.
    pub(super) fn taken(&self, task: &TaskFile, faults: &mut Faults) -> Shared {
        let mut locks: Vec<Lock> = Vec::new();
        for (name, holders) in task.locks.iter().flat_map(|locks| &locks.0) {
            if let Some(lock) = self.lock(name, holders.map(|it| narrow(it.0)), faults) {
                locks.push(lock);
            }
        }
        locks.sort_unstable();
        locks.dedup_by(|one, other| one.name == other.name);
        let mut budgets: Vec<Spending> = Vec::new();
        for (name, amount) in task.rate.iter().flat_map(|rate| &rate.0) {
            if let Some(spending) = self.spending(name, amount.map_or(1, |it| narrow(it.0)), faults)
            {
                budgets.push(spending);
            }
        }
        budgets.sort_unstable();
        budgets.dedup_by(|one, other| one.name == other.name);
        let breaker = task.breaker.as_deref().and_then(|it| self.breaker(it, faults));
        let breakers = breaker.into_iter().collect();
        Shared { locks: locks.into(), budgets: budgets.into(), breakers }
    }

    fn lock(
        &self,
        name: &Placed<String>,
        holders: Option<u32>,
        faults: &mut Faults,
    ) -> Option<Lock> {
        check_name("a lock", name, faults);
        let declared = match &self.locks {
            None => None,
            Some(locks) => {
                let found = locks.iter().find(|(known, _)| *known == name.value);
                let Some(&(_, declared)) = found else {
                    let message = format!("there is no lock `{}`", name.value);
                    let fault = Fault::new(code::BAD_VALUE, name.extent, message);
                    let meant = did_you_mean(&name.value, locks.iter().map(|(known, _)| *known));
                    let add = format!("add it to the `locks` of the file: `{}: 1`", name.value);
                    faults.push(fault.hint_if(meant).hint_if(Some(add)));
                    return None;
                };
                Some(declared)
            }
        };
        if let (Some(declared), Some(holders)) = (declared, holders)
            && declared != holders
        {
            let message =
                format!("`{}` may be held by {declared}, and here by {holders}", name.value);
            let fault = Fault::new(code::CONFLICT, name.extent, message);
            faults.push(fault.hint("say it once, in the `locks` of the file"));
        }
        let holders_max = declared.or(holders).unwrap_or(1);
        Some(Lock { name: name.value.as_str().into(), holders_max })
    }

    fn spending(
        &self,
        name: &Placed<String>,
        amount: u32,
        faults: &mut Faults,
    ) -> Option<Spending> {
        let rates = self.rates.map_or(&[][..], |rates| &rates.0);
        let Some((_, rate)) = rates.iter().find(|(known, _)| known.value == name.value) else {
            let message = format!("there is no rate `{}`", name.value);
            let fault = Fault::new(code::BAD_VALUE, name.extent, message);
            let meant =
                did_you_mean(&name.value, rates.iter().map(|(known, _)| known.value.as_str()));
            let add = format!("add it to the file: `rates: {{{}: 60/m}}`", name.value);
            faults.push(fault.hint_if(meant).hint_if(Some(add)));
            return None;
        };
        let rate = rate.as_ref()?;
        if amount > rate.limit {
            let message = format!(
                "an attempt takes {amount} of `{}`, which never has more than {}",
                name.value, rate.limit
            );
            let fault = Fault::new(code::BAD_VALUE, name.extent, message);
            faults.push(fault.hint("take less, or raise the limit of the rate"));
            return None;
        }
        let (unit, limit, per) = (rate.unit, rate.limit, rate.per);
        Some(Spending { name: name.value.as_str().into(), unit, amount, limit, per })
    }

    /// The breaker of a task: one of the file, or its own. For tasks that name one every failure
    /// counts that may pass.
    fn breaker(&self, wanted: &TaskBreaker, faults: &mut Faults) -> Option<Breaker> {
        let name = &wanted.name;
        check_name("a breaker", name, faults);
        let declared = self.breakers.map_or(&[][..], |breakers| &breakers.0);
        let found = declared.iter().find(|(known, _)| known.value == name.value);
        let rules = match (wanted.rules, found) {
            (Some(own), Some((_, file))) if own != *file => {
                let message = format!("`{}` has other settings under `breakers`", name.value);
                let fault = Fault::new(code::CONFLICT, name.extent, message);
                faults.push(fault.hint("say them once, in the `breakers` of the file"));
                return None;
            }
            (Some(rules), _) | (None, Some(&(_, rules))) => rules,
            (None, None) => {
                let message = format!("there is no breaker `{}`", name.value);
                let fault = Fault::new(code::BAD_VALUE, name.extent, message);
                let names = declared.iter().map(|(known, _)| known.value.as_str());
                let add =
                    format!("add it to the file: `breakers: {{{}: {{failures: 5}}}}`", name.value);
                faults.push(fault.hint_if(did_you_mean(&name.value, names)).hint_if(Some(add)));
                return None;
            }
        };
        let BreakerRules { failures, open, open_max, trials } = rules;
        let (name, counts_transient) = (name.value.as_str().into(), true);
        Some(Breaker { name, failures, open, open_max, trials, counts_transient })
    }
}

/// What the file bounds already.
fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
