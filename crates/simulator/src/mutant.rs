//! Planted faults: small wrongs at the seams of the product, each of which the simulator must find.
//!
//! A simulator that finds nothing proves nothing until it has found these. They live here and not
//! in the product: each perturbs what goes into a part or comes out of it, as the named mistake
//! would.

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// Always found, whatever the seed: a failure that is recorded as a success.
    Canary,
    /// Results are taken for the live lease of their item, whatever token they carry.
    NoTokenFence,
    /// Workers never notice that their leases are over.
    WorkerLeaseNeverExpires,
    /// The coordinator never notices that a worker is gone.
    ServerLeaseNeverExpires,
    /// A worker that says hello again has forgotten its leases, but not killed their processes.
    HelloForgetsLeases,
    /// Effects leave at once, before what they rest on is durable.
    EffectsBeforeDurable,
    /// Submissions lose their idempotency key.
    NoIdempotency,
    /// The journal takes what any leader writes.
    NoJournalFence,
    /// Commits are acknowledged without an fsync.
    NoSync,
    /// Something is applied to the live state that is in no journal.
    StateOutsideApply,
    /// Workers start whatever they are given, whether there is room or not.
    NoRoomCheck,
    /// Every answer is recorded twice.
    AnsweredTwice,
    /// What an evaluator was asked by a leader that is gone is answered to the next.
    AnswersOutliveLeader,
    /// A new leader does not ask again what the one before had asked.
    NotAskedAgain,
    /// Loops run on after their last turn.
    TurnsWithoutEnd,
    /// Every edge waits for success.
    ConditionsIgnored,
    /// A join that needs one edge needs all.
    AnyNeedsAll,
    /// Waits are half as long as they should be.
    WaitEndsEarly,
    /// The timer of a wait stays when its run is stopped, and fires.
    WaitTimerStays,
    /// What was done is undone in the order in which it was done.
    UndoneForwards,
    /// Nobody counts how many items of a task are leased.
    NoTaskLimit,
    /// Nobody counts who holds a lock.
    NoLocks,
    /// Nobody counts what is spent of a budget.
    NoBudgets,
    /// Nobody looks at the times by which tasks must have ended.
    NoDeadlines,
    /// What an attempt wrote gets lost, and it has succeeded all the same.
    TasksLost,
    /// An edit that must be refused is made.
    BegunEdited,
    /// An edit of a graph that the run does not have any more is made.
    OutdatedEdits,
    /// A mark that must be refused is made.
    BegunMarked,
    /// A fork forgets what was done.
    ForkForgets,
    /// All items run again when some of them are to.
    ItemsAllAgain,
    /// Nobody counts the failures of what all depend on.
    NoBreakers,
    /// What attempts spend is never set right.
    NotSettled,
    /// All is tried again that may pass by itself, whatever the rules say.
    RulesIgnored,
    /// How long the other side asks to be left alone gets lost.
    WaitNotKept,
    /// What attempts cost gets lost.
    CostLost,
    /// A run goes on that has cost as much as it may.
    ResumedAtLimit,
    /// Every attempt asks for as much memory as the first.
    NoGrowth,
    /// There is only the first way to do anything.
    OneWay,
    /// What could not be had in the first way is asked for in the same way once more.
    FirstWayTwice,
    /// What is asked for of devices is counted for a quarter of what it is.
    DeviceGivenTwice,
    /// A part of a device is pieced together from two.
    FractionAcross,
    /// Nobody looks whether a worker has the labels that a task selects.
    LabelsIgnored,
    /// Items that are to be together go wherever there is room.
    NotTogether,
    /// Who asks about the past is not told of the workers that there were.
    PastWithoutWorkers,
    /// What had to make room is counted as a failure.
    PreemptionCosts,
    /// The place of what is to make room is free before it has left.
    PreemptedAtOnce,
    /// Nobody looks at the limits of queues.
    NoQuotas,
    /// What queues are guaranteed is known of one alone.
    GuaranteesForgotten,
    /// Whatever alternative is taken, what is given is what the task itself asks for.
    AlternativesForgotten,
    /// Nobody keeps room for critical work.
    LaneForgotten,
    /// Nothing is urgent: so what something urgent waits for is not, either.
    NothingInherited,
    /// Nobody is ever let forward, however long it waits.
    EndlessPatience,
    /// The members of gangs begin one by one, and succeed so.
    OneByOne,
}

