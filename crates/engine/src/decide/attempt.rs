//! Workers report: attempts started, ended or were given back.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use model::fact::{AttemptsEnded, Fact};
use model::hash::mix;
use model::limits::{ITEMS_PER_FACT_MAX, RETRY_AFTER_MAX};
use model::message::{AttemptEvent, LeaseId, Report};
use model::outcome::{AttemptEnd, Failure, Outcome, OutputRef, Then};
use model::policy::{RetryPolicy, Rule};
use model::resources::{Amounts, ResourceId};
use model::status::RunStatus;
use model::{IdSet, ItemId, ItemKey, RunId, Span, TaskKey, Timestamp, VariantId, WorkerId};

use scheduler::fits;

use super::Turn;
use crate::input::Effect;
use crate::state::{Item, Run};

/// A loss is followed by another attempt at once: the node is gone, the task is not wrong.
const RETRY_AFTER_LOSS: Span = Span::ZERO;

/// Neighbouring reports that say the same of one task: they become one fact.
struct Group {
    task: TaskKey,
    last: ItemId,
    size: usize,
    says: Says,
}

enum Says {
    Started(IdSet),
    Returned(IdSet),
    Checkpointed(Vec<(ItemId, Timestamp)>),
    Ended { outcome: Outcome, then: Then, ends: Vec<(ItemId, AttemptEnd)> },
}

impl Group {
    fn of(item: ItemKey, says: Says) -> Self {
        Self { task: item.task_key(), last: item.item, size: 1, says }
    }

    /// Takes in another group of one item that says the same of a later item, or hands it back.
    fn join(&mut self, other: Self) -> Option<Self> {
        let follows = self.task == other.task && self.last < other.last;
        if !follows || self.size >= ITEMS_PER_FACT_MAX {
            return Some(other);
        }
        match (&mut self.says, other.says) {
            (Says::Started(items), Says::Started(_))
            | (Says::Returned(items), Says::Returned(_)) => {
                items.insert(other.last.0);
            }
            (Says::Checkpointed(saved), Says::Checkpointed(more)) => saved.extend(more),
            (
                Says::Ended { outcome, then, ends },
                Says::Ended { outcome: other_outcome, then: other_then, ends: more },
            ) if (*outcome, *then) == (other_outcome, other_then) => ends.extend(more),
            (_, says) => return Some(Self { says, ..other }),
        }
        (self.last, self.size) = (other.last, self.size + 1);
        None
    }
}

