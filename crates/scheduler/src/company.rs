//! Items that are spread, or kept together: where the live ones of each task are, and what follows
//! from that for the next. What asks for neither is not in here.

use alloc::collections::BTreeMap;
use core::cmp::Reverse;

use model::collections::HashMap;

use super::ask::Ask;
use super::backlog::{Group, GroupKey};
use super::plan::Planning;
use super::site::{Domain, Places, SiteId};

/// Of tasks whose items look at each other, how many live items each node has.
#[derive(Clone, Debug, Default)]
pub(super) struct Company {
    tasks: HashMap<(u64, u32), BTreeMap<usize, u32>>,
}

impl Company {
    /// An item has been given to a node.
    pub(super) fn comes(&mut self, item: GroupKey, node: usize) {
        *self.tasks.entry((item.run, item.task)).or_default().entry(node).or_default() += 1;
    }

    /// An item is no longer with its node.
    pub(super) fn goes(&mut self, item: GroupKey, node: usize) {
        let Some(nodes) = self.tasks.get_mut(&(item.run, item.task)) else { return };
        if let Some(count) = nodes.get_mut(&node) {
            *count -= 1;
            if *count == 0 {
                nodes.remove(&node);
            }
        }
        if nodes.is_empty() {
            self.tasks.remove(&(item.run, item.task));
        }
    }

    /// A node is gone with all that it had.
    pub(super) fn forget(&mut self, node: usize) {
        self.tasks.retain(|_, nodes| {
            nodes.remove(&node);
            !nodes.is_empty()
        });
    }

    fn of(&self, key: GroupKey) -> Option<&BTreeMap<usize, u32>> {
        self.tasks.get(&(key.run, key.task))
    }
}

/// How much of what is liked is missing at a node, and how many others of the task are there.
pub(super) type Wish = (u8, u32);

/// What the live items of a task make of nodes, for the group whose turn it is.
#[derive(Debug)]
pub(super) struct Circle<'a> {
    places: &'a Places,
    /// How many live items of the task each group of nodes has, if they are to be spread.
    crowds: BTreeMap<u32, u32>,
    /// The one group of nodes that items may go to, if they are to be together and that is settled.
    home: Option<u32>,
}

impl Circle<'_> {
    /// Whether items may go to a node as far as the others of their task are concerned.
    fn lets(&self, node: usize, site: SiteId) -> bool {
        match (self.home, &self.places.together) {
            (Some(home), Some(domain)) => domain.of(node, site) == home,
            _ => true,
        }
    }

    /// How many live items of the task there are where a node is.
    fn crowd(&self, node: usize, site: SiteId) -> u32 {
        let domain = self.places.spread.as_ref().map(|domain| domain.of(node, site));
        domain.and_then(|domain| self.crowds.get(&domain)).copied().unwrap_or(0)
    }
}

impl Planning<'_> {
    /// Looks where the live items of a group's task are, if that matters to it.
    pub(super) fn look_at_others(&mut self, key: GroupKey, group: &Group) {
        let places = self.ask(group).places.as_deref();
        self.circle = places.filter(|places| places.looks_at_others()).map(|places| {
            let mut circle = Circle { places, crowds: BTreeMap::new(), home: None };
            let nodes = self.joined.of(key).or_else(|| self.planner.company.of(key));
            for (&node, &count) in nodes.into_iter().flatten() {
                let site = self.planner.fleet.nodes[node].spec.site;
                if let Some(domain) = &places.spread {
                    *circle.crowds.entry(domain.of(node, site)).or_default() += count;
                }
                circle.home = places.together.as_ref().map(|domain| domain.of(node, site));
            }
            circle
        });
    }

    /// Whether the group whose turn it is may go to a node, as far as the others of its task are
    /// concerned.
    pub(super) fn lets(&self, node: usize) -> bool {
        let site = self.planner.fleet.nodes[node].spec.site;
        self.circle.as_ref().is_none_or(|circle| circle.lets(node, site))
    }

    /// Whether it matters to the group whose turn it is where others of its task are.
    pub(super) const fn looks_at_others(&self) -> bool {
        self.circle.is_some()
    }

    /// Whether the group whose turn it is has to go where others of its task are.
    pub(super) fn is_bound(&self) -> bool {
        self.circle.as_ref().is_some_and(|circle| circle.home.is_some())
    }

    /// What a node is to the group whose turn it is beside what it has: how much of what is liked
    /// is missing there, and how many others of its task are there. Less is better.
    pub(super) fn wish(&self, node: usize, ask: &Ask) -> Wish {
        let site = self.planner.fleet.nodes[node].spec.site;
        let unmet = ask.places.as_ref().map_or(0, |places| places.unmet(site));
        (unmet, self.circle.as_ref().map_or(0, |circle| circle.crowd(node, site)))
    }

    /// Leaves of the nodes with room those where the others of the task are. Where there is none
    /// so far, those of the group of nodes that has room for the most of them are left.
    pub(super) fn stay_together(&mut self, ask: &Ask, count: u32) {
        let Some(circle) = self.circle.as_ref() else { return };
        let Some(domain) = &circle.places.together else { return };
        let (home, looks) = (circle.home, self.candidates.roomy.len());
        let home = home.or_else(|| self.roomiest(domain, ask, count));
        if let Some(circle) = &mut self.circle {
            circle.home = home;
        }
        self.spend(looks);
        let mut roomy = core::mem::take(&mut self.candidates.roomy);
        roomy.retain(|&node| self.lets(node));
        self.candidates.roomy = roomy;
    }

    /// The group of nodes that has room for the most of so many items; of those that have as much,
    /// the one that is liked most.
    fn roomiest(&self, domain: &Domain, ask: &Ask, count: u32) -> Option<u32> {
        let mut groups: BTreeMap<u32, (u64, Reverse<Wish>)> = BTreeMap::new();
        for &node in &self.candidates.roomy {
            let (form, site) = (self.draft.form(node), self.planner.fleet.nodes[node].spec.site);
            let times = u64::from(form.times(self.draft.free(node), ask, count));
            let wish = Reverse(self.wish(node, ask));
            let group = groups.entry(domain.of(node, site)).or_insert((0, wish));
            *group = ((group.0 + times).min(count.into()), group.1.max(wish));
        }
        let best = groups.into_iter().max_by_key(|&(group, size)| (size, Reverse(group)));
        best.map(|(group, _)| group)
    }

    /// An item of the group whose turn it is begins on a node.
    pub(super) fn join(&mut self, key: GroupKey, node: usize) {
        let Some(circle) = &mut self.circle else { return };
        let site = self.planner.fleet.nodes[node].spec.site;
        if let Some(domain) = &circle.places.spread {
            *circle.crowds.entry(domain.of(node, site)).or_default() += 1;
        }
        if let Some(domain) = &circle.places.together {
            circle.home = Some(domain.of(node, site));
        }
        if self.joined.of(key).is_none()
            && let Some(known) = self.planner.company.of(key)
        {
            self.joined.tasks.insert((key.run, key.task), known.clone());
        }
        self.joined.comes(key, node);
    }
}
