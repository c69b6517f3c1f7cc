//! Rules: which members of one class lead to which members of another, said in a few numbers.
//!
//! A rule speaks of members by their places in their classes. It is found by looking at a few edges
//! and then held against every edge; what follows no rule is listed. The row that a rule is held
//! against is the row that it expands to, from one and the same function, so a rule that was
//! found cannot mean anything else later. Nothing here guesses, and nothing here orders members.

use alloc::vec::Vec;

/// How many ways to cut a listed bundle into equal copies are tried at most.
const COPIES_TRIED_MAX: usize = 32;

/// How many members the two classes of a bundle have, at least one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// Members of the class that the edges come from.
    pub sources: u32,
    /// Members of the class that they lead to.
    pub targets: u32,
}

/// Which members of a class lead to which of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Those that have the same digit: source `i` leads to target `j` if
    /// `(i / source_stride + shift) % radix == (j / target_stride) % radix`.
    /// With the radix 1 all lead to all; with as many digits as members one leads to one; with
    /// strides of several members blocks of one side lead to blocks of the other.
    Digits {
        /// How many digits there are.
        radix: u32,
        /// How many sources in a row have the same digit.
        source_stride: u32,
        /// How many targets in a row have the same digit.
        target_stride: u32,
        /// How much the digits of the sources are turned against those of the targets.
        shift: u32,
    },
    /// Each pair of sources of a block leads to one target: blocks of `size` sources, and for each
    /// block the pairs (0, 1), (0, 2), .., (1, 2), .. in this order.
    Pairs {
        /// How many sources a block has.
        size: u32,
    },
    /// The edges are listed, for the first of `copies` equal blocks of both sides. Each source
    /// leads to `degree` targets.
    Listed {
        /// Where the list begins: targets source by source, ascending.
        first: u32,
        /// How many targets each source has.
        degree: u32,
        /// How many blocks of the same look there are, one behind the other.
        copies: u32,
    },
}

/// What a rule amounts to, for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    /// Each source leads to each target.
    AllToAll,
    /// The members are paired off.
    OneToOne,
    /// Each target has one source.
    FanOut,
    /// Each source has one target.
    FanIn,
    /// Groups of both sides, each with all edges inside.
    Blocks,
    /// Each pair of sources has a target of its own.
    Pairs,
    /// Listed once for several equal blocks.
    Repeated,
    /// Listed one by one.
    Listed,
}

impl Sides {
    /// How many pairs of a source and a target there are.
    pub(crate) const fn pairs(&self) -> u64 {
        self.sources as u64 * self.targets as u64
    }
}

impl Rule {
    /// Each source leads to each target.
    pub(crate) const ALL_TO_ALL: Self =
        Self::Digits { radix: 1, source_stride: 1, target_stride: 1, shift: 0 };

    /// What it amounts to between classes of these sizes.
    #[must_use]
    pub const fn kind(&self, sides: Sides) -> RuleKind {
        match *self {
            Self::Digits { radix: 1, .. } => RuleKind::AllToAll,
            Self::Digits { radix, .. } => match (radix == sides.sources, radix == sides.targets) {
                (true, true) => RuleKind::OneToOne,
                (true, false) => RuleKind::FanOut,
                (false, true) => RuleKind::FanIn,
                (false, false) => RuleKind::Blocks,
            },
            Self::Pairs { .. } => RuleKind::Pairs,
            Self::Listed { copies: 1, .. } => RuleKind::Listed,
            Self::Listed { .. } => RuleKind::Repeated,
        }
    }

    /// How many edges are left where it stands: one for the rule, and each one that is listed. A
    /// list without copies is no rule and counts for its edges alone.
    #[must_use]
    pub const fn edge_count(&self, sides: Sides) -> u64 {
        match *self {
            Self::Digits { .. } | Self::Pairs { .. } => 1,
            Self::Listed { degree, copies, .. } => {
                let listed = (sides.sources / copies) as u64 * degree as u64;
                if copies == 1 { listed } else { listed + 1 }
            }
        }
    }

