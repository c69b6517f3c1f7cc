//! Queues as the planner knows them: their numbers, and their quotas in its amounts.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use model::queue::{DEFAULT_QUEUE, QueueSpec, QueueTree, Quota};
use model::resources::ResourceId;
use scheduler::{Planner, Policy, Queue, QueueId};

use super::Planning;
use crate::state::{Classes, Lease, State};

/// The queues that the planner was told of.
#[derive(Clone, Debug)]
pub(super) struct Queues {
    tree: QueueTree,
    /// By the place in the tree.
    numbers: Vec<QueueId>,
    /// Where runs stand whose queue nobody has set.
    other: QueueId,
    /// How many resources had names when quotas were told.
    named: usize,
}

impl Queues {
    /// Tells a planner that knows of no run yet of all queues.
    pub(super) fn new(tree: &QueueTree, planner: &mut Planner) -> Self {
        if let Some(max_wait) = tree.max_wait {
            planner.set_patience(max_wait.0);
        }
        let mut numbers: Vec<QueueId> = Vec::new();
        for spec in &tree.queues {
            let parent = spec.parent.map_or(QueueId::ROOT, |at| numbers[at]);
            let own = queue(spec, parent, planner);
            numbers.push(planner.add_queue(own));
        }
        let default = tree.find(DEFAULT_QUEUE).map(|at| numbers[at]);
        let other = match default {
            Some(default) => default,
            None if tree.queues.is_empty() => QueueId::ROOT,
            None => {
                let spec = QueueSpec { weight: 1, ..QueueSpec::default() };
                let own = queue(&spec, QueueId::ROOT, planner);
                planner.add_queue(own)
            }
        };
        Self { tree: tree.clone(), numbers, other, named: usize::MAX }
    }

    /// The queue in which the runs stand that name it.
    pub(super) fn number(&self, path: &str) -> QueueId {
        self.tree.find(path).map_or(self.other, |at| self.numbers[at])
    }

    /// Who shares parts of devices with nobody else: the number of the queue at the top; 0 where
    /// all may share with all.
    pub(super) fn tenant(&self, path: &str) -> u16 {
        if self.tree.queues.is_empty() || self.tree.shares_devices {
            return 0;
        }
        let top = self.tree.find(model::queue::tenant(path));
        let number = top.unwrap_or(self.tree.queues.len()) + 1;
        u16::try_from(number).unwrap_or(u16::MAX)
    }

    /// The path of a queue.
    pub(super) fn path(&self, number: QueueId) -> &str {
        let known = self.numbers.iter().position(|&known| known == number);
        known.map_or(DEFAULT_QUEUE, |at| &self.tree.queues[at].path)
    }

    fn spec(&self, number: QueueId) -> Option<&QueueSpec> {
        let at = self.numbers.iter().position(|&known| known == number)?;
        self.tree.queues.get(at)
    }
}

/// A queue below another, whose policy and longest wait it has unless it has its own.
fn queue(spec: &QueueSpec, parent: QueueId, planner: &Planner) -> Queue {
    let own = spec.policy.as_deref();
    let own = own.and_then(|own| Policy::ALL.iter().find(|(_, name)| *name == own));
    Queue {
        parent,
        weight: spec.weight,
        guarantee: scheduler::Quota::default(),
        limit: scheduler::Quota::default(),
        policy: own.map_or_else(|| planner.policy_of(parent), |&(policy, _)| policy),
        max_wait: spec.max_wait.map(|wait| wait.0).or_else(|| planner.max_wait_of(parent)),
    }
}

/// A quota in the planner's amounts. What has no number yet nobody takes.
pub(super) fn quota(quota: &Quota, classes: &Classes) -> scheduler::Quota {
    let mut amounts = alloc::vec![quota.cpu_milli, quota.memory_bytes];
    for (name, amount) in &quota.custom {
        let Some(ResourceId(id)) = classes.resource(name) else { continue };
        let at = usize::from(id);
        amounts.resize(amounts.len().max(at + 1), None);
        amounts[at] = Some(*amount);
    }
    scheduler::Quota { amounts, devices: quota.devices_milli }
}

impl Planning {
    /// Tells what each queue is guaranteed and may have, whenever a resource has got a number.
    pub(super) fn tell_quotas(&mut self, state: &State) {
        let named = state.classes.resource_count();
        if self.queues.named == named {
            return;
        }
        self.queues.named = named;
        for (spec, &number) in self.queues.tree.queues.iter().zip(&self.queues.numbers) {
            let guarantee = quota(&spec.guarantee, &state.classes);
            self.planner.set_quotas(number, guarantee, quota(&spec.limit, &state.classes));
        }
    }

