//! The nodes of what has been folded: for each fold which pieces it was made of, in their order.
//!
//! A piece is a node, a series of pieces, or a group of pieces side by side. Pieces know members,
//! shapes know forms; the two together are the whole, and exactly reversible. Series are joined as
//! linked lists in constant time, so that folding stays linear however it proceeds; their shape is
//! worked out when somebody asks, which is at most once at each length that matters.

use alloc::vec;
use alloc::vec::Vec;

use crate::shape::{Interner, Part, Placed, ShapeId, Shapes};

/// No piece, or no shape yet.
const NONE: u32 = u32::MAX;

/// All pieces. The pieces `0..nodes` are the nodes.
pub(crate) struct Pieces {
    nodes: u32,
    /// Of each piece what comes behind it in the series or the group that it is a part of.
    next: Vec<u32>,
    /// Of each piece its shape, `NONE` as long as nobody asked or since it has grown.
    shape: Vec<u32>,
    /// Of each piece that is no node.
    bodies: Vec<Body>,
    interner: Interner,
    members: Vec<u32>,
    parts: Vec<Part>,
}

#[derive(Clone, Copy)]
struct Body {
    is_series: bool,
    first: u32,
    last: u32,
    /// The smallest node in it: it orders members, and depends on nothing but the graph.
    least: u32,
}

impl Pieces {
    /// A piece for each node.
    pub(crate) fn new(labels: &[u32]) -> Self {
        let (interner, shape) = Interner::new(labels);
        Self {
            nodes: labels.len() as u32,
            next: vec![NONE; labels.len()],
            shape: shape.into_iter().map(|shape| shape.0).collect(),
            bodies: Vec::new(),
            interner,
            members: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// The series of `before` and `after`; both are used up.
    pub(crate) fn join(&mut self, before: u32, after: u32) -> u32 {
        let least = self.least(before).min(self.least(after));
        let first = self.series(before).map_or(before, |body| body.first);
        let last_before = self.series(before).map_or(before, |body| body.last);
        let first_after = self.series(after).map_or(after, |body| body.first);
        let last = self.series(after).map_or(after, |body| body.last);
        self.next[last_before as usize] = first_after;
        let joined = Body { is_series: true, first, last, least };
        let grown = [before, after].into_iter().find(|&piece| self.series(piece).is_some());
        let Some(piece) = grown else { return self.push(joined) };
        self.bodies[(piece - self.nodes) as usize] = joined;
        self.shape[piece as usize] = NONE;
        piece
    }

    /// A group of one member, whose shape is worked out.
    pub(crate) fn group(&mut self, member: u32) -> u32 {
        self.intern(member);
        let least = self.least(member);
        self.push(Body { is_series: false, first: member, last: member, least })
    }

    /// Adds a member to a group.
    pub(crate) fn add(&mut self, group: u32, member: u32) {
        self.intern(member);
        let least = self.least(member);
        let body = &mut self.bodies[(group - self.nodes) as usize];
        debug_assert!(!body.is_series, "only groups take members");
        self.next[body.last as usize] = member;
        body.last = member;
        body.least = body.least.min(least);
        self.shape[group as usize] = NONE;
    }

    /// Whether a piece is a group.
    pub(crate) fn is_group(&self, piece: u32) -> bool {
        self.body(piece).is_some_and(|body| !body.is_series)
    }

    /// The smallest node in a piece.
    pub(crate) fn least(&self, piece: u32) -> u32 {
        self.body(piece).map_or(piece, |body| body.least)
    }

    /// The shape of a piece that grows no more.
    pub(crate) fn intern(&mut self, piece: u32) -> ShapeId {
        if self.shape[piece as usize] == NONE {
            let body = *self.body(piece).expect("nodes have shapes from the beginning");
            self.shape[piece as usize] = match body.is_series {
                true => self.intern_series(body).0,
                false => self.intern_group(piece, body).0,
            };
        }
        ShapeId(self.shape[piece as usize])
    }

    /// Parts of a series are nodes and groups, never series, so this goes no deeper than one step.
    fn intern_series(&mut self, body: Body) -> ShapeId {
        let mut at = body.first;
        while at != NONE {
            if self.shape[at as usize] == NONE {
                let group = *self.body(at).expect("nodes have shapes from the beginning");
                self.shape[at as usize] = self.intern_group(at, group).0;
            }
            at = if at == body.last { NONE } else { self.next[at as usize] };
        }
        self.intern_parts(body)
    }

    /// Members have their shapes since they were added. They are put in order for good: like ones
    /// side by side, each kind by its smallest nodes.
    fn intern_group(&mut self, group: u32, body: Body) -> ShapeId {
        let mut members = core::mem::take(&mut self.members);
        members.extend(self.list(body));
        members.sort_unstable_by_key(|&member| (self.shape[member as usize], self.least(member)));
        members.windows(2).for_each(|pair| self.next[pair[0] as usize] = pair[1]);
        let sorted = Body { first: members[0], last: members[members.len() - 1], ..body };
        self.bodies[(group - self.nodes) as usize] = sorted;
        members.clear();
        self.members = members;
        self.intern_parts(sorted)
    }

    fn intern_parts(&mut self, body: Body) -> ShapeId {
        let mut parts = core::mem::take(&mut self.parts);
        for piece in self.list(body) {
            let shape = ShapeId(self.shape[piece as usize]);
            match parts.last_mut() {
                Some(Part { shape: last, count }) if *last == shape => *count += 1,
                _ => parts.push(Part { shape, count: 1 }),
            }
        }
        let shape = self.interner.composite(body.is_series, &parts);
        parts.clear();
        self.parts = parts;
        shape
    }

    /// All shapes, and the pieces to place by them. Every piece that is to be placed was interned.
    pub(crate) fn finish(self) -> (Shapes, Placer) {
        let Self { nodes, next, shape, bodies, interner, .. } = self;
        (interner.finish(), Placer { nodes, next, shape, bodies })
    }

    fn body(&self, piece: u32) -> Option<&Body> {
        self.bodies.get(piece.checked_sub(self.nodes)? as usize)
    }

    fn series(&self, piece: u32) -> Option<&Body> {
        self.body(piece).filter(|body| body.is_series)
    }

    fn list(&self, body: Body) -> impl Iterator<Item = u32> + '_ {
        let follow = move |&at: &u32| (at != body.last).then(|| self.next[at as usize]);
        core::iter::successors(Some(body.first), follow)
    }

    fn push(&mut self, body: Body) -> u32 {
        self.bodies.push(body);
        self.next.push(NONE);
        self.shape.push(NONE);
        self.next.len() as u32 - 1
    }
}

/// Writes the nodes of pieces where the leaves of their shapes stand.
pub(crate) struct Placer {
    nodes: u32,
    next: Vec<u32>,
    shape: Vec<u32>,
    bodies: Vec<Body>,
}

impl Placer {
    /// The shape of a piece.
    pub(crate) fn shape(&self, piece: u32) -> ShapeId {
        ShapeId(self.shape[piece as usize])
    }