impl Turn<'_> {
    /// Takes in reports in order.
    pub(super) fn take_reports(&mut self, worker: WorkerId, reports: Vec<Report>) {
        let mut touched: Vec<RunId> = Vec::new();
        let mut group: Option<Group> = None;
        for Report { lease, event } in reports {
            // What is in the group is not yet in the state that the lease is checked against.
            let repeats = |group: &Group| {
                group.task != lease.item.task_key() || group.last >= lease.item.item
            };
            let wrote = matches!(
                event,
                AttemptEvent::Ended { outcome: Outcome::Succeeded, tasks: Some(_), .. }
            );
            // What is a trial, and what becomes of a gang, follows from all that has ended before.
            let follows = self.looks_at_breakers(lease) || self.is_of_gang(lease.item);
            if wrote || group.as_ref().is_some_and(repeats) || follows {
                self.close(group.take());
            }
            let Some(mut says) = self.judge(worker, lease, event) else {
                self.effect(Effect::Refused { lease });
                continue;
            };
            if wrote && let Err(reason) = self.generate(lease) {
                says = self.failed_to_write(lease, says, reason);
            }
            let one = Group::of(lease.item, says);
            let other = match &mut group {
                Some(open) => open.join(one),
                None => Some(one),
            };
            if let Some(other) = other {
                self.close(group.replace(other));
            }
            if wrote {
                // Its end stands alone, just after what it wrote.
                self.close(group.take());
            }
            if touched.last() != Some(&lease.item.run) {
                touched.push(lease.item.run);
            }
        }
        self.close(group);
        touched.sort_unstable();
        touched.dedup();
        touched.into_iter().for_each(|run| self.progress(run));
    }

    /// Whether what follows the end of the lease depends on where breakers stand: one that it
    /// keeps to is not closed, or its work may be done in another way.
    fn looks_at_breakers(&self, lease: LeaseId) -> bool {
        let Some(held) = self.state.lease(lease.item) else { return false };
        let shared = &self.state.classes().get(held.class).shared;
        let run = self.state.run(lease.item.run);
        run.is_some_and(|run| !run.policy(lease.item.task).others.is_empty())
            || self.state.shares().is_any_open(&shared.breakers)
    }

    /// An attempt did its work, but the tasks that it wrote cannot be tasks of its run.
    fn failed_to_write(&self, lease: LeaseId, says: Says, reason: Option<OutputRef>) -> Says {
        let Says::Ended { mut ends, .. } = says else { return says };
        ends.iter_mut().for_each(|(_, end)| end.output = reason);
        let failed = Outcome::Failed(Failure::Tasks);
        let of_gang = self.is_of_gang(lease.item).then(|| self.verdict(lease.item, failed, None));
        let (outcome, then) = of_gang.flatten().unwrap_or_else(|| {
            (failed, self.then(lease.item, failed, None).unwrap_or(Then::Final))
        });
        Says::Ended { outcome, then, ends }
    }

    /// What a report says, if the worker still holds that very lease (S5).
    fn judge(&self, worker: WorkerId, lease: LeaseId, event: AttemptEvent) -> Option<Says> {
        let held = self.state.lease(lease.item)?;
        if held.token != lease.token || held.worker != worker {
            return None;
        }
        let one = lease.item.item;
        Some(match event {
            AttemptEvent::Started if held.started_at.is_some() => return None,
            AttemptEvent::Started => Says::Started(IdSet::one(one.0)),
            AttemptEvent::Returned if held.started_at.is_some() => return None,
            AttemptEvent::Returned => Says::Returned(IdSet::one(one.0)),
            AttemptEvent::Checkpointed { .. } if held.started_at.is_none() => return None,
            AttemptEvent::Checkpointed { age } => {
                // Nobody saves before it starts, or less than it has saved.
                let saved_at = (self.now - age).max(held.unsaved_since());
                Says::Checkpointed(vec![(one, saved_at)])
            }
            AttemptEvent::Ended { outcome, end, retry_after, .. } => {
                let (outcome, then) = self.verdict(lease.item, outcome, retry_after)?;
                Says::Ended { outcome, then, ends: vec![(one, end)] }
            }
        })
    }

    fn close(&mut self, group: Option<Group>) {
        let Some(Group { task, says, .. }) = group else { return };
        match says {
            Says::Started(items) => self.record(Fact::AttemptsStarted { task, items }),
            Says::Checkpointed(mut saved) => {
                let held = |item: ItemId| self.state.lease(task.item(item));
                saved.retain(|&(item, at)| held(item).and_then(|it| it.saved_at) != Some(at));
                if !saved.is_empty() {
                    self.record(Fact::AttemptsCheckpointed { task, saved });
                }
            }
            Says::Returned(items) => {
                self.record_ends(task, Fact::LeasesReturned { task, items });
                self.recheck_deadlines(task.run);
            }
            Says::Ended { outcome, then, ends } => {
                let ended = AttemptsEnded { task, outcome, then, ends };
                self.record_ends(task, Fact::AttemptsEnded(Box::new(ended)));
                if then == Then::Final && outcome != Outcome::Succeeded {
                    self.task_failed(task);
                }
            }
        }
    }

    /// How the end of an attempt counts, and what follows. `asked` is how long the other side asked
    /// to be left alone.
    pub(super) fn verdict(
        &self,
        item: ItemKey,
        outcome: Outcome,
        asked: Option<Span>,
    ) -> Option<(Outcome, Then)> {
        if self.is_of_gang(item) {
            return self.verdict_of_gang(item, outcome, asked);
        }
        let left = self.after_leaving(item, outcome);
        left.or_else(|| Some((outcome, self.then(item, outcome, asked)?)))
    }

    /// What follows when an attempt of `item` ends with `outcome`. `asked` is how long the other
    /// side asked to be left alone.
    pub(super) fn then(
        &self,
        item: ItemKey,
        outcome: Outcome,
        asked: Option<Span>,
    ) -> Option<Then> {
        let run = self.state.run(item.run)?;
        let record = match run.is_gang(item.task) {
            true => run.gang_record(item.task),
            false => run.item(item.task, item.item)?,
        };
        let ending = run.status() == RunStatus::Stopping && !run.is_handler(item.task);
        let retry = &run.graph().policy(item.task).retry;
        let late = self.is_late(run, item.task);
        let hopeless =
            outcome == Outcome::Failed(Failure::OutOfMemory) && !self.can_grow(run, item, record);
        let trial = self.state.is_failed_trial(item, outcome);
        if ending || late || hopeless {
            return Some(Then::Final);
        }
        if let Some(way) = self.instead(item, (retry, outcome)) {
            return Some(Then::Instead(way));
        }
        if !may_retry(retry, (record, trial), outcome) {
            return Some(Then::Final);
        }
        let wait = match outcome {
            Outcome::Lost => RETRY_AFTER_LOSS,
            _ => backoff(retry, item, record).max(asked.unwrap_or_default().min(RETRY_AFTER_MAX)),
        };
        Some(Then::Retry { at: self.now + wait })
    }

    /// The way in which an item is tried at once, because the one that was taken could not be had.
    fn instead(
        &self,
        item: ItemKey,
        (retry, outcome): (&RetryPolicy, Outcome),
    ) -> Option<VariantId> {
        let (run, lease) = (self.state.run(item.run)?, self.state.lease(item)?);
        let class = run.class_of(item.task, item.item);
        if self.state.classes.get(class).others.is_empty() || !is_missed(retry, outcome) {
            return None;
        }
        let next = VariantId(lease.variant.0.saturating_add(1));
        self.state.open_way(class, next, self.now)
    }

    /// Whether what an attempt asks for that follows one without enough memory fits a worker. Where
    /// there is none, one may come.
    fn can_grow(&self, run: &Run, item: ItemKey, record: Item) -> bool {
        let policy = run.policy(item.task);
        let Some(growth) = policy.retry.memory else { return true };
        let classes = &self.state.classes;
        let mut asked = classes.with_alternatives(run.class(item.task)).map(|class| {
            let mut asked = classes.get(class).amounts.clone();
            let memory = &mut asked[usize::from(ResourceId::MEMORY.0)];
            *memory = growth.grown(*memory, record.grown().growths());
            asked
        });
        let workers = || self.state.workers().filter(|(_, known)| !known.gone);
        let fits = |asked: Amounts| workers().any(|(_, known)| fits(&asked, &known.capacity) > 0);
        workers().next().is_none() || asked.any(fits)
    }
}