    /// All queues that are set, each after the one above it, with what each has.
    pub(crate) fn queue_uses(&self, state: &State) -> Vec<(&QueueSpec, Vec<QueueUse>)> {
        let uses = |(spec, &number): (_, &QueueId)| (spec, self.uses(state, spec, number));
        self.queues.tree.queues.iter().zip(&self.queues.numbers).map(uses).collect()
    }

    /// What a queue has of everything that it has anything of, or that its quotas name.
    fn uses(&self, state: &State, spec: &QueueSpec, number: QueueId) -> Vec<QueueUse> {
        let (amounts, devices) = self.planner.queue_used(number);
        let [guarantee, limit] = [&spec.guarantee, &spec.limit].map(|it| quota(it, &state.classes));
        let used = |at: usize| amounts.get(at).copied().unwrap_or(0);
        let named = |quota: &scheduler::Quota, at: usize| quota.amounts.get(at).copied().flatten();
        let count = amounts.len().max(guarantee.amounts.len()).max(limit.amounts.len());
        let amounts = (0..).map(ResourceId).take(count).map(|id| {
            let at = usize::from(id.0);
            QueueUse {
                resource: state.classes.resource_name(id).into(),
                used: used(at),
                guarantee: named(&guarantee, at),
                limit: named(&limit, at),
            }
        });
        let devices = QueueUse {
            resource: "gpu".into(),
            used: devices,
            guarantee: guarantee.devices,
            limit: limit.devices,
        };
        let says = |it: &QueueUse| it.used > 0 || it.guarantee.is_some() || it.limit.is_some();
        amounts.chain([devices]).filter(says).collect()
    }

    /// What a queue that has its limit has too little of for an item of a group: its path, the
    /// resource, what the item asks for, what the queue has, and what it may have.
    pub(crate) fn queue_miss(
        &self,
        state: &State,
        number: QueueId,
        key: scheduler::GroupKey,
    ) -> Option<QueueMiss> {
        let limit = quota(&self.queues.spec(number)?.limit, &state.classes);
        let (thing, asked, used, limit) = self.planner.quota_miss(number, &limit, key)?;
        let resource = match thing {
            scheduler::Thing::Amount(resource) => state.classes.resource_name(resource),
            scheduler::Thing::Devices | scheduler::Thing::Site => "gpu",
        };
        let queue = self.queues.path(number).into();
        Some(QueueMiss { queue, resource: resource.into(), asked, used, limit })
    }
}

/// Compares what the planner counts of each queue with the leases that there are.
pub(super) fn check(planning: &Planning, state: &State) -> Result<(), String> {
    let queues = &planning.queues;
    for &number in &queues.numbers {
        let leases = state.leases.iter().filter(|(item, lease)| {
            let run = state.run(item.run);
            let own = run.map(|run| queues.number(&run.admitted().queue));
            own == Some(number) && planning.nodes.node(lease.worker).is_some()
        });
        let cpu = |lease: &Lease| state.classes.get(lease.class).amounts[0];
        let count: u64 = leases.map(|(_, lease)| cpu(lease)).sum();
        let below = queues
            .tree
            .queues
            .iter()
            .any(|it| it.parent.is_some_and(|parent| queues.numbers[parent] == number));
        let told = planning.planner.queue_used(number).0.first().copied().unwrap_or(0);
        if !below && told != count {
            let path = queues.path(number);
            return Err(format!("the queue `{path}` has {count}, and {told} were told"));
        }
    }
    Ok(())
}

/// What a queue has of a resource, and of what it is guaranteed and may have: milli-CPU, bytes,
/// thousandths of GPUs, or units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUse {
    /// `cpu`, `memory`, `gpu` or a custom one.
    pub resource: Box<str>,
    /// What it has, with all below it.
    pub used: u64,
    /// What it gets whenever it wants it.
    pub guarantee: Option<u64>,
    /// What it never gets more than.
    pub limit: Option<u64>,
}

/// By how much an item misses the limit of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueMiss {
    pub(crate) queue: Box<str>,
    pub(crate) resource: Box<str>,
    pub(crate) asked: u64,
    pub(crate) used: u64,
    pub(crate) limit: u64,
}
