//! Shapes: what a folded part of a graph looks like, apart from which nodes it is made of. Equal
//! shapes are stored once, so a thousand like chains share one.
//!
//! A shape is a task, a series of shapes or shapes in parallel. It knows no node: the nodes of a
//! shape stand elsewhere, in the order of its **leaves**. Leaf order, which everything that reads
//! or writes member tables goes by:
//!
//! - a task has one leaf;
//! - the parts of a series stand one behind the other;
//! - equal parts in parallel stand task by task: first all that are the first task of a part, part
//!   by part, then all that are the second.
//!
//! So like tasks stand side by side however deep they are nested, the outermost parts apart and the
//! innermost together, which is how a workflow file numbers them.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::HashTable;
use model::collections::HashMap;
use rustc_hash::FxBuildHasher;

/// The number of a shape in its [`Shapes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShapeId(pub u32);

/// Some equal parts of a series or of a parallel shape, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// The shape of each.
    pub shape: ShapeId,
    /// How many, at least 1.
    pub count: u32,
}

/// One shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape<'a> {
    /// A single node.
    Task {
        /// Its label.
        label: u32,
    },
    /// One part after the other: all ends of a part lead to all beginnings of the next.
    Series(&'a [Part]),
    /// Parts side by side, without edges between them.
    Parallel(&'a [Part]),
}

/// Distinct shapes. A shape's parts have smaller numbers than itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shapes {
    /// The shapes `0..labels.len()` are tasks, one for each label that there is.
    labels: Vec<u32>,
    /// Of each other shape whether it is a series, where its parts end, and how many leaves it has.
    series: Vec<bool>,
    ends: Vec<u32>,
    leaves: Vec<u32>,
    parts: Vec<Part>,
}

impl Shapes {
    /// How many distinct shapes there are, tasks among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len() + self.series.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A shape by its number.
    ///
    /// # Panics
    /// If there is no such shape.
    #[must_use]
    pub fn get(&self, id: ShapeId) -> Shape<'_> {
        let id = id.0 as usize;
        let Some(index) = id.checked_sub(self.labels.len()) else {
            return Shape::Task { label: self.labels[id] };
        };
        let begin = if index == 0 { 0 } else { self.ends[index - 1] };
        let parts = &self.parts[begin as usize..self.ends[index] as usize];
        if self.series[index] { Shape::Series(parts) } else { Shape::Parallel(parts) }
    }

    /// How many nodes a shape is made of.
    ///
    /// # Panics
    /// If there is no such shape.
    #[must_use]
    pub fn leaves(&self, id: ShapeId) -> u32 {
        let index = (id.0 as usize).checked_sub(self.labels.len());
        index.map_or(1, |index| self.leaves[index])
    }

    /// What they take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let part = size_of::<Part>() as u64;
        4 * self.labels.len() as u64 + 9 * self.series.len() as u64 + part * self.parts.len() as u64
    }

    /// Calls `found` with the place and the label of each task of a shape.
    pub(crate) fn each_task(&self, place: Placed, mut found: impl FnMut(u32, u32)) {
        let mut rest = Vec::from([place]);
        while let Some(placed) = rest.pop() {
            match self.get(placed.shape) {
                Shape::Task { label } => found(placed.place(), label),
                Shape::Series(_) | Shape::Parallel(_) => self.each_part(placed, |part| {
                    rest.push(part);
                }),
            }
        }
    }

    /// Calls `found` with each edge inside a shape, as the places of its two leaves.
    pub(crate) fn each_edge(&self, place: Placed, mut found: impl FnMut(u32, u32)) {
        let (mut ends, mut begins) = (Vec::new(), Vec::new());
        let mut rest = Vec::from([place]);
        while let Some(placed) = rest.pop() {
            let is_series = match self.get(placed.shape) {
                Shape::Task { .. } => continue,
                Shape::Series(_) => true,
                Shape::Parallel(_) => false,
            };
            let mut before = None;
            self.each_part(placed, |part| {
                if let Some(before) = before.replace(part).filter(|_| is_series) {
                    self.ends(before, &mut ends);
                    self.begins(part, &mut begins);
                    for &from in &ends {
                        begins.iter().for_each(|&to| found(from, to));
                    }
                }
                if part.shape.0 as usize >= self.labels.len() {
                    rest.push(part);
                }
            });
        }
    }

    /// The places of the leaves of a shape that nothing inside it comes before.
    pub(crate) fn begins(&self, place: Placed, places: &mut Vec<u32>) {
        self.outermost(place, places, |parts| {
            let part = parts[0];
            (0, part.shape)
        });
    }

    /// The places of the leaves of a shape that nothing inside it comes after.
    pub(crate) fn ends(&self, place: Placed, places: &mut Vec<u32>) {
        self.outermost(place, places, |parts| {
            let last = parts[parts.len() - 1];
            let all: u32 = parts.iter().map(|part| part.count * self.leaves(part.shape)).sum();
            (all - self.leaves(last.shape), last.shape)
        });
    }

    /// The outermost leaves on one side: `pick` says which part of a series stands there, and how
    /// many leaves come before it.
    fn outermost(
        &self,
        place: Placed,
        places: &mut Vec<u32>,
        pick: impl Fn(&[Part]) -> (u32, ShapeId),
    ) {
        places.clear();
        if (place.shape.0 as usize) < self.labels.len() {
            return places.push(place.place());
        }
        let mut rest = Vec::from([place]);
        while let Some(placed) = rest.pop() {
            match self.get(placed.shape) {
                Shape::Task { .. } => places.push(placed.place()),
                Shape::Series(parts) => {
                    let (before, shape) = pick(parts);
                    rest.push(placed.behind(before, shape));
                }
                Shape::Parallel(_) => self.each_part(placed, |part| rest.push(part)),
            }
        }
    }

    /// Calls `found` with each part of a shape where it stands; a task has none.
    pub(crate) fn each_part(&self, placed: Placed, mut found: impl FnMut(Placed)) {
        let mut before = 0;
        match self.get(placed.shape) {
            Shape::Task { .. } => {}
            Shape::Series(parts) => {
                for &Part { shape, count } in parts {
                    let leaves = self.leaves(shape);
                    for _ in 0..count {
                        found(placed.behind(before, shape));
                        before += leaves;
                    }
                }
            }
            Shape::Parallel(parts) => {
                for &Part { shape, count } in parts {
                    let first = placed.behind(before, shape);
                    (0..count).for_each(|number| found(first.one_of(count, number)));
                    before += count * self.leaves(shape);
                }
            }
        }
    }
}

