//! The lane: room that is kept free of other work, so that critical work begins at once.
//!
//! It stands on as few nodes as possible, by what nodes have and not by what is free, so that it
//! stays where it is while work comes and goes: on the smallest node that holds all of it; if none
//! does, on the one that lacks least of it, and what is left on others by the same rule.
//!
//! Critical work has its turn before all else, and begins in the lane where it fits. What is left
//! of the lane then is booked for good in the draft of the plan, so that to all others it is as if
//! something ran there. Nothing here knows queues, or in which order groups go.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use model::resources::Amounts;

use super::Planner;
use super::ask::{Ask, DeviceSet, Form, Taken, WHOLE};
use super::backlog::{ClassId, Group, GroupKey};
use super::fleet::{Lease, Node, NodeId};
use super::plan::Planning;

/// What is kept free of work that is not critical.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// CPU, memory and custom amounts.
    pub amounts: Amounts,
    /// Whole devices, of whatever kind.
    pub devices: u64,
}

/// What is kept on a node, and how much of it critical work has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneUse {
    /// The node.
    pub node: NodeId,
    /// Of each amount, what is kept and what is used of that.
    pub amounts: Vec<(u64, u64)>,
    /// The same of devices, in thousandths.
    pub devices: (u64, u64),
}

/// What is kept on each node, as a row of it.
pub(super) type Lane = BTreeMap<usize, Vec<u64>>;

/// Nothing is missing of anything, or all of it, in millionths.
const ALL: u64 = 1_000_000;

impl Planner {
    /// Says what is kept free of work that is not critical. Of nodes that are as good for it those
    /// are taken that come first in `nodes`; none that is not among them.
    pub fn keep(&mut self, kept: &Kept, nodes: &[NodeId]) {
        self.lane.clear();
        let mut left = kept.clone();
        let mut open: Vec<usize> = nodes.iter().map(|node| node.0 as usize).collect();
        open.retain(|&node| {
            self.fleet.nodes.get(node).is_some_and(|it| !it.is_gone && !it.spec.reserved)
        });
        loop {
            let lacks = |at: &usize| left.lacks(&self.fleet.nodes[*at]);
            let best = open.iter().enumerate().min_by_key(|&(place, at)| {
                let node = &self.fleet.nodes[*at];
                (lacks(at), node.spec.devices.len(), &node.spec.capacity, place)
            });
            let Some((place, &at)) = best else { return };
            if lacks(&at) == left.things() * ALL {
                return;
            }
            open.remove(place);
            self.lane.insert(at, left.take(&self.fleet.nodes[at]));
        }
    }

    /// Says that those of a class are critical.
    pub fn set_critical(&mut self, id: ClassId) {
        if let Some(class) = self.classes.get_mut(id.0 as usize) {
            (class.is_critical, self.has_critical) = (true, true);
        }
    }

    /// What is kept on each node, and how much of it critical work has.
    pub fn lane(&self) -> impl Iterator<Item = LaneUse> + '_ {
        self.lane.iter().map(|(&at, kept)| {
            let node = &self.fleet.nodes[at];
            let left = left_of(node, kept, self.critical_on(node).map(|lease| &lease.taken));
            let used = kept.iter().zip(&left).map(|(&kept, &left)| (kept, kept - left));
            let used: Vec<(u64, u64)> =
                used.take(node.form.amounts + node.form.devices.len()).collect();
            let (amounts, devices) = used.split_at(node.form.amounts);
            let sum = |of: fn(&(u64, u64)) -> u64| devices.iter().map(of).sum();
            LaneUse {
                node: NodeId(u32::try_from(at).expect("fewer nodes than numbers")),
                amounts: amounts.to_vec(),
                devices: (sum(|it| it.0), sum(|it| it.1)),
            }
        })
    }

    /// The critical work that runs on a node.
    fn critical_on<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Lease> {
        let is_critical = |class: ClassId| self.classes[class.0 as usize].is_critical;
        node.leases.values().filter(move |lease| is_critical(lease.class))
    }
}

impl Kept {
    /// How many different things are kept.
    fn things(&self) -> u64 {
        let amounts = self.amounts.iter().filter(|&&amount| amount > 0).count() as u64;
        amounts + u64::from(self.devices > 0)
    }

