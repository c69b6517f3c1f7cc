//! Request classes: what tasks ask for, each combination once, with what such attempts have taken.
//!
//! A class is a request together with what is taken of locks and budgets and asked of workers, so
//! that what waits for a lock is one class that waits, however many tasks it has. What may be done
//! in several ways is one class, too, and knows the class of each further way.

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::collections::HashMap;
use model::policy::Policy;
use model::resources::{Amounts, ResourceId};
use model::shared::Shared;
use model::{Constraints, Offers, Request, VariantId};

/// The index of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

/// A combination of amounts, and of what is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// As the file says it.
    pub request: Request,
    /// As vectors are compared.
    pub amounts: Amounts,
    /// What each attempt takes of what all runs share.
    pub shared: Shared,
    /// What is asked of the workers that attempts go to.
    pub constraints: Constraints,
    /// The classes of the further ways to do the same, in the order in which they are tried.
    pub others: Box<[ClassId]>,
    /// The classes of the other requests with which the same can be done. The planner chooses.
    pub alternatives: Box<[ClassId]>,
    /// The place of the request among the means.
    mean: usize,
}

/// What makes a class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Need {
    request: Request,
    shared: Shared,
    constraints: Constraints,
    others: Box<[ClassId]>,
    alternatives: Box<[ClassId]>,
}

/// All classes and resource names that have been seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    names: Vec<Box<str>>,
    classes: Vec<Class>,
    by_need: HashMap<Need, ClassId>,
    /// For each request the mean duration of its attempts in microseconds.
    means: Vec<(Request, u64)>,
    by_request: HashMap<Request, usize>,
}

impl Classes {
    /// The name of a resource, as files write it.
    #[must_use]
    pub fn resource_name(&self, id: ResourceId) -> &str {
        match id {
            ResourceId::CPU => "cpu",
            ResourceId::MEMORY => "memory",
            ResourceId(custom) => {
                let index = usize::from(custom - ResourceId::FIRST_CUSTOM);
                self.names.get(index).map_or("?", |name| name)
            }
        }
    }

    /// A class.
    #[must_use]
    pub fn get(&self, id: ClassId) -> &Class {
        &self.classes[id.0 as usize]
    }

    /// All classes, in the order in which they were first seen.
    #[must_use]
    pub fn all(&self) -> &[Class] {
        &self.classes
    }

    /// The mean duration of attempts that ask for what this class asks for, in microseconds, newer
    /// ones weighing more; 0 before the first has ended.
    #[must_use]
    pub fn mean_wall_us(&self, id: ClassId) -> u64 {
        self.means[self.get(id).mean].1
    }

