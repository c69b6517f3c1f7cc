//! Queues: a tree that says whose turn it is when several want the same, who may have how much, and
//! what is owed to whom.
//!
//! What a queue is guaranteed it gets before others get more than they are guaranteed; what nobody
//! claims others borrow, each in proportion to its weight by the resource that it takes most of
//! (dominant resource fairness: Ghodsi et al., NSDI 2011; level by level: Bhattacharya et al.,
//! SoCC 2013). It knows nothing of nodes, and nothing of the order within a queue.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use model::resources::{Amounts, ResourceId};

use super::ask::{Ask, Taken};
use super::fleet::Total;
use super::policy::Policy;
use super::refusal::Thing;

/// The number of a queue. Whoever is above another has the smaller number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u32);

impl QueueId {
    /// The queue above all, which has whatever no other has.
    pub const ROOT: Self = Self(0);

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a queue is guaranteed, or may have at most. What is not named is not guaranteed, and has no
/// limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Of CPU, memory and custom amounts, by their numbers.
    pub amounts: Vec<Option<u64>>,
    /// Of devices, in thousandths.
    pub devices: Option<u64>,
}

/// A queue, as it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The queue above it.
    pub parent: QueueId,
    /// How much more than others beside it it gets of what is not guaranteed to anyone; at least 1.
    pub weight: u32,
    /// What it gets whenever it wants it.
    pub guarantee: Quota,
    /// What it never gets more than.
    pub limit: Quota,
    /// How those in it are ordered and placed.
    pub policy: Policy,
    /// How long those in it may be made to wait for others, in microseconds, whatever is measured.
    pub max_wait: Option<u64>,
}

/// What a queue has, or what an item takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    amounts: Amounts,
    devices: u64,
}

impl Used {
    fn of(taken: &Taken) -> Self {
        let devices = u64::from(taken.devices.len()) * u64::from(taken.share);
        Self { amounts: taken.amounts.clone(), devices }
    }

    fn asked(ask: &Ask) -> Self {
        Self { amounts: ask.amounts.clone(), devices: ask.devices.total() }
    }

    fn add(&mut self, other: &Self, times: u64) {
        self.amounts.resize(self.amounts.len().max(other.amounts.len()), 0);
        for (own, &more) in self.amounts.iter_mut().zip(&other.amounts) {
            *own = own.saturating_add(more.saturating_mul(times));
        }
        self.devices = self.devices.saturating_add(other.devices.saturating_mul(times));
    }

    fn subtract(&mut self, other: &Self) {
        for (own, &less) in self.amounts.iter_mut().zip(&other.amounts) {
            *own = own.saturating_sub(less);
        }
        self.devices = self.devices.saturating_sub(other.devices);
    }
}

impl Quota {
    /// Of each thing that it names: how much, what is used of it, what an item takes.
    fn parts<'a>(
        &'a self,
        used: &'a Used,
        asked: &'a Used,
    ) -> impl Iterator<Item = (u64, u64, u64)> + 'a {
        let amount = |row: &Amounts, at: usize| row.get(at).copied().unwrap_or(0);
        let amounts = self.amounts.iter().enumerate().filter_map(move |(at, &quota)| {
            Some((quota?, amount(&used.amounts, at), amount(&asked.amounts, at)))
        });
        amounts.chain(self.devices.map(|quota| (quota, used.devices, asked.devices)))
    }

    /// How many more items fit into it; `None` if it names nothing that they ask for.
    fn times(&self, used: &Used, asked: &Used) -> Option<u64> {
        let parts = self.parts(used, asked).filter(|&(.., asked)| asked > 0);
        parts.map(|(quota, used, asked)| quota.saturating_sub(used) / asked).min()
    }

    /// Makes it no less than another.
    fn raise(&mut self, other: &Self) {
        self.merge(other, |own, other| own.max(other));
    }

    /// Makes it both together.
    fn add(&mut self, other: &Self) {
        self.merge(other, u64::saturating_add);
    }

    fn merge(&mut self, other: &Self, both: impl Fn(u64, u64) -> u64) {
        let of = |own: Option<u64>, other: Option<u64>| match (own, other) {
            (Some(own), Some(other)) => Some(both(own, other)),
            (own, other) => own.or(other),
        };
        self.amounts.resize(self.amounts.len().max(other.amounts.len()), None);
        for (own, &other) in self.amounts.iter_mut().zip(&other.amounts) {
            *own = of(*own, other);
        }
        self.devices = of(self.devices, other.devices);
    }

    /// What of a thing is used beyond it.
    fn beyond(&self, used: &Used) -> Used {
        let quota = |at: usize| self.amounts.get(at).copied().flatten().unwrap_or(0);
        let amounts = used.amounts.iter().enumerate();
        let amounts = amounts.map(|(at, &used)| used.saturating_sub(quota(at))).collect();
        Used { amounts, devices: used.devices.saturating_sub(self.devices.unwrap_or(0)) }
    }
}