    /// What part of it a node lacks, in millionths of each thing, summed up.
    fn lacks(&self, node: &Node) -> u64 {
        let part = |kept: u64, has: u64| {
            let missing = u128::from(kept.saturating_sub(has)) * u128::from(ALL);
            u64::try_from(missing.div_ceil(u128::from(kept.max(1)))).unwrap_or(ALL)
        };
        let has = node.spec.capacity.iter().copied().chain(core::iter::repeat(0));
        let amounts = self.amounts.iter().zip(has).map(|(&kept, has)| part(kept, has));
        amounts.sum::<u64>() + part(self.devices, node.spec.devices.len() as u64)
    }

    /// Takes of it what a node has, as a row of that node: of its devices the last.
    fn take(&mut self, node: &Node) -> Vec<u64> {
        let (form, count) = (&node.form, node.form.devices.len());
        let mut row = vec![0; form.width()];
        for ((kept, row), &has) in self.amounts.iter_mut().zip(&mut row).zip(&node.spec.capacity) {
            *row = (*kept).min(has);
            *kept -= *row;
        }
        let taken = usize::try_from(self.devices).unwrap_or(count).min(count);
        for device in count - taken..count {
            row[form.amounts + device] = u64::from(WHOLE);
            row[form.amounts + count + device] = form.devices[device].memory;
        }
        self.devices -= taken as u64;
        row
    }
}

/// What is left of what is kept on a node beside what critical work takes.
fn left_of<'a>(node: &Node, kept: &[u64], taken: impl Iterator<Item = &'a Taken>) -> Vec<u64> {
    let mut left = kept.to_vec();
    taken.for_each(|taken| node.form.change(&mut left, taken, false));
    left
}

/// What takes a row, or what it has more than another: the amounts, then each device.
fn takes(form: &Form, row: &[u64], before: &[u64]) -> Vec<Taken> {
    let count = form.devices.len();
    let more: Vec<u64> =
        row.iter().zip(before).map(|(&now, &old)| now.saturating_sub(old)).collect();
    let (amounts, devices) = more.split_at(form.amounts);
    let devices = (0..count).filter(|&at| devices[at] > 0).map(|at| Taken {
        devices: u8::try_from(at).map_or(DeviceSet::EMPTY, DeviceSet::one),
        share: u16::try_from(devices[at]).unwrap_or(WHOLE),
        memory: devices[count + at],
        ..Taken::default()
    });
    let amounts = Taken { amounts: amounts.to_vec(), ..Taken::default() };
    core::iter::once(amounts).chain(devices).collect()
}

/// How much of each thing of a node critical work may take to stay in the lane: of what is kept
/// there what is left of it, and all of the rest.
fn at_most(form: &Form, kept: &[u64], left: &[u64]) -> Vec<u64> {
    let (amounts, devices) = kept.split_at(form.amounts);
    let keeps_devices = devices.iter().any(|&kept| kept > 0);
    let is_kept = amounts.iter().map(|&kept| kept > 0).chain(devices.iter().map(|_| keeps_devices));
    let users = form.width() - form.devices.len();
    let rows = left.iter().zip(is_kept).enumerate();
    rows.map(|(at, (&left, is_kept))| if is_kept || at >= users { left } else { u64::MAX })
        .collect()
}

/// The lane while a plan is made.
#[derive(Debug, Default)]
pub(super) struct OpenLane {
    /// What is left of it on each node.
    left: Lane,
    /// What has begun in this plan: where, until when, and what it takes.
    begun: Vec<(usize, u64, Taken)>,
    /// What was free of it when it was closed.
    closed: Lane,
}

impl OpenLane {
    pub(super) fn new(planner: &Planner) -> Self {
        let left = planner.lane.iter().map(|(&at, kept)| {
            let node = &planner.fleet.nodes[at];
            (at, left_of(node, kept, planner.critical_on(node).map(|lease| &lease.taken)))
        });
        Self { left: left.collect(), ..Self::default() }
    }

    /// Whether anything is kept on a node.
    pub(super) fn is_on(&self, node: usize) -> bool {
        self.left.contains_key(&node)
    }

