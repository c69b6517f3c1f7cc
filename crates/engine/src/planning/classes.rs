//! Request classes as the planner knows them, each with the way in which its work is done now.

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::collections::HashMap;
use model::{Timestamp, VariantId};
use scheduler::{Ask, Draw, Planner};

use super::Planning;
use super::allowances::{Allowances, Seen};
use crate::state::{Class, ClassId, Classes, State};

/// A class, and the way in which what it stands for is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) class: ClassId,
    pub(crate) variant: VariantId,
}

impl Way {
    /// What is taken in this way.
    pub(crate) fn taken(self, classes: &Classes) -> &Class {
        classes.get(classes.variant(self.class, self.variant))
    }
}

/// The classes that the planner was told of.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// By the planner's number, the way in which the work is done now.
    list: Vec<Way>,
    /// The first way that may be taken, of those that have several.
    choosy: Vec<(scheduler::ClassId, VariantId)>,
    /// Those that take of what all runs share, in some way.
    sharing: Vec<scheduler::ClassId>,
    numbers: HashMap<(ClassId, VariantId), scheduler::ClassId>,
}

impl Ways {
    pub(super) fn get(&self, class: scheduler::ClassId) -> Way {
        self.list[class.0 as usize]
    }

    /// The planner's number of a class of which no way before `from` may be taken.
    pub(super) fn class(
        &mut self,
        state: &State,
        (class, from): (ClassId, VariantId),
        now: Timestamp,
        planner: &mut Planner,
    ) -> scheduler::ClassId {
        if let Some(&known) = self.numbers.get(&(class, from)) {
            return known;
        }
        let way = Way { class, variant: state.way(class, from, now) };
        let number = planner.add_class(ask(way.taken(&state.classes)));
        self.list.push(way);
        self.numbers.insert((class, from), number);
        let known = state.classes.get(class);
        if !known.others.is_empty() {
            self.choosy.push((number, from));
        }
        let others = known.others.iter().map(|&other| state.classes.get(other));
        if core::iter::once(known).chain(others).any(|class| !class.shared.is_empty()) {
            self.sharing.push(number);
        }
        number
    }
}

/// What an item asks for of one node.
pub(super) fn ask(class: &Class) -> Ask {
    Ask { amounts: class.amounts.clone(), ..Ask::default() }
}

impl Planning {
    /// Tells in which way each class is done now, and what there is of what all runs share.
    pub(super) fn tell_ways(&mut self, state: &State, now: Timestamp) {
        for &(number, from) in &self.ways.choosy {
            let way = &mut self.ways.list[number.0 as usize];
            way.variant = state.way(way.class, from, now);
            self.planner.set_ask(number, &ask(way.taken(&state.classes)));
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