/// Whether an item may be tried again. A trial that failed is counted as a loss, if its failures
/// are tried again at all.
fn may_retry(policy: &RetryPolicy, (item, trial): (Item, bool), outcome: Outcome) -> bool {
    match outcome {
        Outcome::Succeeded | Outcome::Cancelled | Outcome::Terminated | Outcome::Preempted => false,
        Outcome::Lost => item.losses() < policy.loss_limit,
        _ if trial => {
            policy.limit > 0 && item.losses() < policy.loss_limit && is_chosen(policy, outcome)
        }
        Outcome::TimedOut | Outcome::Failed(_) => {
            item.failures() < policy.limit && is_chosen(policy, outcome)
        }
    }
}

/// Whether such an end says that what was asked could not be had, so that another may do: no
/// answer, or that of a server that cannot serve now. What the work itself does wrong, it does
/// wrong in every way.
fn is_missed(policy: &RetryPolicy, outcome: Outcome) -> bool {
    let is_missed = match outcome {
        Outcome::TimedOut => true,
        Outcome::Failed(failure @ (Failure::Status(_) | Failure::Unreachable(_))) => {
            failure.is_transient()
        }
        _ => false,
    };
    is_missed && !policy.never.iter().any(|rule| rule.matches(outcome))
}

/// Whether the rules of a policy let a bad end be followed by a retry. What never does outdoes
/// what does; an exit code that is named, or would have to be, outdoes all other rules.
fn is_chosen(policy: &RetryPolicy, outcome: Outcome) -> bool {
    let matches = |rules: &[Rule]| rules.iter().any(|rule| rule.matches(outcome));
    if matches(&policy.never) {
        return false;
    }
    let only_codes = !policy.only_exit_codes.is_empty();
    match outcome {
        Outcome::Failed(Failure::Exit(code)) if policy.never_exit_codes.contains(&code) => false,
        Outcome::Failed(Failure::Exit(code)) if only_codes => {
            policy.only_exit_codes.contains(&code)
        }
        _ if !policy.on.is_empty() => matches(&policy.on),
        Outcome::Failed(failure) => !only_codes && failure.is_transient(),
        _ => true,
    }
}

