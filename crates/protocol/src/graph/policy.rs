//! The policies of a graph, there and back. Whatever is as it mostly is costs nothing.

mod constraints;
mod rule;
mod shared;

use model::control::{Join, Kind};
use model::policy::{Alternative, Policy, RetryPolicy, Trigger, Variant};
use model::shared::{Deadline, Shared};
use model::{Constraints, Span, TaskId, Timestamp};
use prost::Message;

use super::{ALTERNATIVES, CALLS, CONTROL, DEVICES, PLACES, PLAIN, SHARED, WAYS};
use crate::amounts::Amounts;
use crate::error::DecodeError;
use crate::noun::{Nothing, Numbered, narrow, read_priority, required};
use constraints::ConstraintsForm;
use rule::{GrowthForm, RuleForm};
use shared::{BreakerForm, LockForm, SpendingForm};

#[derive(Clone, PartialEq, Message)]
pub(super) struct PolicyForm {
    #[prost(message, optional, tag = "1")]
    request: Option<Amounts>,
    #[prost(uint32, tag = "2")]
    retry_limit: u32,
    #[prost(uint32, tag = "3")]
    loss_limit: u32,
    #[prost(uint64, tag = "4")]
    backoff_us: u64,
    #[prost(uint64, tag = "5")]
    backoff_max_us: u64,
    #[prost(sint32, repeated, tag = "6")]
    only_exit_codes: Vec<i32>,
    #[prost(sint32, repeated, tag = "7")]
    never_exit_codes: Vec<i32>,
    #[prost(uint64, optional, tag = "8")]
    timeout_us: Option<u64>,
    #[prost(uint64, tag = "9")]
    grace_us: u64,
    #[prost(uint32, tag = "10")]
    priority: u32,
    #[prost(uint32, tag = "11")]
    trigger: u32,
    /// The task that a compensation undoes.
    #[prost(uint32, tag = "12")]
    undoes: u32,
    /// Absent for work, which workers run.
    #[prost(oneof = "KindForm", tags = "13, 14, 15, 16")]
    kind: Option<KindForm>,
    /// 0 when all edges must be met.
    #[prost(uint32, tag = "17")]
    join: u32,
    /// How many edges are enough, where that is said.
    #[prost(uint32, tag = "18")]
    join_count: u32,
    #[prost(bool, tag = "19")]
    asks: bool,
    /// 0 when the run says it.
    #[prost(uint32, tag = "20")]
    failure: u32,
    #[prost(uint32, optional, tag = "21")]
    concurrency: Option<u32>,
    #[prost(message, repeated, tag = "22")]
    locks: Vec<LockForm>,
    #[prost(message, repeated, tag = "23")]
    budgets: Vec<SpendingForm>,
    #[prost(oneof = "DeadlineForm", tags = "24, 25")]
    deadline: Option<DeadlineForm>,
    #[prost(message, repeated, tag = "26")]
    retry_on: Vec<RuleForm>,
    #[prost(message, repeated, tag = "27")]
    retry_never: Vec<RuleForm>,
    #[prost(message, optional, tag = "28")]
    memory: Option<GrowthForm>,
    #[prost(message, repeated, tag = "29")]
    breakers: Vec<BreakerForm>,
    /// The further ways to do the same work.
    #[prost(message, repeated, tag = "30")]
    others: Vec<VariantForm>,
    #[prost(uint64, optional, tag = "31")]
    expected_us: Option<u64>,
    #[prost(message, optional, boxed, tag = "32")]
    constraints: Option<Box<ConstraintsForm>>,
    #[prost(bool, tag = "33")]
    preemptible: bool,
    #[prost(uint64, tag = "34")]
    restart_cost_us: u64,
    /// Other requests with which the same can be done.
    #[prost(message, repeated, tag = "35")]
    alternatives: Vec<AlternativeForm>,
    #[prost(bool, tag = "36")]
    critical: bool,
    #[prost(bool, tag = "37")]
    gang: bool,
}

/// Another request with which the work can be done.
#[derive(Clone, PartialEq, Message)]
struct AlternativeForm {
    #[prost(message, optional, tag = "1")]
    request: Option<Amounts>,
    #[prost(uint64, optional, tag = "2")]
    expected_us: Option<u64>,
}