    /// Appends the targets of `source`, ascending. `listed` is the list that [`Rule::Listed`]
    /// points into.
    pub(crate) fn row(&self, source: u32, sides: Sides, listed: &[u32], targets: &mut Vec<u32>) {
        match *self {
            Self::Digits { radix, source_stride, target_stride, shift } => {
                let digit = (source / source_stride + shift) % radix;
                let round = radix * target_stride;
                let begins =
                    (0..sides.targets / round).map(|at| at * round + digit * target_stride);
                targets.extend(begins.flat_map(|begin| begin..begin + target_stride));
            }
            Self::Pairs { size } => {
                let (block, own) = (source / size, source % size);
                let begin = block * (size * (size - 1) / 2);
                let place = |low: u32, high: u32| {
                    begin + low * size - low * (low + 1) / 2 + (high - low - 1)
                };
                targets.extend((0..own).map(|other| place(other, own)));
                targets.extend((own + 1..size).map(|other| place(own, other)));
            }
            Self::Listed { first, degree, copies } => {
                let block = sides.sources / copies;
                let begin = source / block * (sides.targets / copies);
                let at = (first + source % block * degree) as usize;
                let row = &listed[at..at + degree as usize];
                targets.extend(row.iter().map(|&target| begin + target));
            }
        }
    }

    /// Finds the rule that these rows follow: `rows` holds the targets of each source, ascending,
    /// equally many of each. What has to be listed is appended to `listed`. O(edges), times the
    /// number of divisors tried where nothing but a list will do.
    pub(crate) fn find(rows: &[u32], sides: Sides, listed: &mut Vec<u32>) -> Self {
        let degree = rows.len() as u32 / sides.sources;
        let short = [digits(rows, degree, sides), pairs(degree, sides)];
        if let Some(rule) = short.into_iter().flatten().find(|rule| rule.holds(rows, degree, sides))
        {
            return rule;
        }
        let copies = copies(rows, degree, sides);
        let first = listed.len() as u32;
        listed.extend_from_slice(&rows[..rows.len() / copies as usize]);
        Self::Listed { first, degree, copies }
    }

    /// Whether it gives exactly these rows.
    fn holds(&self, rows: &[u32], degree: u32, sides: Sides) -> bool {
        let mut targets = Vec::with_capacity(degree as usize);
        (0..).zip(rows.chunks_exact(degree as usize)).all(|(source, row)| {
            targets.clear();
            self.row(source, sides, &[], &mut targets);
            targets == row
        })
    }
}

/// The only digits that can be meant, read off the first rows.
fn digits(rows: &[u32], degree: u32, sides: Sides) -> Option<Rule> {
    let width = degree as usize;
    let first = &rows[..width];
    let radix = sides.targets / degree;
    if radix == 1 {
        // All to all has one spelling, however many members there are.
        return Some(Rule::ALL_TO_ALL);
    }
    let differs = rows.chunks_exact(width).position(|row| row != first)?;
    let source_stride = differs as u32;
    let gap = first.windows(2).position(|pair| pair[1] != pair[0] + 1);
    let target_stride = gap.map_or(degree, |at| at as u32 + 1);
    let divides = |stride: u32, members: u32| {
        stride.checked_mul(radix).is_some_and(|round| members.is_multiple_of(round))
    };
    (divides(source_stride, sides.sources)
        && divides(target_stride, sides.targets)
        && first[0].is_multiple_of(target_stride))
    .then(|| Rule::Digits { radix, source_stride, target_stride, shift: first[0] / target_stride })
}

/// The only pairs that can be meant.
fn pairs(degree: u32, sides: Sides) -> Option<Rule> {
    let size = degree + 1;
    let blocks = sides.sources / size;
    let targets = u64::from(blocks) * u64::from(size) * u64::from(degree) / 2;
    (degree > 1 && sides.sources.is_multiple_of(size) && targets == u64::from(sides.targets))
        .then_some(Rule::Pairs { size })
}