    /// Critical work begins on a node, and ends there at a time.
    pub(super) fn begin(&mut self, form: &Form, (node, end): (usize, u64), taken: &Taken) {
        if let Some(left) = self.left.get_mut(&node) {
            form.change(left, taken, false);
            self.begun.push((node, end, taken.clone()));
        }
    }
}

impl Planning<'_> {
    /// Items of a critical group begin in the lane, as many as find room in it, `most` at most:
    /// each in the way in which it ends first there. Says how many.
    pub(super) fn place_in_lane(&mut self, key: GroupKey, group: &Group, most: u32) -> u32 {
        let nodes: Vec<usize> = self.lane.left.keys().copied().collect();
        let queue = self.planner.backlog.queue(key.run);
        let mut ways = self.ways(key, group);
        ways.sort_by_key(|way| way.expected);
        let mut begun = 0;
        for (way, node) in ways.iter().flat_map(|way| nodes.iter().map(move |&node| (way, node))) {
            let ask = self.ask(way);
            while begun < most && !self.is_out_of_fuel() {
                self.spend(1);
                let may = self.lets(node) && self.queues.lets(queue, ask).is_ok();
                let Some(row) = self.lane_row(node, way).filter(|_| may) else { break };
                self.begin(key, node, &row, way);
                begun += 1;
            }
        }
        begun
    }

    /// What is free of the lane on a node, if an item fits into that for as long as it takes. Of
    /// what is not kept there it takes what is free.
    fn lane_row(&mut self, node: usize, group: &Group) -> Option<Vec<u64>> {
        let ask = self.ask(group);
        let duration = self.planner.fleet.nodes[node].duration(group.expected);
        let mut row = self.draft.fits_now(node, ask, duration)?;
        let form = self.draft.form(node);
        let (kept, left) = (self.planner.lane.get(&node)?, self.lane.left.get(&node)?);
        form.meet(&mut row, &at_most(form, kept, left));
        form.fits(&row, ask).then_some(row)
    }

    /// All that is critical has had its turn: what is left of the lane is nobody's.
    pub(super) fn close_lane(&mut self) {
        let nodes: Vec<usize> = self.lane.left.keys().copied().collect();
        for at in nodes {
            let mut free = self.draft.free(at).to_vec();
            self.draft.form(at).meet(&mut free, &self.lane.left[&at]);
            self.lane.closed.insert(at, free);
            self.book_lane(at);
            self.likeness.changed(at);
        }
    }

    /// Books what is left of the lane on a node, from now on and more from each time on at which
    /// critical work ends there.
    fn book_lane(&mut self, at: usize) {
        let (planner, now) = (self.planner, self.now);
        let (node, kept) = (&planner.fleet.nodes[at], &planner.lane[&at]);
        let leases = planner
            .critical_on(node)
            .map(|lease| (lease.expected_end(now, false).0.max(now + 1), lease.taken.clone()));
        let begun = self.lane.begun.iter().filter(|(node, ..)| *node == at);
        let begun = begun.map(|(_, end, taken)| (*end, taken.clone()));
        let mut critical: Vec<(u64, Taken)> = leases.chain(begun).collect();
        critical.sort_by_key(|&(end, _)| end);
        let starts = core::iter::once(now).chain(critical.iter().map(|&(end, _)| end));
        let mut booked = vec![0; kept.len()];
        for (ended, start) in starts.enumerate() {
            let left = left_of(node, kept, critical[ended..].iter().map(|(_, taken)| taken));
            for taken in takes(&node.form, &left, &booked) {
                self.draft.book(at, (start, u64::MAX), &taken);
            }
            booked = left;
        }
    }

    /// The first node on which an item would have room now if nothing was kept there for critical
    /// work.
    pub(super) fn kept_from(&self, ask: &Ask) -> Option<usize> {
        let fits = |(&at, kept): (&usize, &Vec<u64>)| {
            let node = &self.planner.fleet.nodes[at];
            let mut row = self.draft.free(at).to_vec();
            let nothing = vec![0; kept.len()];
            takes(&node.form, kept, &nothing)
                .iter()
                .for_each(|taken| node.form.change(&mut row, taken, true));
            let is_open = node.is_open() && node.admits(ask) && self.lets(at);
            (is_open && node.form.fits(&row, ask)).then_some(at)
        };
        self.lane.closed.iter().find_map(fits)
    }
}
