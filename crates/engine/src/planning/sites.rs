//! What tasks ask of the sites of workers, as the planner compares it: numbers instead of labels.
//!
//! Only the labels that some task names tell workers apart, so that there are few sites where there
//! are many workers. When there is another site or another label is named, all are numbered anew
//! before the next plan.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use model::collections::HashMap;
use model::{Constraints, Site, WorkerId};
use scheduler::{Domain, NodeId, Places, SiteId};

use super::Planning;
use crate::state::State;

/// The sites of workers, as far as constraints tell them apart.
#[derive(Debug, Default)]
pub(super) struct Sites {
    /// The keys of labels that constraints have named.
    keys: BTreeSet<Box<str>>,
    /// By number.
    list: Vec<Site>,
    numbers: HashMap<Site, SiteId>,
    /// What constraints come to with these sites, as far as it has been worked out.
    places: HashMap<Constraints, Places>,
    /// Whether the numbers have to be given anew.
    is_old: bool,
}

impl Sites {
    /// The number of a worker's site; that of the first if it is not known yet.
    pub(super) fn number(&mut self, site: &Site) -> SiteId {
        let known = self.numbers.get(&self.seen(site)).copied();
        self.is_old |= known.is_none();
        known.unwrap_or_default()
    }

    /// What of a site matters to any constraint.
    fn seen(&self, site: &Site) -> Site {
        let labels = site.labels.iter().filter(|(key, _)| self.keys.contains(key));
        Site { labels: labels.cloned().collect(), taints: site.taints.clone() }
    }

    /// What constraints come to for the planner; `None` for those that ask for nothing.
    pub(super) fn places(&mut self, constraints: &Constraints) -> Option<Box<Places>> {
        if constraints.is_empty() {
            return None;
        }
        for key in constraints.keys() {
            self.is_old |= !self.keys.contains(key) && self.keys.insert(key.into());
        }
        if let Some(known) = self.places.get(constraints) {
            return Some(Box::new(known.clone()));
        }
        let numbered = || (0..).map(SiteId).zip(&self.list);
        let open =
            numbered().filter(|(_, site)| constraints.admits(site)).map(|(number, _)| number);
        let unmet = |site| u8::try_from(constraints.unmet(site)).unwrap_or(u8::MAX);
        let places = Places {
            open: open.collect(),
            unmet: match constraints.prefer.is_empty() {
                true => Vec::new(),
                false => self.list.iter().map(unmet).collect(),
            },
            spread: constraints.spread.as_ref().map(|domain| self.domain(domain)),
            together: constraints.together.as_ref().map(|domain| self.domain(domain)),
        };
        self.places.insert(constraints.clone(), places.clone());
        Some(Box::new(places))
    }

    /// Sites by the values of a label: 0 stands for those without it.
    fn domain(&self, domain: &model::site::Domain) -> Domain {
        let model::site::Domain::Label(key) = domain else { return Domain::Node };
        let mut values: Vec<&str> = self.list.iter().filter_map(|site| site.label(key)).collect();
        values.sort_unstable();
        values.dedup();
        let group = |site: &Site| {
            let at = site.label(key).and_then(|value| values.binary_search(&value).ok());
            at.map_or(0, |at| u32::try_from(at + 1).unwrap_or(u32::MAX))
        };
        Domain::Site(self.list.iter().map(group).collect())
    }

    /// Numbers the sites of all workers anew.
    fn renumber<'s>(&mut self, sites: impl Iterator<Item = &'s Site>) {
        self.places.clear();
        self.list = sites.map(|site| self.seen(site)).collect();
        self.list.sort_unstable();
        self.list.dedup();
        self.numbers = self.list.iter().cloned().zip((0..).map(SiteId)).collect();
        self.is_old = false;
    }
}

impl Planning {
    /// Numbers sites anew if it is time, and tells who may go where by the new numbers.
    pub(super) fn tell_sites(&mut self, state: &State) {
        if !self.ways.sites.is_old {
            return;
        }
        let workers: Vec<(WorkerId, NodeId)> = self.nodes.iter().collect();
        let known = || {
            let known = workers.iter().map(|&(worker, node)| (state.worker(worker), node));
            known.filter_map(|(worker, node)| Some((&worker?.site, node)))
        };
        self.ways.sites.renumber(known().map(|(site, _)| site));
        let sites = &mut self.ways.sites;
        let numbered: Vec<_> = known().map(|(site, node)| (node, sites.number(site))).collect();
        self.planner.set_sites(numbered);
        self.tell_places(state);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use model::site::Selector;

    use super::*;

    fn site(zone: &str, disk: &str, taints: &[&str]) -> Site {
        let labels = [("zone", zone), ("disk", disk)];
        let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|(key, value)| (key.into(), value.into()));
        Site::new(labels, taints.iter().map(|&taint| taint.into()))
    }

    #[test]
    fn only_labels_that_are_named_tell_workers_apart() {
        let workers = [site("a", "ssd", &[]), site("b", "hdd", &[]), site("a", "hdd", &["x"])];
        let mut sites = Sites::default();
        sites.renumber(workers.iter());
        let number = |sites: &mut Sites| workers.each_ref().map(|it| sites.number(it).0);
        assert_eq!(number(&mut sites), [0, 0, 1], "by the taint alone");
        let select = [Selector { key: "zone".into(), values: ["a".into()].into() }].into();
        let asked = Constraints { select, ..Constraints::default() };
        sites.places(&asked).expect("it asks");
        assert!(sites.is_old, "a label is named for the first time");
        sites.renumber(workers.iter());
        let places = sites.places(&asked).expect("it asks");
        let open = number(&mut sites).map(|number| places.open.contains(SiteId(number)));
        assert_eq!(open, [true, false, false]);
        assert!(!sites.is_old);
        sites.number(&site("c", "", &[]));
        assert!(sites.is_old, "a site that was not known");
    }

    #[test]
    fn those_without_the_label_are_one_group() {
        let workers = [site("b", "", &[]), site("a", "", &[]), site("", "", &[])];
        let mut sites = Sites::default();
        let spread = Some(model::site::Domain::Label("zone".into()));
        let asked = Constraints { spread, ..Constraints::default() };
        sites.places(&asked);
        sites.renumber(workers.iter());
        let places = sites.places(&asked).expect("it asks");
        // By their order as sites: without a zone, then `a`, then `b`.
        assert_eq!(places.spread, Some(Domain::Site(vec![0, 1, 2])));
    }
}