    /// Writes the nodes of `piece` where its shape is placed.
    pub(crate) fn place(&self, shapes: &Shapes, piece: u32, placed: Placed, nodes: &mut [u32]) {
        let mut rest = Vec::from([(piece, placed)]);
        while let Some((piece, placed)) = rest.pop() {
            let Some(index) = piece.checked_sub(self.nodes) else {
                nodes[placed.place() as usize] = piece;
                continue;
            };
            let mut part = self.bodies[index as usize].first;
            shapes.each_part(placed, |placed| {
                rest.push((part, placed));
                part = self.next[part as usize];
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_of_groups_is_placed_leaf_by_leaf() {
        // 5 -> {4 -> 3, 2 -> 1} -> 0, joined from the middle.
        let mut pieces = Pieces::new(&[0, 1, 2, 1, 2, 0]);
        let one = pieces.join(4, 3);
        let two = pieces.join(2, 1);
        assert_eq!(pieces.intern(one), pieces.intern(two));
        let group = pieces.group(one);
        pieces.add(group, two);
        assert!(pieces.is_group(group) && !pieces.is_group(one));
        let tail = pieces.join(group, 0);
        let whole = pieces.join(5, tail);
        assert_eq!((pieces.least(group), pieces.least(whole)), (1, 0));
        pieces.intern(whole);
        let (shapes, placer) = pieces.finish();
        let mut nodes = [0; 6];
        let placed = Placed::alone(placer.shape(whole), 0);
        placer.place(&shapes, whole, placed, &mut nodes);
        assert_eq!(nodes, [5, 2, 4, 1, 3, 0]);
        let mut apart = [9; 12];
        placer.place(&shapes, whole, placed.one_of(2, 1), &mut apart);
        assert_eq!(apart, [9, 5, 9, 9, 2, 4, 9, 9, 1, 3, 9, 0]);
    }

    #[test]
    fn series_are_the_same_whatever_the_order_of_joining() {
        let mut pieces = Pieces::new(&[0, 0, 0, 0, 0, 0, 0, 0]);
        let left = [0, 1, 2, 3].into_iter().reduce(|a, b| pieces.join(a, b)).unwrap();
        let tail = pieces.join(6, 7);
        let middle = pieces.join(5, tail);
        let right = pieces.join(4, middle);
        assert_eq!(pieces.intern(left), pieces.intern(right));
        let (shapes, placer) = pieces.finish();
        assert_eq!(shapes.leaves(placer.shape(left)), 4);
    }
}