/// The wait before the next attempt: it doubles with each failure up to its cap, and the upper half
/// of it is drawn from a hash, so that items that failed together do not come back together
/// ("equal jitter": Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
fn backoff(policy: &RetryPolicy, item: ItemKey, record: Item) -> Span {
    let doubled = 1u64.checked_shl(u32::from(record.failures())).unwrap_or(u64::MAX);
    let longest = policy.backoff.0.saturating_mul(doubled).min(policy.backoff_max.0);
    let identity = mix(item.run.0)
        ^ mix(u64::from(item.task.0) << 32 | u64::from(item.item.0))
        ^ mix(u64::from(record.attempts().0)).rotate_left(17);
    let half = longest / 2;
    Span(longest - half + mix(identity) % (half + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::status::TaskStatus;
    use model::{RunId, TaskId};

    #[test]
    fn backoff_doubles_to_its_cap_and_stays_in_the_upper_half() {
        let policy = RetryPolicy {
            backoff: Span::secs(1),
            backoff_max: Span::secs(60),
            ..RetryPolicy::default()
        };
        let mut record = Item::new(TaskStatus::Running);
        for failures in 0..80 {
            let longest = Span::secs(1u64.checked_shl(failures).map_or(60, |s| s.min(60)));
            for item in 0..50 {
                let key = ItemKey { run: RunId(1), task: TaskId(2), item: ItemId(item) };
                let wait = backoff(&policy, key, record);
                assert!(wait <= longest && wait.0 >= longest.0 / 2, "{failures}: {wait}");
            }
            record = record.failed();
        }
    }

    #[test]
    fn exit_codes_choose() {
        let policy = RetryPolicy {
            limit: 1,
            only_exit_codes: [3, 4].into(),
            never_exit_codes: [4].into(),
            ..RetryPolicy::default()
        };
        let record = Item::new(TaskStatus::Running);
        let retried = [3, 4, 5]
            .map(|c| may_retry(&policy, (record, false), Outcome::Failed(Failure::Exit(c))));
        assert_eq!(retried, [true, false, false]);
        assert!(!may_retry(&policy, (record.failed(), false), Outcome::Failed(Failure::Exit(3))));
        assert!(may_retry(&policy, (record.failed(), false), Outcome::Lost));
    }

    #[test]
    fn rules_choose() {
        let retried = |on: &[Rule], never: &[Rule], only: &[i32]| {
            let policy = RetryPolicy {
                limit: 1,
                on: on.into(),
                never: never.into(),
                only_exit_codes: only.into(),
                ..RetryPolicy::default()
            };
            let ends = [
                Outcome::TimedOut,
                Outcome::Failed(Failure::Exit(3)),
                Outcome::Failed(Failure::Exit(4)),
                Outcome::Failed(Failure::Status(503)),
                Outcome::Failed(Failure::Answer),
            ];
            ends.map(|end| may_retry(&policy, (Item::new(TaskStatus::Running), false), end))
        };
        assert_eq!(retried(&[], &[], &[]), [true, true, true, true, false]);
        assert_eq!(retried(&[Rule::TimeOut], &[], &[]), [true, false, false, false, false]);
        assert_eq!(retried(&[Rule::Any], &[Rule::Exit], &[]), [true, false, false, true, true]);
        // A code that is named is retried besides what the rules name; others are not.
        assert_eq!(retried(&[Rule::Transient], &[], &[3]), [true, true, false, true, false]);
        assert_eq!(retried(&[Rule::Answer], &[], &[3]), [false, true, false, false, true]);
        assert_eq!(retried(&[], &[], &[3]), [true, true, false, false, false]);
    }
}
