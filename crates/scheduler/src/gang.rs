//! Gangs: items that begin together, on one node or many, or not at all. A gang holds nothing while
//! it waits, so that no two of them wait for each other's halves.
//!
//! What keeps a gang is true of it alone: a smaller one of its class may begin.

use alloc::vec::Vec;
use core::cmp::Reverse;

use model::collections::HashMap;
use model::limits::GANG_MEMBERS_MAX;

use super::Planner;
use super::ask::Ask;
use super::backlog::{Group, GroupKey};
use super::fit::fits;
use super::fleet::Node;
use super::place::Slot;
use super::plan::{Limits, Outcome, Planning};
use super::refusal::Refusal;

/// Nodes, with how many members each of them is to have.
type Shares = Vec<(usize, u32)>;

impl Planner {
    /// Works out of how many members gangs of each class may be on nodes where nothing runs, if
    /// there are other nodes than when that was last done.
    pub(super) fn work_out_gangs(&mut self) {
        let version = self.fleet.version;
        for class in &self.gangs {
            let Some(class) = self.classes.get_mut(class.0 as usize) else { continue };
            if class.members_max.is_none_or(|(known, _)| known != version) {
                class.members_max = Some((version, members_max(&self.fleet.nodes, &class.ask)));
            }
        }
    }
}

/// How many members the largest gang has that nodes could hold where nothing runs: all of them, or
/// those of one group where items stay together.
fn members_max(nodes: &[Node], ask: &Ask) -> u32 {
    let together = ask.places.as_ref().and_then(|places| places.together.as_ref());
    let mut groups: HashMap<u32, u32> = HashMap::default();
    for (index, node) in nodes.iter().enumerate().filter(|(_, node)| node.could_hold(ask)) {
        let domain = together.map_or(0, |domain| domain.of(index, node.spec.site));
        let group = groups.entry(domain).or_default();
        let times = match ask.devices.count {
            0 => fits(&ask.amounts, &node.spec.capacity),
            _ => node.form.times(&node.empty, ask, GANG_MEMBERS_MAX),
        };
        *group = group.saturating_add(times);
    }
    groups.into_values().max().unwrap_or(0)
}

