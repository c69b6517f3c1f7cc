//! Marks of calls: breakers, budgets that settle, rules and waits of retries, memory that grows.

use journal::Entry;
use model::fact::AttemptsEnded;
use model::message::LeaseId;
use model::outcome::Then;
use model::policy::Policy;
use model::shared::Unit;
use model::{Fact, Outcome, TaskKey, VariantId, WorkerId};

use super::Records;
use crate::ledger::breakers::Turned;
use crate::mark::Mark;
use crate::stage::Stage;

impl Records {
    /// Where an attempt went of those where it might have gone.
    fn site_marks(&self, stage: &mut Stage, (task, to): (TaskKey, WorkerId), policy: &Policy) {
        let asked = &policy.constraints;
        let workers = || self.ledger.workers.iter().map(|(id, joined)| (*id, &joined.offers.site));
        let lacks = |site| asked.select.iter().any(|selector| !selector.matches(site));
        if workers().any(|(_, site)| lacks(site)) {
            stage.hit(Mark::Selected);
        }
        if workers().any(|(id, site)| id == to && !site.taints.is_empty()) {
            stage.hit(Mark::Tolerated);
        }
        let live = |task: TaskKey| self.ledger.run(task.run).map(|run| run.live_items(task.task));
        if asked.together.is_some() && live(task).is_some_and(|live| live > 0) {
            stage.hit(Mark::Together);
        }
    }

    /// Before the ledger takes the fact in.
    pub(super) fn call_marks(&self, stage: &mut Stage, entry: &Entry) {
        match &entry.fact {
            Fact::AttemptsLeased { task, items, variant, worker, devices } => {
                let taken = |place| self.ledger.devices.taken(*worker, place).0 > 0;
                if devices.iter().any(taken) {
                    stage.hit(Mark::SharedDevice);
                } else if !devices.is_empty() {
                    stage.hit(Mark::FreeDevice);
                }
                let Some(run) = self.ledger.run(task.run) else { return };
                let policy = run.graph.policy(task.task);
                self.site_marks(stage, (*task, *worker), policy);
                let breakers = &policy.shared_of(*variant).breakers;
                if breakers.iter().any(|it| self.ledger.breakers.is_tried(it)) {
                    stage.hit(Mark::BreakerTried);
                }
                let is_new = |item| {
                    let item = run.item(task.task, model::ItemId(item));
                    item.is_some_and(|item| item.first_way() == VariantId(0))
                };
                if *variant > VariantId(0) && items.clone().any(is_new) {
                    let has_others = policy.alternatives.is_empty();
                    stage.hit(if has_others { Mark::OtherWay } else { Mark::OtherAmounts });
                }
                if policy.critical
                    && self.ledger.lane.left_on(*worker, &self.ledger.workers).is_some()
                {
                    stage.hit(Mark::InLane);
                }
                let grown = |item| {
                    run.item(task.task, model::ItemId(item)).is_some_and(|item| item.growths > 0)
                };
                if items.clone().any(grown) {
                    stage.hit(Mark::Grown);
                }
            }
            Fact::AttemptsEnded(ended) => self.ended_marks(stage, (entry, ended)),
            _ => {}
        }
    }

    fn ended_marks(&self, stage: &mut Stage, (entry, ended): (&Entry, &AttemptsEnded)) {
        let Some(run) = self.ledger.run(ended.task.run) else { return };
        let policy = run.graph.policy(ended.task.task);
        for &(item, end) in &ended.ends {
            let key = ended.task.item(item);
            let taken = run.taken(ended.task.task, item);
            let breakers = &taken.breakers;
            let turned = self.ledger.breakers.turned(breakers, (key, ended.outcome), entry.at);
            match turned {
                None => {}
                Some(Turned::Opened) => stage.hit(Mark::BreakerOpened),
                Some(Turned::OpenedAgain) => stage.hit(Mark::TrialFailed),
                Some(Turned::Closed) => stage.hit(Mark::BreakerClosed),
                Some(Turned::Nothing) => stage.hit(Mark::TrialLost),
            }
            for spending in &taken.budgets {
                match spending.charged(ended.outcome, end.spent) {
                    Some(charged) if charged < spending.amount.into() => {
                        stage.hit(Mark::SettledBack);
                    }
                    Some(charged) if charged > spending.amount.into() => {
                        stage.hit(Mark::SettledDebt);
                    }
                    _ => debug_assert!(spending.unit == Unit::Attempts || spending.amount > 0),
                }
            }
            let token = self.ledger.item(key).map(|item| item.token).unwrap_or_default();
            let process = stage.truth.processes.get(&LeaseId { item: key, token });
            let asked = process.and_then(|process| process.retry_after);
            if let (Then::Retry { at }, Some(asked)) = (ended.then, asked)
                && at == entry.at + asked
            {
                stage.hit(Mark::WaitAsked);
            }
        }
        if let Then::Instead(_) = ended.then {
            stage.hit(Mark::Instead);
        }
        rule_marks(stage, policy, ended);
    }
}

fn rule_marks(stage: &mut Stage, policy: &Policy, ended: &AttemptsEnded) {
    let Outcome::Failed(failure) = ended.outcome else { return };
    let has_rules = !policy.retry.on.is_empty() || !policy.retry.never.is_empty();
    match (ended.then, failure.is_transient()) {
        (Then::Final, true) if has_rules => stage.hit(Mark::RefusedByRule),
        (Then::Retry { .. }, false) => stage.hit(Mark::AllowedByRule),
        _ => {}
    }
}