/// Into how many equal blocks the rows can be cut: the most that is found.
fn copies(rows: &[u32], degree: u32, sides: Sides) -> u32 {
    let common = greatest_common_divisor(sides.sources, sides.targets);
    let blocks = (1..=common).rev().filter(|&blocks| common.is_multiple_of(blocks));
    let repeats = |&blocks: &u32| {
        let behind = (sides.sources / blocks * degree) as usize;
        let more = sides.targets / blocks;
        rows[behind..].iter().zip(rows).all(|(&later, &earlier)| later == earlier + more)
    };
    blocks.take(COPIES_TRIED_MAX).find(repeats).unwrap_or(1)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds the rule for the edges that `joins` says, and checks that it gives them back.
    fn find(sources: u32, targets: u32, joins: impl Fn(u32, u32) -> bool) -> (Rule, RuleKind) {
        let sides = Sides { sources, targets };
        let all = (0..sources).flat_map(|source| (0..targets).map(move |target| (source, target)));
        let rows: Vec<u32> = all.filter(|&(i, j)| joins(i, j)).map(|edge| edge.1).collect();
        let mut listed = alloc::vec![77];
        let rule = Rule::find(&rows, sides, &mut listed);
        let mut expanded = Vec::new();
        (0..sources).for_each(|source| rule.row(source, sides, &listed, &mut expanded));
        assert_eq!(expanded, rows, "{rule:?}");
        assert_eq!(matches!(rule, Rule::Listed { .. }), listed.len() > 1);
        (rule, rule.kind(sides))
    }

    #[test]
    fn what_has_the_same_digit_is_joined() {
        assert_eq!(find(3, 5, |_, _| true).1, RuleKind::AllToAll);
        assert_eq!(find(6, 6, |i, j| i == j).1, RuleKind::OneToOne);
        assert_eq!(find(3, 12, |i, j| i == j / 4).1, RuleKind::FanOut);
        assert_eq!(find(3, 12, |i, j| i == j % 3).1, RuleKind::FanOut);
        assert_eq!(find(12, 3, |i, j| i / 4 == j).1, RuleKind::FanIn);
        assert_eq!(find(6, 9, |i, j| i / 2 == j / 3).1, RuleKind::Blocks);
        assert_eq!(find(12, 18, |i, j| i / 2 % 3 == j % 3).1, RuleKind::Blocks);
        assert_eq!(find(1, 1, |_, _| true).1, RuleKind::AllToAll);
    }

    #[test]
    fn digits_may_be_turned() {
        let (rule, kind) = find(5, 5, |i, j| (i + 2) % 5 == j);
        assert_eq!(kind, RuleKind::OneToOne);
        let expected = Rule::Digits { radix: 5, source_stride: 1, target_stride: 1, shift: 2 };
        assert_eq!(rule, expected);
        assert_eq!(find(2, 2, |i, j| i != j).1, RuleKind::OneToOne);
        assert_eq!(find(4, 8, |i, j| (i + 1) % 4 == j / 2).1, RuleKind::FanOut);
    }

    #[test]
    fn pairs_have_a_target_each() {
        let all = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
        let joins = |i: u32, j: u32| {
            let pair = all[j as usize % 6];
            i / 4 == j / 6 && (i % 4 == pair.0 || i % 4 == pair.1)
        };
        assert_eq!(find(4, 6, joins), (Rule::Pairs { size: 4 }, RuleKind::Pairs));
        assert_eq!(find(12, 18, joins).1, RuleKind::Pairs);
    }

    #[test]
    fn what_repeats_is_listed_once() {
        let crooked = |i: u32, j: u32| i / 3 == j / 3 && [1, 0, 2][i as usize % 3] == j % 3;
        let expected = Rule::Listed { first: 1, degree: 1, copies: 4 };
        assert_eq!(find(12, 12, crooked), (expected, RuleKind::Repeated));
        assert_eq!(expected.edge_count(Sides { sources: 12, targets: 12 }), 4);
    }

    #[test]
    fn what_follows_no_rule_is_listed() {
        let crooked = |i: u32, j: u32| [1, 0, 2, 4, 3][i as usize] == j;
        assert_eq!(find(5, 5, crooked).1, RuleKind::Listed);
        // The ring of three pairs: each target has two sources, each source two targets.
        let ring = |i: u32, j: u32| j == i || j == (i + 1) % 4;
        assert_eq!(find(4, 4, ring).1, RuleKind::Listed);
    }

    #[test]
    fn every_regular_bundle_of_small_classes_is_given_back() {
        // All ways to join up to four members to up to four.
        for sources in 1..=4u32 {
            for targets in 1..=4u32 {
                for edges in 1u32..1 << (sources * targets) {
                    let joins = |i: u32, j: u32| edges >> (i * targets + j) & 1 == 1;
                    let degree = |i| (0..targets).filter(|&j| joins(i, j)).count();
                    if (1..sources).all(|i| degree(i) == degree(0)) && degree(0) > 0 {
                        find(sources, targets, joins);
                    }
                }
            }
        }
    }
}
