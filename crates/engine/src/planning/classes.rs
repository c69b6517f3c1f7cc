//! Request classes as the planner knows them, each with the way in which its work is done now.

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::collections::HashMap;
use model::device::is_of_kind;
use model::resources::WHOLE_DEVICE;
use model::{Timestamp, VariantId};
use scheduler::{Ask, Device, DeviceAsk, Draw, Kinds, Planner};

use super::Planning;
use super::allowances::{Allowances, Seen};
use super::sites::Sites;
use crate::state::{Class, ClassId, Classes, State};

/// A class, and the way in which what it stands for is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) class: ClassId,
    pub(crate) variant: VariantId,
    /// Who shares parts of devices with nobody else; 0 where that does not matter.
    pub(crate) tenant: u16,
}

impl Way {
    /// What is taken in this way.
    pub(crate) fn taken(self, classes: &Classes) -> &Class {
        classes.get(classes.variant(self.class, self.variant))
    }
}

/// What tells the planner's classes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sort {
    pub(super) class: ClassId,
    /// The first way that may be taken.
    pub(super) from: VariantId,
    /// Who shares parts of devices with nobody else.
    pub(super) tenant: u16,
    /// Whether it goes before all that is not.
    pub(super) critical: bool,
}

/// The classes that the planner was told of.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// By the planner's number, the way in which the work is done now.
    list: Vec<Way>,
    /// What is looked at anew in every plan, with the first way that may be taken: those that have
    /// several, and those that ask for a kind of device.
    choosy: Vec<(scheduler::ClassId, VariantId)>,
    /// Those that take of what all runs share, in some way.
    sharing: Vec<scheduler::ClassId>,
    /// Those that ask for something of the sites of workers.
    constrained: Vec<scheduler::ClassId>,
    numbers: HashMap<Sort, scheduler::ClassId>,
    pub(super) sites: Sites,
    /// The kinds of devices that workers have offered, by their numbers.
    kinds: Vec<Box<str>>,
}

impl Ways {
    pub(super) fn get(&self, class: scheduler::ClassId) -> Way {
        self.list[class.0 as usize]
    }

    /// The planner's number of a class. Each alternative of it is a class to the planner, too.
    pub(super) fn class(
        &mut self,
        state: &State,
        sort: Sort,
        now: Timestamp,
        planner: &mut Planner,
    ) -> scheduler::ClassId {
        let Sort { class, from, tenant, critical } = sort;
        let known = state.classes.get(class);
        let others = || known.others.iter().map(|&other| state.classes.get(other));
        let is_part = |class: &Class| {
            let devices = &class.request.devices;
            devices.count > 0 && devices.share < WHOLE_DEVICE
        };
        let takes_parts = core::iter::once(known).chain(others()).any(is_part);
        let own = Sort { tenant: if takes_parts { tenant } else { 0 }, ..sort };
        if let Some(&known) = self.numbers.get(&own) {
            return known;
        }
        let tenant = own.tenant;
        let way = Way { class, variant: state.way(class, from, now), tenant };
        let ask = self.ask(way, &state.classes);
        let number = planner.add_class(ask);
        if critical {
            planner.set_critical(number);
        }
        self.list.push(way);
        self.numbers.insert(own, number);
        let names_kinds = |class: &Class| !class.request.devices.kinds.is_empty();
        if !known.others.is_empty() || names_kinds(known) {
            self.choosy.push((number, from));
        }
        if !known.constraints.is_empty() {
            self.constrained.push(number);
        }
        if core::iter::once(known).chain(others()).any(|class| !class.shared.is_empty()) {
            self.sharing.push(number);
        }
        let alternatives: Vec<scheduler::ClassId> = known
            .alternatives
            .iter()
            .map(|&class| {
                let sort = Sort { class, from: VariantId::default(), ..sort };
                self.class(state, sort, now, planner)
            })
            .collect();
        planner.set_alternatives(number, &alternatives);
        number
    }
}

/// Kinds of devices that are told apart at most; those beyond are taken for the last.
const KINDS_MAX: usize = 63;

/// Stands for a kind that no worker has.
const NO_KIND: Kinds = 1 << KINDS_MAX;

impl Ways {
    /// What an item asks for of one node.
    fn ask(&mut self, way: Way, classes: &Classes) -> Ask {
        let class = way.taken(classes);
        let asked = &class.request.devices;
        let kinds = (0..)
            .zip(&self.kinds)
            .filter(|(_, kind)| asked.kinds.iter().any(|asked| is_of_kind(asked, kind)));
        let kinds = kinds.fold(0, |kinds, (number, _): (u32, _)| kinds | 1 << number);
        let devices = DeviceAsk {
            count: asked.count,
            share: asked.share,
            memory: asked.memory_bytes,
            kinds: match (asked.kinds.is_empty(), kinds) {
                (true, _) => 0,
                (false, 0) => NO_KIND,
                (false, kinds) => kinds,
            },
            tenant: way.tenant,
        };
        let places = self.sites.places(&class.constraints);
        Ask { amounts: class.amounts.clone(), devices, places }
    }

    /// The devices of a worker as the planner sees them. What asks for a kind is looked at anew in
    /// every plan, since it may be the first of its kind.
    pub(super) fn devices(&mut self, devices: &[model::Device]) -> Vec<Device> {
        let numbered = |device: &model::Device| {
            let known = self.kinds.iter().position(|kind| *kind == device.kind);
            let number = known.unwrap_or_else(|| {
                if self.kinds.len() < KINDS_MAX {
                    self.kinds.push(device.kind.clone());
                }
                self.kinds.len() - 1
            });
            let kind = u8::try_from(number).unwrap_or(u8::MAX);
            Device { kind, memory: device.memory_bytes }
        };
        devices.iter().map(numbered).collect()
    }
}

impl Planning {
    /// Tells of each class that asks for something of sites which those are now.
    pub(super) fn tell_places(&mut self, state: &State) {
        for index in 0..self.ways.constrained.len() {
            let number = self.ways.constrained[index];
            let ask = self.ways.ask(self.ways.get(number), &state.classes);
            self.planner.set_ask(number, &ask);
        }
    }

    /// Tells in which way each class is done now, and what there is of what all runs share.
    pub(super) fn tell_ways(&mut self, state: &State, now: Timestamp) {
        for index in 0..self.ways.choosy.len() {
            let (number, from) = self.ways.choosy[index];
            let way = &mut self.ways.list[number.0 as usize];
            way.variant = state.way(way.class, from, now);
            let ask = self.ways.ask(self.ways.get(number), &state.classes);
            self.planner.set_ask(number, &ask);
        }
        let seen = Seen { shares: &state.shares, now };
        let mut allowances = Allowances::default();
        let sharing = || {
            let waits = |number: &&scheduler::ClassId| self.planner.is_waited_for(**number);
            let numbers = self.ways.sharing.iter().filter(waits);
            numbers.map(|&number| (number, &self.ways.get(number).taken(&state.classes).shared))
        };
        sharing().for_each(|(_, shared)| allowances.widen(shared, seen));
        let draws: Vec<(scheduler::ClassId, Box<[Draw]>)> =
            sharing().map(|(number, shared)| (number, allowances.draws(shared, seen))).collect();
        let (left, limits) = allowances.finish(seen);
        self.planner.set_allowances(left, draws);
        self.limits = limits;
    }
}