/// The whole of anything, as shares are counted.
const ALL: u128 = 1 << 40;

/// Of queues that compete one gets this part of everything, and then the next has its turn: small
/// enough for nobody to miss it, and large enough to make an array cheap.
const TURN: u128 = ALL / 256;

/// The tree, and what each queue of it has.
#[derive(Clone, Debug)]
pub(super) struct Queues {
    /// Shared with the plan that is being made.
    settings: Arc<Vec<Queue>>,
    /// What each is guaranteed, with all below it: what it is itself, or what those below are
    /// together, if that is more.
    owed: Arc<Vec<Quota>>,
    used: Vec<Used>,
}

/// Which of two that compete goes first: the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    /// Whether what it asks for is more than it is guaranteed.
    borrows: bool,
    /// What it has beyond its guarantee of that of which it has most, divided by its weight.
    share: u128,
}

impl Queues {
    /// One queue for all.
    pub(super) fn new(policy: Policy) -> Self {
        let root = Queue {
            parent: QueueId::ROOT,
            weight: 1,
            guarantee: Quota::default(),
            limit: Quota::default(),
            policy,
            max_wait: None,
        };
        let owed = Arc::new(vec![Quota::default()]);
        Self { settings: Arc::new(vec![root]), owed, used: vec![Used::default()] }
    }

    /// Adds a queue below one that is there.
    pub(super) fn add(&mut self, queue: Queue) -> QueueId {
        let id = QueueId(u32::try_from(self.settings.len()).expect("fewer queues than numbers"));
        assert!(queue.parent < id, "whoever is above another has the smaller number");
        Arc::make_mut(&mut self.settings).push(queue);
        self.used.push(Used::default());
        self.sum_up();
        id
    }

    pub(super) fn set_quotas(&mut self, id: QueueId, guarantee: Quota, limit: Quota) {
        if let Some(queue) = Arc::make_mut(&mut self.settings).get_mut(id.index()) {
            (queue.guarantee, queue.limit) = (guarantee, limit);
            self.sum_up();
        }
    }

    fn sum_up(&mut self) {
        let mut owed: Vec<Quota> = self.settings.iter().map(|it| it.guarantee.clone()).collect();
        let mut below: Vec<Quota> = vec![Quota::default(); owed.len()];
        for index in (1..owed.len()).rev() {
            owed[index].raise(&below[index]);
            below[self.settings[index].parent.index()].add(&owed[index]);
        }
        self.owed = Arc::new(owed);
    }

    /// Whether a queue is another, or below it.
    pub(super) fn is_within(&self, queue: QueueId, above: QueueId) -> bool {
        self.path(queue).any(|id| id == above)
    }

    pub(super) fn get(&self, id: QueueId) -> &Queue {
        &self.settings[id.index()]
    }

    /// Whether there is but one.
    pub(super) fn is_one(&self) -> bool {
        self.settings.len() == 1
    }

    /// Whether any says itself how long those in it may be made to wait.
    pub(super) fn have_own_waits(&self) -> bool {
        self.settings.iter().any(|queue| queue.max_wait.is_some())
    }