/// Where a shape stands in a member table: together with others of its look, task by task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) shape: ShapeId,
    /// Where the first task of the first of them stands.
    pub(crate) begin: u32,
    /// How many there are.
    pub(crate) width: u32,
    /// Which of them it is.
    pub(crate) number: u32,
}

impl Placed {
    /// A shape that stands alone.
    pub(crate) const fn alone(shape: ShapeId, begin: u32) -> Self {
        Self { shape, begin, width: 1, number: 0 }
    }

    /// Another shape that stands where this one does, behind so many leaves of each.
    const fn behind(self, leaves: u32, shape: ShapeId) -> Self {
        Self { shape, begin: self.begin + self.width * leaves, ..self }
    }

    /// One of `count` equal parts that stand where this one does.
    pub(crate) const fn one_of(self, count: u32, number: u32) -> Self {
        let (width, number) = (self.width * count, self.number * count + number);
        Self { width, number, ..self }
    }

    /// Where a task stands.
    pub(crate) const fn place(self) -> u32 {
        self.begin + self.number
    }
}

/// Finds or makes shapes, so that equal ones get one number (hash-consing: Ershov 1958).
pub(crate) struct Interner {
    shapes: Shapes,
    composite: HashTable<u32>,
}

impl Interner {
    /// Makes a task of each label, and says which is whose: the labels in the order in which they
    /// come first.
    pub(crate) fn new(labels: &[u32]) -> (Self, Vec<ShapeId>) {
        let mut shapes = Shapes::default();
        let mut known = HashMap::<u32, ShapeId>::default();
        let task_of = labels.iter().map(|&label| {
            *known.entry(label).or_insert_with(|| {
                shapes.labels.push(label);
                ShapeId(shapes.labels.len() as u32 - 1)
            })
        });
        let task_of = task_of.collect();
        shapes.labels.shrink_to_fit();
        (Self { shapes, composite: HashTable::new() }, task_of)
    }