    /// The mean of the means of all requests, in microseconds.
    #[must_use]
    pub fn mean_of_all_us(&self) -> Option<u64> {
        let known = || self.means.iter().map(|&(_, mean)| mean).filter(|&mean| mean > 0);
        let sum: u128 = known().map(u128::from).sum();
        let mean = sum.checked_div(known().count() as u128)?;
        Some(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// Every request that has been seen with its mean duration, in the order of first sight.
    #[must_use]
    pub fn means(&self) -> &[(Request, u64)] {
        &self.means
    }

    /// The class of one of the ways to do what a class stands for. A way that is not there is the
    /// first.
    #[must_use]
    pub fn variant(&self, id: ClassId, variant: VariantId) -> ClassId {
        let class = self.get(id);
        let mut further = class.others.iter().chain(&class.alternatives);
        let other = usize::from(variant.0).checked_sub(1);
        other.and_then(|at| further.nth(at)).copied().unwrap_or(id)
    }

    /// A class, and those of the other requests with which the same can be done.
    pub fn with_alternatives(&self, id: ClassId) -> impl Iterator<Item = ClassId> + '_ {
        core::iter::once(id).chain(self.get(id).alternatives.iter().copied())
    }

    /// The class of what a policy says, made if it is new; `ask` is what each of its ways asks for,
    /// given what the policy says of it.
    pub(crate) fn intern(&mut self, policy: &Policy, ask: impl Fn(&Request) -> Request) -> ClassId {
        let mut intern = |request: &Request, shared: &Shared| {
            let (request, shared) = (ask(request), shared.clone());
            let constraints = policy.constraints.clone();
            self.intern_need(Need { request, shared, constraints, ..Need::default() })
        };
        let others = policy.others.iter().map(|it| intern(&it.request, &it.shared)).collect();
        let alternatives = policy.alternatives.iter();
        let alternatives = alternatives.map(|it| intern(&it.request, &policy.shared)).collect();
        self.intern_need(Need {
            request: ask(&policy.request),
            shared: policy.shared.clone(),
            constraints: policy.constraints.clone(),
            others,
            alternatives,
        })
    }

    fn intern_need(&mut self, need: Need) -> ClassId {
        if let Some(&id) = self.by_need.get(&need) {
            return id;
        }
        let id = ClassId(u32::try_from(self.classes.len()).expect("fewer classes than tasks"));
        let (amounts, mean) = (self.amounts(&need.request), self.mean_of(&need.request));
        let Need { request, shared, constraints, others, alternatives } = need.clone();
        self.classes.push(Class {
            request,
            amounts,
            shared,
            constraints,
            others,
            alternatives,
            mean,
        });
        self.by_need.insert(need, id);
        id
    }

    fn mean_of(&mut self, request: &Request) -> usize {
        if let Some(&known) = self.by_request.get(request) {
            return known;
        }
        self.means.push((request.clone(), 0));
        self.by_request.insert(request.clone(), self.means.len() - 1);
        self.means.len() - 1
    }

    /// What a request takes of amounts, as a vector; new names get the next free index.
    fn amounts(&mut self, request: &Request) -> Amounts {
        self.vector([request.cpu_milli, request.memory_bytes], &request.custom)
    }

    /// What a worker offers of amounts, as a vector; new names get the next free index.
    pub(crate) fn capacity(&mut self, offers: &Offers) -> Amounts {
        self.vector([offers.cpu_milli, offers.memory_bytes], &offers.custom)
    }

    fn vector(&mut self, fixed: [u64; 2], custom: &[(Box<str>, u64)]) -> Amounts {
        let mut amounts = fixed.to_vec();
        for (name, amount) in custom {
            let index = self.resource_index(name);
            if amounts.len() <= index {
                amounts.resize(index + 1, 0);
            }
            amounts[index] = *amount;
        }
        amounts
    }

    /// What a worker offers with such a vector of amounts.
    pub(crate) fn offers_of(&self, amounts: &[u64]) -> Offers {
        let mut custom: Vec<(Box<str>, u64)> = (ResourceId::FIRST_CUSTOM..)
            .zip(amounts.iter().skip(usize::from(ResourceId::FIRST_CUSTOM)))
            .filter(|&(_, &amount)| amount > 0)
            .map(|(id, &amount)| (self.resource_name(ResourceId(id)).into(), amount))
            .collect();
        custom.sort_unstable();
        let fixed = |id: ResourceId| amounts.get(usize::from(id.0)).copied().unwrap_or(0);
        Offers {
            cpu_milli: fixed(ResourceId::CPU),
            memory_bytes: fixed(ResourceId::MEMORY),
            custom: custom.into(),
            ..Offers::default()
        }
    }

    /// The index of a resource that somebody has asked for or offers.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<ResourceId> {
        let index = self.names.iter().position(|known| **known == *name)?;
        Some(ResourceId(ResourceId::FIRST_CUSTOM + u16::try_from(index).ok()?))
    }

    /// How many custom resources have been asked for or offered.
    #[must_use]
    pub fn resource_count(&self) -> usize {
        self.names.len()
    }

    fn resource_index(&mut self, name: &str) -> usize {
        let known = self.names.iter().position(|known| **known == *name);
        let index = known.unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        });
        usize::from(ResourceId::FIRST_CUSTOM) + index
    }

    /// Takes the duration of one attempt into the mean: an exponential moving average with weight
    /// one eighth.
    pub(crate) fn observe(&mut self, id: ClassId, wall_us: u64) {
        let index = self.get(id).mean;
        let mean = &mut self.means[index].1;
        *mean = match *mean {
            0 => wall_us.max(1),
            old => (old - old / 8 + wall_us / 8).max(1),
        };
    }

    pub(crate) fn restore_mean(&mut self, request: &Request, mean_wall_us: u64) {
        let index = self.mean_of(request);
        self.means[index].1 = mean_wall_us;
    }
}