    /// What a queue has, with all below it.
    pub(super) fn used(&self, id: QueueId) -> (&[u64], u64) {
        let used = &self.used[id.index()];
        (&used.amounts, used.devices)
    }

    /// A queue and all above it.
    fn path(&self, from: QueueId) -> impl Iterator<Item = QueueId> + '_ {
        let above = |&id: &QueueId| (id != QueueId::ROOT).then(|| self.get(id).parent);
        core::iter::successors(Some(from), above)
    }

    pub(super) fn take(&mut self, queue: QueueId, taken: &Taken, count: u32) {
        let path: Vec<QueueId> = self.path(queue).collect();
        let taken = Used::of(taken);
        path.into_iter().for_each(|id| self.used[id.index()].add(&taken, count.into()));
    }

    pub(super) fn give_back(&mut self, queue: QueueId, taken: &Taken) {
        let path: Vec<QueueId> = self.path(queue).collect();
        let taken = Used::of(taken);
        path.into_iter().for_each(|id| self.used[id.index()].subtract(&taken));
    }

    /// How many more items a queue may have, and which queue has its limit if not even one.
    pub(super) fn lets(&self, queue: QueueId, ask: &Ask) -> Result<u32, QueueId> {
        let asked = Used::asked(ask);
        let mut least = u64::MAX;
        for id in self.path(queue) {
            let (limit, used) = (&self.get(id).limit, &self.used[id.index()]);
            least = least.min(limit.times(used, &asked).unwrap_or(u64::MAX));
            if least == 0 {
                return Err(id);
            }
        }
        Ok(u32::try_from(least).unwrap_or(u32::MAX))
    }

    /// Of a queue and those above it, the one that lets the fewest items more begin, if any has a
    /// limit.
    pub(super) fn tightest(&self, queue: QueueId, ask: &Ask) -> Option<QueueId> {
        let asked = Used::asked(ask);
        let limits = self.path(queue).filter_map(|id| {
            let more = self.get(id).limit.times(&self.used[id.index()], &asked)?;
            Some((more, id))
        });
        limits.min().map(|(_, id)| id)
    }

    /// What so many items miss of a limit: what of, how much is asked for, used and allowed.
    pub(super) fn miss(
        &self,
        (queue, limit): (QueueId, &Quota),
        ask: &Ask,
        items: u32,
    ) -> Option<(Thing, u64, u64, u64)> {
        let (used, mut asked) = (&self.used[queue.index()], Used::default());
        asked.add(&Used::asked(ask), items.into());
        let things = (0..).zip(&limit.amounts).filter(|(_, quota)| quota.is_some());
        let things = things.map(|(id, _)| Thing::Amount(ResourceId(id))).chain([Thing::Devices]);
        let parts = things.zip(limit.parts(used, &asked));
        let missing = parts.filter(|&(_, (quota, used, asked))| used.saturating_add(asked) > quota);
        missing.map(|(thing, (quota, used, asked))| (thing, asked, used, quota)).next()
    }

    /// How many more items are guaranteed to a queue, by itself and not by those above it.
    fn guaranteed(&self, id: QueueId, asked: &Used) -> u64 {
        let guarantee = &self.owed[id.index()];
        guarantee.times(&self.used[id.index()], asked).unwrap_or(0)
    }

    /// Whether an item is guaranteed to its queue or to one above it, whoever else wants its room.
    pub(super) fn is_guaranteed(&self, queue: QueueId, ask: &Ask) -> bool {
        self.guarantees(queue, ask, 1)
    }

    /// Whether so many items that begin together are, by one of them.
    pub(super) fn guarantees(&self, queue: QueueId, ask: &Ask, together: u32) -> bool {
        let asked = Used::asked(ask);
        self.path(queue).any(|id| self.guaranteed(id, &asked) >= u64::from(together))
    }

    /// Whose turn it is of those that offer something: the level below the root decides first, and
    /// then those within.
    pub(super) fn next(
        &self,
        offers: impl Iterator<Item = (QueueId, Used)>,
        total: &Total,
    ) -> Option<QueueId> {
        let mut best: Vec<Option<(QueueId, Used, Option<Claim>)>> = vec![None; self.used.len()];
        for (id, asked) in offers {
            best[id.index()] = Some((id, asked, None));
        }
        for index in (1..best.len()).rev() {
            let Some((leaf, asked, _)) = best[index].take() else { continue };
            let id = QueueId(u32::try_from(index).expect("fewer queues than numbers"));
            let claim = self.claim(id, &asked, total);
            let above = &mut best[self.get(id).parent.index()];
            // Equal claims go to whoever was set first, which is looked at last.
            if above.as_ref().is_none_or(|it| it.2.is_some_and(|known| claim <= known)) {
                *above = Some((leaf, asked, Some(claim)));
            }
        }
        best[0].take().map(|(leaf, ..)| leaf)
    }

    fn claim(&self, id: QueueId, asked: &Used, total: &Total) -> Claim {
        let (queue, used) = (self.get(id), &self.used[id.index()]);
        let beyond = total.dominant(&self.owed[id.index()].beyond(used));
        Claim {
            borrows: self.guaranteed(id, asked) == 0,
            share: beyond / u128::from(queue.weight.max(1)),
        }
    }

    /// How many items a queue gets before others that compete with it are asked again.
    pub(super) fn turn(&self, queue: QueueId, ask: &Ask, total: &Total) -> u32 {
        let asked = Used::asked(ask);
        let each = total.dominant(&asked).max(1);
        let mut turn = u64::try_from(TURN / each).unwrap_or(u64::MAX).max(1);
        for id in self.path(queue) {
            match self.guaranteed(id, &asked) {
                0 => {}
                more => turn = turn.min(more),
            }
        }
        u32::try_from(turn).unwrap_or(u32::MAX)
    }

    /// Whether an item of one queue may have the room of what runs for another, as far as it goes
    /// by what the one has: where their ways part, its side is guaranteed it.
    pub(super) fn is_owed_by(&self, queue: QueueId, ask: &Ask, from: QueueId) -> bool {
        let (own, other) = self.part(queue, from);
        own.zip(other).is_some_and(|(own, _)| self.guaranteed(own, &Used::asked(ask)) > 0)
    }

    /// The same as far as it goes by what the other has: of what the one is guaranteed, the other
    /// and each above it up to there has more than it is guaranteed itself, and what runs some.
    pub(super) fn is_borrowed(&self, queue: QueueId, from: QueueId, has: &Taken) -> bool {
        let (Some(own), Some(other)) = self.part(queue, from) else { return false };
        let (owed, has) = (&self.owed[own.index()], Used::of(has));
        let above = self.get(other).parent;
        let mut path = self.path(from).take_while(|&id| id != above);
        path.all(|id| {
            let beyond = self.owed[id.index()].beyond(&self.used[id.index()]);
            let mut parts = owed.parts(&beyond, &has);
            parts.any(|(_, beyond, has)| beyond > 0 && has > 0)
        })
    }

    /// The queues below the last that two have in common, each on its side; none where one is above
    /// the other.
    fn part(&self, one: QueueId, other: QueueId) -> (Option<QueueId>, Option<QueueId>) {
        let down = |id: QueueId| {
            let mut path: Vec<QueueId> = self.path(id).collect();
            path.reverse();
            path
        };
        let (one, other) = (down(one), down(other));
        let common = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
        (one.get(common).copied(), other.get(common).copied())
    }
}

/// What an item asks for, as queues count it.
pub(super) fn asked(ask: &Ask) -> Used {
    Used::asked(ask)
}

impl Total {
    /// The largest part of anything that all nodes have.
    fn dominant(&self, used: &Used) -> u128 {
        let part = |used: u64, total: u64| u128::from(used) * ALL / u128::from(total.max(1));
        let amounts = used.amounts.iter().zip(&self.amounts);
        let amounts = amounts.map(|(&used, &total)| part(used, total));
        amounts.chain([part(used.devices, self.devices)]).max().unwrap_or(0)
    }
}
