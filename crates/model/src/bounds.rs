//! The most that an attempt may use, how it stands when there is too little, and what a node can do
//! about it.
//!
//! What a file says, in fixed units. Nothing here knows how a bound is kept: that is the worker's
//! business, with whatever the kernel and its user's rights allow.

use alloc::boxed::Box;

use crate::Request;
use crate::policy::Policy;

/// The most that an attempt may use. What is left out has no bound of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Thousandths of a CPU core, averaged over a tenth of a second.
    pub cpu_milli: Option<u64>,
    /// Bytes of memory, those of all its processes together.
    pub memory_bytes: Option<u64>,
    /// Processes and threads at a time.
    pub pids: Option<u64>,
    /// Whether it runs on cores that no other such attempt runs on.
    pub pin: bool,
}

/// How an attempt stands when there is too little for all, as Kubernetes has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceClass {
    /// It has what it asked for and no more: its limits of cores and memory are its requests.
    Guaranteed,
    /// It asked for something, and may have more while others leave it.
    Burstable,
    /// It said nothing of cores and memory, and has what the others leave.
    BestEffort,
}

impl ServiceClass {
    /// The word for people and programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "guaranteed",
            Self::Burstable => "burstable",
            Self::BestEffort => "best effort",
        }
    }
}

impl Bounds {
    /// How an attempt with these bounds stands that asks for this. One that asks for the core that
    /// every attempt asks for has said nothing.
    #[must_use]
    pub fn class(&self, request: &Request) -> ServiceClass {
        let Request { cpu_milli, memory_bytes, .. } = *request;
        if (self.cpu_milli, self.memory_bytes) == (Some(cpu_milli), Some(memory_bytes)) {
            return ServiceClass::Guaranteed;
        }
        let default = Policy::default().request;
        let says_nothing = (cpu_milli, memory_bytes) == (default.cpu_milli, default.memory_bytes)
            && self.cpu_milli.is_none()
            && self.memory_bytes.is_none()
            && !self.pin;
        if says_nothing { ServiceClass::BestEffort } else { ServiceClass::Burstable }
    }

    /// The same, none below what is asked for: a request may have been raised since.
    #[must_use]
    pub fn at_least(mut self, request: &Request) -> Self {
        self.cpu_milli = self.cpu_milli.map(|limit| limit.max(request.cpu_milli));
        self.memory_bytes = self.memory_bytes.map(|limit| limit.max(request.memory_bytes));
        self
    }
}

/// What a node can do about bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enforcement {
    /// Cores are bounded.
    pub cpu: Means,
    /// Memory is bounded.
    pub memory: Means,
    /// Processes are bounded.
    pub pids: Means,
}

/// What a bound is kept with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// Control groups of the second version.
    CgroupV2,
    /// Control groups of the first version.
    CgroupV1,
    /// Nothing, and why, for people.
    None {
        /// Why.
        reason: Box<str>,
    },
}

impl Default for Means {
    fn default() -> Self {
        Self::None { reason: Box::default() }
    }
}

impl Means {
    /// Why there are none.
    #[must_use]
    pub const fn missing(&self) -> Option<&str> {
        match self {
            Self::None { reason } => Some(reason),
            Self::CgroupV1 | Self::CgroupV2 => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_follows_from_requests_and_limits() {
        let asked =
            |cpu_milli, memory_bytes| Request { cpu_milli, memory_bytes, ..Request::default() };
        let limited =
            |cpu_milli, memory_bytes| Bounds { cpu_milli, memory_bytes, ..Bounds::default() };
        let default = || Policy::default().request;
        let cases = [
            (limited(None, None), default(), ServiceClass::BestEffort),
            (limited(None, None), asked(2_000, 0), ServiceClass::Burstable),
            (limited(None, None), asked(1_000, 1), ServiceClass::Burstable),
            (limited(Some(1_000), None), default(), ServiceClass::Burstable),
            (limited(Some(2_000), Some(8)), asked(2_000, 8), ServiceClass::Guaranteed),
            (limited(Some(2_000), Some(8)), asked(2_000, 4), ServiceClass::Burstable),
            (limited(Some(2_000), None), asked(2_000, 0), ServiceClass::Burstable),
            (Bounds { pids: Some(1), ..Bounds::default() }, default(), ServiceClass::BestEffort),
            (Bounds { pin: true, ..Bounds::default() }, default(), ServiceClass::Burstable),
        ];
        for (bounds, request, class) in cases {
            assert_eq!(bounds.class(&request), class, "{bounds:?} {request:?}");
        }
    }

    #[test]
    fn a_raised_request_raises_its_limit() {
        let bounds = Bounds { cpu_milli: Some(500), memory_bytes: Some(7), ..Bounds::default() };
        let request = Request { cpu_milli: 1_000, memory_bytes: 4, ..Request::default() };
        let raised = Bounds { cpu_milli: Some(1_000), ..bounds };
        assert_eq!(bounds.at_least(&request), raised);
    }
}