impl Mutant {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Canary,
        Self::NoTokenFence,
        Self::WorkerLeaseNeverExpires,
        Self::ServerLeaseNeverExpires,
        Self::HelloForgetsLeases,
        Self::EffectsBeforeDurable,
        Self::NoIdempotency,
        Self::NoJournalFence,
        Self::NoSync,
        Self::StateOutsideApply,
        Self::NoRoomCheck,
        Self::AnsweredTwice,
        Self::AnswersOutliveLeader,
        Self::NotAskedAgain,
        Self::TurnsWithoutEnd,
        Self::ConditionsIgnored,
        Self::AnyNeedsAll,
        Self::WaitEndsEarly,
        Self::WaitTimerStays,
        Self::UndoneForwards,
        Self::NoTaskLimit,
        Self::NoLocks,
        Self::NoBudgets,
        Self::NoDeadlines,
        Self::TasksLost,
        Self::BegunEdited,
        Self::OutdatedEdits,
        Self::BegunMarked,
        Self::ForkForgets,
        Self::ItemsAllAgain,
        Self::NoBreakers,
        Self::NotSettled,
        Self::RulesIgnored,
        Self::WaitNotKept,
        Self::CostLost,
        Self::ResumedAtLimit,
        Self::NoGrowth,
        Self::OneWay,
        Self::FirstWayTwice,
        Self::DeviceGivenTwice,
        Self::FractionAcross,
        Self::LabelsIgnored,
        Self::NotTogether,
        Self::PastWithoutWorkers,
        Self::PreemptionCosts,
        Self::PreemptedAtOnce,
        Self::NoQuotas,
        Self::GuaranteesForgotten,
        Self::AlternativesForgotten,
        Self::LaneForgotten,
        Self::NothingInherited,
        Self::EndlessPatience,
        Self::OneByOne,
    ];

    /// How it is named on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::NoTokenFence => "no-token-fence",
            Self::WorkerLeaseNeverExpires => "worker-lease-never-expires",
            Self::ServerLeaseNeverExpires => "server-lease-never-expires",
            Self::HelloForgetsLeases => "hello-forgets-leases",
            Self::EffectsBeforeDurable => "effects-before-durable",
            Self::NoIdempotency => "no-idempotency",
            Self::NoJournalFence => "no-journal-fence",
            Self::NoSync => "no-sync",
            Self::StateOutsideApply => "state-outside-apply",
            Self::NoRoomCheck => "no-room-check",
            Self::AnsweredTwice => "answered-twice",
            Self::AnswersOutliveLeader => "answers-outlive-leader",
            Self::NotAskedAgain => "not-asked-again",
            Self::TurnsWithoutEnd => "turns-without-end",
            Self::ConditionsIgnored => "conditions-ignored",
            Self::AnyNeedsAll => "any-needs-all",
            Self::WaitEndsEarly => "wait-ends-early",
            Self::WaitTimerStays => "wait-timer-stays",
            Self::UndoneForwards => "undone-forwards",
            Self::NoTaskLimit => "no-task-limit",
            Self::NoLocks => "no-locks",
            Self::NoBudgets => "no-budgets",
            Self::NoDeadlines => "no-deadlines",
            Self::TasksLost => "tasks-lost",
            Self::BegunEdited => "begun-edited",
            Self::OutdatedEdits => "outdated-edits",
            Self::BegunMarked => "begun-marked",
            Self::ForkForgets => "fork-forgets",
            Self::ItemsAllAgain => "items-all-again",
            Self::NoBreakers => "no-breakers",
            Self::NotSettled => "not-settled",
            Self::RulesIgnored => "rules-ignored",
            Self::WaitNotKept => "wait-not-kept",
            Self::CostLost => "cost-lost",
            Self::ResumedAtLimit => "resumed-at-limit",
            Self::NoGrowth => "no-growth",
            Self::OneWay => "one-way",
            Self::FirstWayTwice => "first-way-twice",
            Self::DeviceGivenTwice => "device-given-twice",
            Self::FractionAcross => "fraction-across",
            Self::LabelsIgnored => "labels-ignored",
            Self::NotTogether => "not-together",
            Self::PastWithoutWorkers => "past-without-workers",
            Self::PreemptionCosts => "preemption-costs",
            Self::PreemptedAtOnce => "preempted-at-once",
            Self::NoQuotas => "no-quotas",
            Self::GuaranteesForgotten => "guarantees-forgotten",
            Self::AlternativesForgotten => "alternatives-forgotten",
            Self::LaneForgotten => "lane-forgotten",
            Self::NothingInherited => "nothing-inherited",
            Self::EndlessPatience => "endless-patience",
            Self::OneByOne => "one-by-one",
        }
    }
}
