//! From a graph to a compressed graph: fold, refine, order, find rules, write the member table.
//!
//! It is a pure function of the graph and the method: the same everywhere, to the last bit.

use alloc::vec;
use alloc::vec::Vec;

use model::collections::HashMap;

use crate::bundle::Bundles;
use crate::colour::Colours;
use crate::compressed::{Classes, Compressed};
use crate::fold::{Folded, Folding, fold};
use crate::graph::Graph;
use crate::order::order;
use crate::rows::Rows;
use crate::rule::Rule;
use crate::sequence::Sequence;
use crate::shape::{Placed, ShapeId};

/// How a graph is made small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method {
    /// What is folded first.
    pub folding: Folding,
    /// Whether what is left is put into the classes that colour refinement finds. If not, each
    /// node that is left is a class of its own.
    pub quotient: bool,
}

impl Method {
    /// Chains, then classes.
    pub const QUOTIENT: Self = Self { folding: Folding::Chains, quotient: true };
    /// Chains and siblings by turns, then classes of what is left. It is usually the smallest; not
    /// always, since classes of parts can be more than classes of their nodes.
    pub const FIXPOINT_QUOTIENT: Self = Self { folding: Folding::Fixpoint, quotient: true };

    /// Folding alone.
    #[must_use]
    pub const fn fold(folding: Folding) -> Self {
        Self { folding, quotient: false }
    }
}

/// Compresses a graph. O((nodes + edges) log nodes), times the depth of nesting where classes are
/// ordered, which is bounded.
#[must_use]
pub fn compress(graph: &Graph, method: Method) -> Compressed {
    let folded = fold(graph, method.folding);
    let shapes: Vec<u32> =
        folded.pieces.iter().map(|&piece| folded.placer.shape(piece).0).collect();
    let Colours { class_of, count } = if method.quotient {
        Colours::refine(&shapes, &folded.successors, &folded.predecessors)
    } else {
        Colours::discrete(folded.pieces.len())
    };
    let members = Rows::group(count as usize, &class_of);
    let bundles = Bundles::new(&folded.successors, &members, &class_of);
    let members = order(&members, &class_of, &bundles);
    let Rules { targets, rule_of, rules, listed } = find_rules(&members, &bundles);
    let (classes, nodes) = place_members(&folded, &members);
    let Folded { shapes, .. } = folded;
    Compressed { method, shapes, classes, nodes, targets, rule_of, rules, listed }
}

struct Rules {
    targets: Rows,
    rule_of: Sequence,
    rules: Vec<Rule>,
    listed: Vec<u32>,
}

/// Finds the rule of each bundle.
fn find_rules(members: &Rows, bundles: &Bundles) -> Rules {
    let mut place = vec![0; members.entry_count()];
    for (_, row) in members.iter() {
        (0..).zip(row).for_each(|(at, &member)| place[member as usize] = at);
    }
    let (mut rule_of, mut rules, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    let mut known = HashMap::default();
    for bundle in &bundles.list {
        let sides = Bundles::sides(bundle, members);
        let rule = if bundle.len() as u64 == sides.pairs() {
            Rule::ALL_TO_ALL
        } else {
            Rule::find(&bundles.rows(bundle, &place, sides), sides, &mut listed)
        };
        rule_of.push(*known.entry(rule).or_insert_with(|| {
            rules.push(rule);
            rules.len() as u32 - 1
        }));
    }
    rules.shrink_to_fit();
    listed.shrink_to_fit();
    let targets: Vec<_> =
        bundles.list.iter().map(|bundle| (bundle.source, bundle.target)).collect();
    let rule_of = Sequence::new(&rule_of);
    Rules { targets: Rows::new(members.len(), &targets), rule_of, rules, listed }
}

/// Writes the nodes of all members, class by class, each class in the way that takes less.
fn place_members(folded: &Folded, members: &Rows) -> (Classes, Sequence) {
    let (mut shapes, mut begins, mut by_leaf) = (Vec::new(), vec![0], Vec::new());
    let mut nodes = Vec::new();
    for (_, row) in members.iter() {
        let shape = folded.placer.shape(folded.pieces[row[0] as usize]);
        by_leaf.push(u32::from(place_class(folded, row, shape, &mut nodes)));
        shapes.push(shape.0);
        begins.push(nodes.len() as u32);
    }
    let [shapes, begins, by_leaf, nodes] =
        [shapes, begins, by_leaf, nodes].map(|numbers| Sequence::new(&numbers));
    (Classes { shapes, begins, by_leaf }, nodes)
}

/// Appends the nodes of a class, and says whether they stand leaf by leaf.
fn place_class(folded: &Folded, members: &[u32], shape: ShapeId, nodes: &mut Vec<u32>) -> bool {
    let leaves = folded.shapes.leaves(shape);
    let count = members.len() as u32;
    let place = |placed: fn(ShapeId, [u32; 3]) -> Placed| {
        let mut nodes = vec![0; (leaves * count) as usize];
        for (number, &member) in (0..).zip(members) {
            let piece = folded.pieces[member as usize];
            let placed = placed(shape, [leaves, count, number]);
            folded.placer.place(&folded.shapes, piece, placed, &mut nodes);
        }
        nodes
    };
    let by_member = place(|shape, [leaves, _, number]| Placed::alone(shape, number * leaves));
    if leaves == 1 || count == 1 {
        nodes.extend_from_slice(&by_member);
        return false;
    }
    let by_leaf = place(|shape, [_, count, number]| Placed::alone(shape, 0).one_of(count, number));
    let is_smaller = Sequence::new(&by_leaf).bytes() < Sequence::new(&by_member).bytes();
    nodes.extend_from_slice(if is_smaller { &by_leaf } else { &by_member });
    is_smaller
}