    /// The series or the parallel shape of these parts.
    pub(crate) fn composite(&mut self, is_series: bool, parts: &[Part]) -> ShapeId {
        let hash = |is_series: bool, parts: &[Part]| FxBuildHasher.hash_one((is_series, parts));
        let as_key = |shapes: &Shapes, id: u32| match shapes.get(ShapeId(id)) {
            Shape::Series(parts) => hash(true, parts),
            Shape::Parallel(parts) => hash(false, parts),
            Shape::Task { .. } => 0,
        };
        let wanted = if is_series { Shape::Series(parts) } else { Shape::Parallel(parts) };
        let is_it = |&id: &u32| self.shapes.get(ShapeId(id)) == wanted;
        let wanted_hash = hash(is_series, parts);
        if let Some(&id) = self.composite.find(wanted_hash, is_it) {
            return ShapeId(id);
        }
        let leaves = parts.iter().map(|part| part.count * self.shapes.leaves(part.shape)).sum();
        let id = self.shapes.len() as u32;
        self.shapes.series.push(is_series);
        self.shapes.leaves.push(leaves);
        self.shapes.parts.extend_from_slice(parts);
        self.shapes.ends.push(self.shapes.parts.len() as u32);
        let Self { shapes, composite } = self;
        composite.insert_unique(wanted_hash, id, |&id| as_key(shapes, id));
        ShapeId(id)
    }

    /// The shapes, once no more are made.
    pub(crate) fn finish(self) -> Shapes {
        let mut shapes = self.shapes;
        shapes.series.shrink_to_fit();
        shapes.ends.shrink_to_fit();
        shapes.leaves.shrink_to_fit();
        shapes.parts.shrink_to_fit();
        shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(shape: ShapeId, count: u32) -> Part {
        Part { shape, count }
    }

    /// `a` before three chains of two `b`, side by side: leaves a, b0 b0 b0, b1 b1 b1.
    fn sample() -> (Shapes, ShapeId) {
        let (mut interner, tasks) = Interner::new(&[7, 9, 9]);
        assert_eq!(tasks, [ShapeId(0), ShapeId(1), ShapeId(1)]);
        let chain = interner.composite(true, &[part(tasks[1], 2)]);
        let three = interner.composite(false, &[part(chain, 3)]);
        let all = interner.composite(true, &[part(tasks[0], 1), part(three, 1)]);
        assert_eq!(interner.composite(true, &[part(tasks[1], 2)]), chain);
        assert_ne!(interner.composite(false, &[part(tasks[1], 2)]), chain);
        (interner.finish(), all)
    }

    #[test]
    fn equal_shapes_are_one() {
        let (shapes, all) = sample();
        assert_eq!(shapes.len(), 6);
        assert_eq!(shapes.leaves(all), 7);
        assert_eq!(shapes.get(ShapeId(1)), Shape::Task { label: 9 });
        assert_eq!(shapes.get(ShapeId(2)), Shape::Series(&[part(ShapeId(1), 2)]));
        assert_eq!(shapes.bytes(), 2 * 4 + 4 * 9 + 5 * 8);
    }

    #[test]
    fn leaves_stand_task_by_task_and_edges_between_them() {
        let (shapes, shape) = sample();
        let placed = Placed::alone(shape, 100);
        let mut tasks = Vec::new();
        shapes.each_task(placed, |place, label| tasks.push((place, label)));
        tasks.sort_unstable();
        let after: Vec<_> = (101..107).map(|place| (place, 9)).collect();
        assert_eq!(tasks[0], (100, 7));
        assert_eq!(tasks[1..], after);
        let mut edges = Vec::new();
        shapes.each_edge(placed, |from, to| edges.push((from, to)));
        edges.sort_unstable();
        let expected = [(100, 101), (100, 102), (100, 103), (101, 104), (102, 105), (103, 106)];
        assert_eq!(edges, expected);
        let mut places = Vec::new();
        shapes.begins(placed, &mut places);
        assert_eq!(places, [100]);
        shapes.ends(placed, &mut places);
        places.sort_unstable();
        assert_eq!(places, [104, 105, 106]);
        // The second of two of them: two `a`, then the six first `b`, of which it has the last.
        shapes.begins(placed.one_of(2, 1), &mut places);
        assert_eq!(places, [101]);
        shapes.ends(placed.one_of(2, 1), &mut places);
        places.sort_unstable();
        assert_eq!(places, [111, 112, 113]);
    }

    #[test]
    fn a_shape_may_be_nested_as_deep_as_there_are_nodes() {
        let (mut interner, tasks) = Interner::new(&[0]);
        let mut shape = tasks[0];
        for _ in 0..200_000 {
            let side = interner.composite(false, &[part(tasks[0], 1), part(shape, 1)]);
            shape = interner.composite(true, &[part(tasks[0], 1), part(side, 1)]);
        }
        let shapes = interner.finish();
        let mut count = 0;
        shapes.each_edge(Placed::alone(shape, 0), |_, _| count += 1);
        assert_eq!((shapes.leaves(shape), count), (400_001, 400_000));
    }
}
