//! The states of runs and tasks, and the tables of what may follow what.
//!
//! These tables are published (`docs/reference/states.md`) and are what the simulator holds the
//! engine to (invariant S7). Nothing here changes a state.

use core::fmt;

macro_rules! define_status {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them, in the order of a life.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word used in files, on the command line and in the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Reads the word back.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|status| status.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

define_status!(
    /// Where a run stands.
    RunStatus {
        /// Admitted, nothing of it may start yet.
        Queued = "queued",
        /// Its tasks may start.
        Running = "running",
        /// What runs goes on, nothing new starts.
        Paused = "paused",
        /// It has been stopped or has failed: what runs is ended, then handlers run.
        Stopping = "stopping",
        /// Every task succeeded or was skipped by a condition.
        Succeeded = "succeeded",
        /// A task failed, or the run ran out of time.
        Failed = "failed",
        /// A person stopped it.
        Cancelled = "cancelled",
    }
);

define_status!(
    /// Where a task, or an item of it, stands.
    TaskStatus {
        /// Waits for tasks that it depends on.
        Pending = "pending",
        /// May start as soon as there is room.
        Ready = "ready",
        /// Given to a worker, not yet started there.
        Leased = "leased",
        /// Started on a worker.
        Running = "running",
        /// Failed or lost; waits for its next attempt.
        Retrying = "retrying",
        /// Ended well.
        Succeeded = "succeeded",
        /// Ended badly, no attempts left.
        Failed = "failed",
        /// Ran longer than allowed, no attempts left.
        TimedOut = "timed_out",
        /// Its run was stopped before it could end.
        Cancelled = "cancelled",
        /// Never ran, because of what it depends on.
        Skipped = "skipped",
        /// Killed for good by a person or by a run that was terminated.
        Terminated = "terminated",
    }
);

impl RunStatus {
    /// Whether the run has ended; only a retry by hand leaves such a state.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// Whether a run may go from `self` to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use RunStatus::{Cancelled, Failed, Paused, Queued, Running, Stopping, Succeeded};
        matches!(
            (self, next),
            (Queued, Running | Stopping)
                | (Running, Paused | Stopping | Succeeded | Failed)
                // What ran when it was paused may have been the last.
                | (Paused, Running | Stopping | Succeeded | Failed)
                | (Stopping, Failed | Cancelled)
                // A retry by hand opens a new round in an ended run.
                | (Succeeded | Failed | Cancelled, Running)
        )
    }
}

impl TaskStatus {
    /// Whether the task has ended for this round.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::Failed
                | Self::TimedOut
                | Self::Cancelled
                | Self::Skipped
                | Self::Terminated
        )
    }

    /// Whether a worker has it.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Leased | Self::Running)
    }

    /// Whether it ended in a way that stops what depends on it.
    #[must_use]
    pub const fn is_unsuccessful(self) -> bool {
        self.is_final() && !matches!(self, Self::Succeeded)
    }

    /// Whether an item may go from `self` to `next` within a round.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use TaskStatus::{
            Cancelled, Failed, Leased, Pending, Ready, Retrying, Running, Skipped, Succeeded,
            Terminated, TimedOut,
        };
        matches!(
            (self, next),
            // What no worker runs goes on by itself: a decision, a wait, a fan-out without items.
            // What has not begun may also be held to have ended, or run out of time.
            (Pending, Ready | Running | Succeeded | Failed | TimedOut | Skipped)
                | (Pending, Cancelled | Terminated)
                // A task that no worker can ever hold fails without an attempt.
                | (Ready, Leased | Succeeded | Failed | TimedOut | Skipped)
                | (Ready, Cancelled | Terminated)
                // A lease that is handed back unstarted leaves the item ready again. An end may
                // arrive together with its start, so a leased item may end in any way.
                | (Leased, Ready | Running)
                | (Leased | Running, Succeeded | Failed | TimedOut | Cancelled | Terminated)
                | (Leased | Running, Retrying)
                // What waits for its next attempt fails, too, when no worker can hold it any more,
                // and runs out of time.
                | (Retrying, Leased | Failed | TimedOut | Cancelled | Terminated)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_are_final_within_a_round() {
        for &from in TaskStatus::ALL {
            for &to in TaskStatus::ALL {
                assert!(!(from.is_final() && from.may_become(to)), "{from} -> {to}");
                assert!(!from.may_become(from), "{from} -> itself");
            }
        }
    }

    #[test]
    fn every_state_can_be_reached_and_left() {
        for &status in TaskStatus::ALL {
            let reached = TaskStatus::ALL.iter().any(|from| from.may_become(status));
            assert!(reached || status == TaskStatus::Pending, "{status}");
            let left = TaskStatus::ALL.iter().any(|&to| status.may_become(to));
            assert!(left || status.is_final(), "{status}");
        }
    }

    #[test]
    fn words_go_both_ways() {
        for &status in TaskStatus::ALL {
            assert_eq!(TaskStatus::from_word(status.as_str()), Some(status));
        }
        assert_eq!(RunStatus::from_word("stopping"), Some(RunStatus::Stopping));
        assert_eq!(RunStatus::from_word("pending"), None);
    }
}