/// Another way to do the work.
#[derive(Clone, PartialEq, Message)]
struct VariantForm {
    #[prost(message, optional, tag = "1")]
    request: Option<Amounts>,
    #[prost(message, repeated, tag = "2")]
    locks: Vec<LockForm>,
    #[prost(message, repeated, tag = "3")]
    budgets: Vec<SpendingForm>,
    #[prost(message, repeated, tag = "4")]
    breakers: Vec<BreakerForm>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum DeadlineForm {
    /// Microseconds from the run's admission.
    #[prost(uint64, tag = "24")]
    After(u64),
    /// A time, in microseconds.
    #[prost(uint64, tag = "25")]
    At(u64),
}

/// What a task can be besides work.
#[derive(Clone, PartialEq, prost::Oneof)]
enum KindForm {
    #[prost(message, tag = "13")]
    Decision(Nothing),
    #[prost(message, tag = "14")]
    Loop(LoopForm),
    /// How long a timer waits, in microseconds.
    #[prost(uint64, tag = "15")]
    Timer(u64),
    #[prost(message, tag = "16")]
    Signal(SignalForm),
}

#[derive(Clone, PartialEq, Message)]
struct LoopForm {
    #[prost(uint32, tag = "1")]
    first: u32,
    #[prost(uint32, tag = "2")]
    turns_max: u32,
}

#[derive(Clone, PartialEq, Message)]
struct SignalForm {
    #[prost(uint64, optional, tag = "1")]
    timeout_us: Option<u64>,
    #[prost(uint32, tag = "2")]
    otherwise: u32,
}

impl PolicyForm {
    /// The first layout of graphs that can say all of it.
    pub(super) fn layout(&self) -> u32 {
        if self.critical || self.gang || !self.alternatives.is_empty() {
            return ALTERNATIVES;
        }
        let is_shared = !self.locks.is_empty() || !self.budgets.is_empty();
        if self.constraints.is_some() || self.preemptible || self.restart_cost_us > 0 {
            return PLACES;
        }
        if self.expected_us.is_some() || self.has_devices() {
            return DEVICES;
        }
        if !self.others.is_empty() {
            return WAYS;
        }
        if self.is_of_calls() {
            return CALLS;
        }
        match (self.is_plain(), is_shared || self.deadline.is_some()) {
            (true, false) => PLAIN,
            (false, false) => CONTROL,
            (_, true) => SHARED,
        }
    }

    /// Whether it asks for devices, in some way.
    fn has_devices(&self) -> bool {
        let others = self.others.iter().filter_map(|other| other.request.as_ref());
        self.request.iter().chain(others).any(Amounts::has_devices)
    }

    /// Whether only the fourth layout can say all of it.
    fn is_of_calls(&self) -> bool {
        !self.retry_on.is_empty()
            || !self.retry_never.is_empty()
            || self.memory.is_some()
            || !self.breakers.is_empty()
            || self.budgets.iter().any(SpendingForm::settles)
    }

