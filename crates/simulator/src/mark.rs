//! Marks: situations that the simulation must reach, or it proves less than it seems to.
//!
//! Each is hit where the world *observes* it, so that the product carries no instrumentation. A
//! mark that no seed of a long enough batch hits fails the batch.

macro_rules! define_marks {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A situation worth reaching.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mark { $($(#[$doc])* $name,)* }

        impl Mark {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// How it reads in a summary.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

define_marks!(
    /// An attempt failed and was tried again.
    Retried = "retried after a failure",
    /// An attempt was lost with its worker and tried again.
    RetriedAfterLoss = "retried after a loss",
    /// An item had no attempts left.
    OutOfRetries = "out of retries",
    /// An attempt ran too long and was told to end.
    Overran = "ran for too long",
    /// An attempt that was told to end succeeded all the same.
    SucceededLate = "succeeded after it was told to end",
    /// A worker gave a lease back unstarted.
    Returned = "lease returned unstarted",
    /// A worker's leases expired.
    Expired = "leases expired",
    /// A node registered anew.
    Replaced = "node registered anew",
    /// A worker in the leader's process died with it.
    DiedWithLeader = "worker died with its leader",
    /// A worker killed a process because its lease was over.
    Revoked = "process killed with its revoked lease",
    /// A process was alive while its worker slept, past the end of its lease.
    Zombie = "process outlived its lease while its worker slept",
    /// A result was refused because its lease was over.
    Refused = "stale result refused",
    /// A new leader took over attempts that were running.
    Adopted = "running attempts adopted by a new leader",
    /// A run ended because of its time limit.
    RunTimedOut = "run timed out",
    /// A run stopped because a task failed.
    FailedFast = "failed fast",
    /// A run was stopped by a person.
    Stopped = "run stopped",
    /// A run was terminated by a person.
    Terminated = "run terminated",
    /// An ended run was retried by a person.
    Reopened = "run retried by hand",
    /// Handlers ran.
    Handled = "handlers released",
    /// Tasks were skipped.
    Skipped = "tasks skipped",
    /// A submission was answered with an earlier run.
    Again = "submission answered with the run of its key",
    /// A fact named many items.
    ManyItems = "one fact for many items",
    /// A run was held back by its concurrency.
    Concurrency = "run at its concurrency limit",
    /// The coordinator died between deciding and writing.
    CrashDecided = "crash: decided, not written",
    /// The coordinator died between writing and the acknowledgement.
    CrashAppended = "crash: written, not acknowledged",
    /// The coordinator died between the acknowledgement and its effects.
    CrashAcknowledged = "crash: acknowledged, no effect left",
    /// The coordinator died amid its effects.
    CrashEffects = "crash: half of the effects left",
    /// A crash lost what was not synced.
    TailLost = "unsynced tail lost",
    /// A crash left a torn frame.
    TailTorn = "torn tail",
    /// A commit failed in its fsync.
    SyncFailed = "fsync failed",
    /// A commit met a full disk.
    DiskFull = "disk full",
    /// The outcome of a commit was unknown, and it was there.
    UnknownThere = "unknown outcome: it was there",
    /// The outcome of a commit was unknown, and it was absent.
    UnknownAbsent = "unknown outcome: it was absent",
    /// A deposed leader tried to write.
    Fenced = "deposed leader fenced",
    /// The engine was rebuilt from a snapshot and the facts after it.
    Snapshot = "recovered from a snapshot",
    /// A question was answered.
    Answered = "question answered",
    /// A question was asked again by a new leader.
    AskedAgain = "question asked again by a new leader",
    /// An answer came when nobody asked any more.
    AnsweredLate = "late answer dropped",
    /// A leader was gone before its evaluator had answered.
    AnswerDied = "answer died with its leader",
    /// A condition did not hold.
    ConditionFalse = "condition false: skipped",
    /// An answer could not be worked out.
    Unanswerable = "question without an answer",
    /// The outputs of a task were known already.
    Cached = "task cached",
    /// Items were worked out late.
    FannedOut = "fan-out worked out late",
    /// There were none.
    FannedOutEmpty = "late fan-out without items",
    /// A decision took a route.
    Routed = "route taken",
    /// A task was skipped because the decision before it took another route.
    RouteNotTaken = "skipped: another route was taken",
    /// A join was met while tasks before it had not ended.
    JoinedEarly = "join met before all have ended",
    /// A join that needs only the end of all was met though some ended otherwise.
    JoinedAfterTrouble = "join met by ends that were no successes",
    /// A join that needs some could not be met any more.
    JoinImpossible = "join of some impossible: skipped",
    /// The body of a loop ran again.
    LoopTurned = "loop turned",
    /// A loop was done.
    LoopDone = "loop done",
    /// A loop had all its turns.
    TurnsUsedUp = "loop without turns left",
    /// The body of a loop went wrong.
    BodySpoilt = "loop failed with its body",
    /// A waiting time ended.
    TimerElapsed = "waiting time over",
    /// A waiting time was given by an answer.
    TimedByAnswer = "waiting time given by an answer",
    /// A wait ended with a yes.
    Approved = "wait approved",
    /// A wait ended with a no.
    Rejected = "wait rejected",
    /// Nobody said anything in time.
    WaitExpired = "wait expired",
    /// A wait ended with its run.
    WaitStopped = "wait ended with its run",
    /// Somebody settled a task that did not wait.
    NotWaiting = "settled while it does not wait: refused",
    /// Somebody settled a task that never waits.
    NothingToSay = "settled what never waits: refused",
    /// A task was undone.
    Undone = "task undone",
    /// What was undone ran again.
    Redone = "what was undone runs again",
    /// What comes last ran.
    Finally = "final task ran",
    /// A run succeeded with a failed task on which an edge counts.
    FailureExpected = "run succeeded with an expected failure",
    /// A task failed and says itself that the others go on.
    FailureSpared = "failure spared by the task's own policy",
    /// A task had as many items leased as it may.
    TaskConcurrency = "task at its concurrency limit",
    /// Tasks that an attempt wrote became tasks of its run.
    Generated = "tasks written by an attempt",
    /// A task that an attempt had written wrote tasks itself.
    GeneratedDeep = "tasks written by a written task",
    /// What an attempt wrote was refused.
    NotGenerated = "written tasks refused",
    /// A later round wrote what is there already.
    WrittenAgain = "the same tasks written again",
    /// What an attempt wrote was admitted or refused under a later leader than it began under.
    GeneratedElsewhere = "written tasks admitted by a later leader",
    /// A task waits for one that was written.
    GeneratedBetween = "an older task waits for a written one",
    /// A person changed a run's settings.
    EditedSettings = "run's settings edited",
    /// A person changed a run's graph.
    EditedGraph = "run's graph edited",
    /// An edit would have changed what had begun.
    EditBegun = "edit refused: begun",
    /// An edit was made for a graph that the run did not have any more.
    EditOutdated = "edit refused: outdated",
    /// An edit did not fit.
    EditUnfit = "edit refused: unfit",
    /// An edit came too late.
    EditEnded = "edit refused: run ended",
    /// A task was held to have ended.
    MarkedTask = "task marked",
    /// A task that waited for others was held to have ended.
    MarkedPending = "pending task marked",
    /// Items were held to have ended.
    MarkedItems = "items marked",
    /// A task was held to have failed.
    MarkedFailed = "task marked as failed",
    /// A mark was refused because the task had begun.
    MarkBegun = "mark refused: begun",
    /// A mark was refused because it does not fit.
    MarkUnfit = "mark refused: unfit",
    /// Items were done before.
    CachedItems = "items cached",
    /// A run brought along what was done in another.
    Forked = "run forked",
    /// It brought along a list that was worked out late.
    ForkedFanOut = "fork brought a late fan-out along",
    /// It brought along a route.
    ForkedRoute = "fork brought a route along",
    /// Items ran again.
    ItemsAgain = "items retried by hand",
    /// An item waited because others held its lock.
    LockFull = "lock at its limit",
    /// Two who see different limits held a lock.
    LockMixed = "lock held under different limits",
    /// A lock was held by a worker that was lost.
    LockLost = "lock freed by a loss",
    /// A budget was spent.
    BudgetSpent = "budget used up",
    /// What waited has run out of time.
    DeadlineWaiting = "deadline passed while it waited",
    /// What ran has run out of time.
    DeadlineRunning = "deadline passed while it ran",
    /// A run was opened anew when a deadline had passed.
    DeadlineAgain = "deadline passed in a later round",
    /// A breaker opened.
    BreakerOpened = "breaker opened",
    /// An attempt tried whether a breaker may close.
    BreakerTried = "breaker tried",
    /// A trial closed a breaker.
    BreakerClosed = "breaker closed by a trial",
    /// A trial failed.
    TrialFailed = "trial of a breaker failed",
    /// A trial ended in a way that says nothing.
    TrialLost = "trial of a breaker said nothing",
    /// An attempt spent less than was reserved for it.
    SettledBack = "budget given back",
    /// An attempt spent more than was reserved for it.
    SettledDebt = "budget in debt",
    /// A retry waited because it was asked to.
    WaitAsked = "retry waited as it was asked",
    /// A rule kept a failure that may pass from being tried again.
    RefusedByRule = "not tried again by a rule",
    /// A rule let a failure be tried again that would not pass by itself.
    AllowedByRule = "tried again by a rule",
    /// A person paused a run.
    PausedByHand = "run paused by hand",
    /// A run paused because of what it had cost.
    PausedByCost = "run paused at its cost limit",
    /// A paused run ended with the last that ran.
    PausedAtEnd = "paused run ended",
    /// A paused run went on.
    Resumed = "run resumed",
    /// A run could not go on because of what it had cost.
    ResumeRefused = "resume refused: cost limit",
    /// An attempt asked for more memory than the one before.
    Grown = "attempt with more memory",
    /// An attempt failed, and another way was tried at once.
    Instead = "tried in another way instead",
    /// Nothing had failed yet, and the first way was closed.
    OtherWay = "begun in another way",
    /// Work was done with other amounts than it says first.
    OtherAmounts = "begun with other amounts",
    /// Critical work began where room is kept for it.
    InLane = "begun in the room that is kept",
    /// An attempt was given devices that nobody else had.
    FreeDevice = "device given",
    /// An attempt was told of that had saved its work.
    Checkpointed = "checkpoint told",
    /// An attempt made room for others.
    Preempted = "attempt preempted",
    /// A queue had all that it may have.
    QueueFull = "queue at its limit",
    /// Room was taken back by a plan.
    TakenBack = "room taken back",
    /// An attempt that was to make room succeeded all the same.
    SucceededLeaving = "preempted attempt succeeded all the same",
    /// An attempt that was to make room was lost.
    LostLeaving = "preempted attempt lost",
    /// A device was shared.
    SharedDevice = "device shared",
    /// An attempt went where its labels are, and not to a worker that lacks them.
    Selected = "labels selected",
    /// An attempt went to a worker with a taint.
    Tolerated = "taint tolerated",
    /// An item went where others of its task are.
    Together = "items together",
    /// A gang began.
    GangBegun = "gang begun",
    /// A gang began on several workers.
    GangApart = "gang begun on several workers",
    /// A gang ended because of one of its members, and another had done its work.
    GangInVain = "gang ended of which a member had done its work",
    /// A gang succeeded.
    GangDone = "gang done",
    /// A wait was explained from facts alone.
    ExplainedThen = "wait explained from facts",
);

/// How often each mark was hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    counts: Vec<u64>,
}

impl Default for Marks {
    fn default() -> Self {
        Self { counts: vec![0; Mark::ALL.len()] }
    }
}

impl Marks {
    /// Counts a mark.
    pub fn hit(&mut self, mark: Mark) {
        self.counts[mark as usize] += 1;
    }

    /// Adds another simulation's marks.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
    }

    /// How often a mark was hit.
    #[must_use]
    pub fn count(&self, mark: Mark) -> u64 {
        self.counts[mark as usize]
    }

    /// The marks that were never hit.
    pub fn missing(&self) -> impl Iterator<Item = Mark> + '_ {
        Mark::ALL.iter().copied().filter(|&mark| self.count(mark) == 0)
    }
}