impl Planning<'_> {
    /// Whether a gang is larger than all nodes together, or an allowance, could ever let begin.
    pub(super) fn is_oversized(&self, group: &Group) -> Option<Refusal> {
        let class = &self.planner.classes[group.class.0 as usize];
        let of_nodes = class.members_max.map_or(u32::MAX, |(_, members)| members);
        let largest = class.draws.iter().map(|draw| draw.most).fold(of_nodes, u32::min);
        // Where not even one may ever begin, that is said of the whole class.
        let is_oversized = group.gang && group.count > largest && largest > 0;
        is_oversized.then_some(Refusal::Oversized { largest })
    }

    /// All members of a gang begin, or none does, within what is left of limits.
    pub(super) fn place_gang(&mut self, key: GroupKey, group: &Group, left: Limits) -> Outcome {
        let class = &self.planner.classes[group.class.0 as usize];
        let queue = self.planner.backlog.queue(key.run);
        let refusal = match group.count {
            count if count > left.of_run => Some(Refusal::Run),
            count if count > left.of_queue => {
                self.queues.tightest(queue, &class.ask).map(Refusal::Queue)
            }
            count => self.purse.too_scarce(class, count).map(Refusal::Allowance).or_else(|| {
                let &(fewest, room) = self.scarce.get(&group.class)?;
                (count >= fewest).then_some(Refusal::Gang { room, at: None })
            }),
        };
        match refusal {
            Some(refusal) => Outcome::Alone(refusal),
            None => self.look_for_room(group).unwrap_or_else(|| self.place_members(key, group)),
        }
    }

    /// The members begin on as few nodes as possible: on one that has room for all, the tightest of
    /// these, or else on those that have room for the most. Where they are to be spread, each
    /// begins where the fewest are.
    fn place_members(&mut self, key: GroupKey, group: &Group) -> Outcome {
        let ask = self.ask(group);
        let nodes = &self.planner.fleet.nodes;
        self.spend(2 * nodes.len());
        let (mut rooms, mut free) = (Shares::new(), 0_u32);
        for (node, known) in nodes.iter().enumerate() {
            if !self.lets(node) || !self.draft.fits(node, ask) {
                continue;
            }
            let now = self.draft.form(node).times(self.draft.free(node), ask, group.count);
            free = free.saturating_add(now);
            let duration = known.duration(group.expected);
            if self.draft.fits_now(node, ask, duration).is_some() {
                rooms.push((node, self.draft.times(node, ask, (self.now, duration), group.count)));
            }
        }
        let room = rooms.iter().fold(0_u32, |sum, &(_, times)| sum.saturating_add(times));
        if room < group.count && free >= group.count {
            return Outcome::Kept;
        }
        if room < group.count {
            if !self.looks_at_others() {
                self.scarce.insert(group.class, (group.count, free));
            }
            return Outcome::Alone(Refusal::Gang { room: free, at: None });
        }
        let spreads = ask.places.as_ref().is_some_and(|places| places.spread.is_some());
        let mut left = group.count;
        while left > 0 {
            let shares = match spreads {
                true => self.emptiest(ask, &mut rooms).into_iter().collect(),
                false => self.fewest(ask, core::mem::take(&mut rooms), left),
            };
            let begun = shares.iter().map(|&(node, times)| self.begin_on(key, node, times, group));
            let begun: u32 = begun.sum();
            debug_assert!(begun > 0, "a gang begins as a whole");
            if begun == 0 {
                break;
            }
            left = left.saturating_sub(begun);
        }
        Outcome::Settled
    }

    /// So many members begin on a node; says how many did.
    fn begin_on(&mut self, key: GroupKey, node: usize, times: u32, group: &Group) -> u32 {
        let (ask, duration) =
            (self.ask(group), self.planner.fleet.nodes[node].duration(group.expected));
        // One by one, since each takes devices of its own.
        for begun in 0..times {
            let Some(least) = self.draft.fits_now(node, ask, duration) else { return begun };
            self.begin(key, node, &least, group);
        }
        times
    }

    /// Of nodes with room, as few as have room for so many members: those with room for the most,
    /// and for the rest the tightest that holds it. Among equals those that are liked more.
    fn fewest(&self, ask: &Ask, rooms: Shares, count: u32) -> Shares {
        let mut ranked: Vec<_> = rooms
            .into_iter()
            .map(|(node, times)| {
                (Reverse(times), self.wish(node, ask), self.slack(node, ask), node)
            })
            .collect();
        ranked.sort_unstable();
        let (mut left, mut shares) = (count, Shares::new());
        for (at, &(Reverse(times), .., node)) in ranked.iter().enumerate() {
            if times >= left {
                let holds = ranked[at..].iter().take_while(|rest| rest.0.0 >= left);
                let tightest = holds
                    .min_by_key(|&&(Reverse(times), wish, slack, node)| (wish, times, slack, node));
                shares.extend(tightest.map(|&(.., node)| (node, left)));
                break;
            }
            shares.push((node, times));
            left -= times;
        }
        shares
    }

    /// Of nodes with room the one where the fewest members are, for one more; its room is taken.
    fn emptiest(&self, ask: &Ask, rooms: &mut Shares) -> Option<(usize, u32)> {
        rooms.retain(|&(_, times)| times > 0);
        let rank = |&&mut (node, _): &&mut (usize, u32)| {
            let (unmet, crowd) = self.wish(node, ask);
            (crowd, unmet, self.slack(node, ask), node)
        };
        let (node, times) = rooms.iter_mut().min_by_key(rank)?;
        *times -= 1;
        Some((*node, 1))
    }

    /// Reserves the first time at which all members of a gang have room; says which that is.
    pub(super) fn book_gang(&mut self, key: GroupKey, group: &Group) -> Option<u64> {
        let (start, shares) = self.first_start(group)?;
        let ask = self.ask(group);
        for (node, times) in shares {
            let duration = self.planner.fleet.nodes[node].duration(group.expected);
            // One by one, since each takes devices of its own.
            for _ in 0..times {
                let Some(least) = self.draft.fits_at(node, ask, (start, duration)) else { break };
                self.book_at(&Slot { node, start, least }, group);
            }
        }
        self.reservations += 1;
        self.refusals.reserved_at(key, start);
        Some(start)
    }

    /// The first time at which all members of a gang have room, and where.
    fn first_start(&mut self, group: &Group) -> Option<(u64, Shares)> {
        let ask = self.ask(group);
        let nodes = &self.planner.fleet.nodes;
        self.spend(2 * nodes.len());
        let together = ask.places.as_ref().and_then(|places| places.together.as_ref());
        let mut starts: Vec<(u64, u32, usize)> = Vec::new();
        for (node, known) in nodes.iter().enumerate() {
            let duration = known.duration(group.expected);
            let start = self.draft.earliest(node, ask, duration);
            let domain = together.map_or(0, |domain| domain.of(node, known.spec.site));
            starts.extend(start.map(|(start, ..)| (start, domain, node)));
        }
        starts.sort_unstable();
        for (last, &(start, domain, _)) in starts.iter().enumerate() {
            let (mut left, mut shares) = (group.count, Shares::new());
            for &(_, _, node) in starts[..=last].iter().filter(|it| it.1 == domain) {
                if left == 0 {
                    break;
                }
                if self.is_out_of_fuel() {
                    self.run_dry();
                    return None;
                }
                self.spend(1);
                let duration = nodes[node].duration(group.expected);
                let times = self.draft.times(node, ask, (start, duration), left);
                shares.push((node, times));
                left -= times;
            }
            if left == 0 {
                return Some((start, shares));
            }
        }
        None
    }
}