    /// Whether the first layout can say all that the second can.
    fn is_plain(&self) -> bool {
        self.kind.is_none()
            && self.join == JOIN_ALL
            && !self.asks
            && self.failure == 0
            && self.concurrency.is_none()
            && self.trigger <= TRIGGER_EXIT
    }
}

/// The stored form of a policy.
pub(super) fn write(policy: &Policy) -> PolicyForm {
    let (trigger, undoes) = write_trigger(policy.trigger);
    let (join, join_count) = write_join(policy.join);
    PolicyForm {
        request: Some((&policy.request).into()),
        retry_limit: policy.retry.limit.into(),
        loss_limit: policy.retry.loss_limit.into(),
        backoff_us: policy.retry.backoff.0,
        backoff_max_us: policy.retry.backoff_max.0,
        only_exit_codes: policy.retry.only_exit_codes.to_vec(),
        never_exit_codes: policy.retry.never_exit_codes.to_vec(),
        timeout_us: policy.timeout.map(|timeout| timeout.0),
        grace_us: policy.grace.0,
        priority: policy.priority.0.into(),
        trigger,
        undoes,
        kind: write_kind(policy.kind),
        join,
        join_count,
        asks: policy.asks,
        failure: policy.failure.map_or(0, Numbered::number),
        concurrency: policy.concurrency,
        locks: policy.shared.locks.iter().map(shared::write_lock).collect(),
        budgets: policy.shared.budgets.iter().map(shared::write_spending).collect(),
        deadline: policy.deadline.map(write_deadline),
        retry_on: policy.retry.on.iter().map(|&it| rule::write(it)).collect(),
        retry_never: policy.retry.never.iter().map(|&it| rule::write(it)).collect(),
        memory: policy.retry.memory.map(rule::write_growth),
        breakers: policy.shared.breakers.iter().map(shared::write_breaker).collect(),
        others: policy.others.iter().map(write_variant).collect(),
        expected_us: policy.expected.map(|expected| expected.0),
        constraints: (!policy.constraints.is_empty())
            .then(|| Box::new(constraints::write(&policy.constraints))),
        preemptible: policy.preemptible,
        restart_cost_us: policy.restart_cost.0,
        alternatives: policy.alternatives.iter().map(write_alternative).collect(),
        critical: policy.critical,
        gang: policy.gang,
    }
}

fn write_variant(variant: &Variant) -> VariantForm {
    VariantForm {
        request: Some((&variant.request).into()),
        locks: variant.shared.locks.iter().map(shared::write_lock).collect(),
        budgets: variant.shared.budgets.iter().map(shared::write_spending).collect(),
        breakers: variant.shared.breakers.iter().map(shared::write_breaker).collect(),
    }
}

fn write_alternative(alternative: &Alternative) -> AlternativeForm {
    AlternativeForm {
        request: Some((&alternative.request).into()),
        expected_us: alternative.expected.map(|expected| expected.0),
    }
}

fn read_alternative(form: AlternativeForm) -> Result<Alternative, DecodeError> {
    let request = required("a request", form.request)?.try_into()?;
    Ok(Alternative { request, expected: form.expected_us.map(Span) })
}

fn read_variant(form: VariantForm) -> Result<Variant, DecodeError> {
    let request = required("a request", form.request)?.try_into()?;
    Ok(Variant { request, shared: read_shared(form.locks, form.budgets, form.breakers)? })
}

fn read_shared(
    locks: Vec<LockForm>,
    budgets: Vec<SpendingForm>,
    breakers: Vec<BreakerForm>,
) -> Result<Shared, DecodeError> {
    Ok(Shared {
        locks: all(locks, shared::read_lock)?,
        budgets: all(budgets, shared::read_spending)?,
        breakers: all(breakers, shared::read_breaker)?,
    })
}

/// The policy of a stored form.
pub(super) fn read(form: PolicyForm) -> Result<Policy, DecodeError> {
    Ok(Policy {
        request: required("a request", form.request)?.try_into()?,
        retry: RetryPolicy {
            limit: narrow("retry limit", form.retry_limit)?,
            loss_limit: narrow("loss limit", form.loss_limit)?,
            backoff: Span(form.backoff_us),
            backoff_max: Span(form.backoff_max_us),
            only_exit_codes: form.only_exit_codes.into(),
            never_exit_codes: form.never_exit_codes.into(),
            on: all(form.retry_on, rule::read)?,
            never: all(form.retry_never, rule::read)?,
            memory: form.memory.map(rule::read_growth).transpose()?,
        },
        expected: form.expected_us.map(Span),
        timeout: form.timeout_us.map(Span),
        grace: Span(form.grace_us),
        preemptible: form.preemptible,
        restart_cost: Span(form.restart_cost_us),
        priority: read_priority(form.priority)?,
        trigger: read_trigger(form.trigger, form.undoes)?,
        kind: form.kind.map_or(Ok(Kind::Work), read_kind)?,
        join: read_join(form.join, form.join_count)?,
        asks: form.asks,
        failure: match form.failure {
            0 => None,
            number => Some(Numbered::from_number(number)?),
        },
        concurrency: form.concurrency,
        gang: form.gang,
        shared: read_shared(form.locks, form.budgets, form.breakers)?,
        constraints: match form.constraints {
            None => Constraints::default(),
            Some(form) => constraints::read(*form)?,
        },
        deadline: form.deadline.map(read_deadline),
        others: all(form.others, read_variant)?,
        alternatives: all(form.alternatives, read_alternative)?,
        critical: form.critical,
    })
}

/// Reads each of a list.
fn all<F, T>(
    forms: Vec<F>,
    read: impl Fn(F) -> Result<T, DecodeError>,
) -> Result<Box<[T]>, DecodeError> {
    forms.into_iter().map(read).collect()
}

const fn write_deadline(deadline: Deadline) -> DeadlineForm {
    match deadline {
        Deadline::After(span) => DeadlineForm::After(span.0),
        Deadline::At(at) => DeadlineForm::At(at.0),
    }
}

const fn read_deadline(form: DeadlineForm) -> Deadline {
    match form {
        DeadlineForm::After(span) => Deadline::After(Span(span)),
        DeadlineForm::At(at) => Deadline::At(Timestamp(at)),
    }
}

/// The last of the triggers that the first layout of graphs has.
const TRIGGER_EXIT: u32 = 5;

/// A trigger as its number and the task that it names, if it names one.
const fn write_trigger(trigger: Trigger) -> (u32, u32) {
    match trigger {
        Trigger::Dependencies => (1, 0),
        Trigger::Success => (2, 0),
        Trigger::Failure => (3, 0),
        Trigger::Cancel => (4, 0),
        Trigger::Exit => (TRIGGER_EXIT, 0),
        Trigger::Compensation { of } => (6, of.0),
        Trigger::Finally => (7, 0),
    }
}

const fn read_trigger(number: u32, undoes: u32) -> Result<Trigger, DecodeError> {
    Ok(match number {
        1 => Trigger::Dependencies,
        2 => Trigger::Success,
        3 => Trigger::Failure,
        4 => Trigger::Cancel,
        TRIGGER_EXIT => Trigger::Exit,
        6 => Trigger::Compensation { of: TaskId(undoes) },
        7 => Trigger::Finally,
        _ => return Err(DecodeError::Number { what: "trigger", number: number as u64 }),
    })
}

const JOIN_ALL: u32 = 0;

/// A join as its number and the count that it names, if it names one.
const fn write_join(join: Join) -> (u32, u32) {
    match join {
        Join::All => (JOIN_ALL, 0),
        Join::Any => (1, 0),
        Join::AtLeast(count) => (2, count),
        Join::AllDone => (3, 0),
    }
}

const fn read_join(number: u32, count: u32) -> Result<Join, DecodeError> {
    Ok(match number {
        JOIN_ALL => Join::All,
        1 => Join::Any,
        2 => Join::AtLeast(count),
        3 => Join::AllDone,
        _ => return Err(DecodeError::Number { what: "join", number: number as u64 }),
    })
}

fn write_kind(kind: Kind) -> Option<KindForm> {
    Some(match kind {
        Kind::Work => return None,
        Kind::Decision => KindForm::Decision(Nothing {}),
        Kind::Loop { first, turns_max } => {
            KindForm::Loop(LoopForm { first: first.0, turns_max: turns_max.into() })
        }
        Kind::Timer { wait } => KindForm::Timer(wait.0),
        Kind::Signal { timeout, otherwise } => KindForm::Signal(SignalForm {
            timeout_us: timeout.map(|timeout| timeout.0),
            otherwise: otherwise.number(),
        }),
    })
}

fn read_kind(form: KindForm) -> Result<Kind, DecodeError> {
    Ok(match form {
        KindForm::Decision(_) => Kind::Decision,
        KindForm::Loop(form) => Kind::Loop {
            first: TaskId(form.first),
            turns_max: narrow("number of turns", form.turns_max)?,
        },
        KindForm::Timer(wait) => Kind::Timer { wait: Span(wait) },
        KindForm::Signal(form) => Kind::Signal {
            timeout: form.timeout_us.map(Span),
            otherwise: Numbered::from_number(form.otherwise)?,
        },
    })
}
