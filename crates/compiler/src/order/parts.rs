//! Parts: what hangs together, taken apart from the outside in.

use alloc::vec;
use alloc::vec::Vec;

use super::groups::Groups;
use super::sets::Sets;
use crate::rows::Rows;

/// How often everything is taken apart at most. In deeper nests the innermost members keep the
/// order of their numbers.
const ROUNDS_MAX: usize = 24;

const NONE: u32 = u32::MAX;

/// All members, in an order.
pub(super) struct Parts {
    /// The members, part by part; in a part by hint, then by number.
    order: Vec<u32>,
    /// Of each member its part. Parts are numbered as they stand in `order`.
    part_of: Vec<u32>,
    /// Of each member what the bundles that were set aside say of it.
    hints: Vec<u64>,
    parts: u32,
}

/// What a round found out about a part.
#[derive(Clone, Copy)]
struct Finding {
    /// Whether some bundle was let go in it, or it fell apart.
    moved: bool,
    /// The bundle with the fewest groups in it, after how many these are.
    fewest: (u32, u32),
}

impl Parts {
    /// One part, in which members stand by their numbers.
    pub(super) fn new(members: usize) -> Self {
        Self {
            order: (0..members as u32).collect(),
            part_of: vec![0; members],
            hints: vec![0; members],
            parts: 1,
        }
    }

    /// Whether nothing but their numbers tells two members of a class apart.
    pub(super) fn are_tied(&self, a: u32, b: u32) -> bool {
        let key = |member: u32| (self.part_of[member as usize], self.hints[member as usize]);
        key(a) == key(b)
    }

    /// The members of each class as they stand in the order.
    pub(super) fn in_classes(&self, classes: usize, class_of: &[u32]) -> Rows {
        let in_order: Vec<u32> =
            self.order.iter().map(|&member| class_of[member as usize]).collect();
        let places = Rows::group(classes, &in_order);
        let lengths: Vec<u32> = places.iter().map(|(_, row)| row.len() as u32).collect();
        let members = places.iter().flat_map(|(_, row)| row);
        Rows::from_lengths(&lengths, members.map(|&at| self.order[at as usize]).collect())
    }

    /// Takes parts apart until all groups have been let go or set aside.
    pub(super) fn take_apart(mut self, groups: &Groups) -> Self {
        let mut active: Vec<u32> = (0..groups.members.len() as u32).collect();
        for _ in 0..ROUNDS_MAX {
            let nothing = Finding { moved: false, fewest: (NONE, NONE) };
            let mut findings = vec![nothing; self.parts as usize];
            self.let_go(&mut active, groups, &mut findings);
            if active.is_empty() {
                break;
            }
            let apart = self.find_apart(&active, groups, &mut findings);
            self.set_aside(&mut active, groups, &findings);
            self.fall_apart(&apart);
        }
        let Self { order, part_of, hints, .. } = &mut self;
        let part = |member: u32| part_of[member as usize];
        for part in order.chunk_by_mut(|&a, &b| part(a) == part(b)) {
            part.sort_unstable_by_key(|&member| (hints[member as usize], member));
        }
        self
    }

    /// A bundle that has a single group in a part says nothing more there.
    fn let_go(&self, active: &mut Vec<u32>, groups: &Groups, findings: &mut [Finding]) {
        let part = |group: u32| self.part_of[groups.smallest[group as usize] as usize] as usize;
        let bundle = |group: u32| groups.bundle[group as usize];
        let mut counts = vec![0; findings.len()];
        let mut kept = Vec::with_capacity(active.len());
        for chunk in active.chunk_by(|&a, &b| bundle(a) == bundle(b)) {
            chunk.iter().for_each(|&group| counts[part(group)] += 1);
            for &group in chunk {
                let (count, finding) = (counts[part(group)], &mut findings[part(group)]);
                if count == 1 {
                    finding.moved = true;
                } else {
                    finding.fewest = finding.fewest.min((count, bundle(group)));
                    kept.push(group);
                }
            }
            chunk.iter().for_each(|&group| counts[part(group)] = 0);
        }
        *active = kept;
    }

    /// For each member what stands for the smaller part that it belongs to: a member, or `NONE` for
    /// those that no group holds any more, which stay together.
    fn find_apart(&self, active: &[u32], groups: &Groups, findings: &mut [Finding]) -> Vec<u32> {
        let mut sets = Sets::new(self.order.len());
        let mut apart = vec![NONE; self.order.len()];
        for &group in active {
            let members = groups.members.row(group);
            members.iter().for_each(|&member| sets.unite(members[0], member));
            members.iter().for_each(|&member| apart[member as usize] = member);
        }
        for sign in apart.iter_mut().filter(|sign| **sign != NONE) {
            *sign = sets.find(*sign);
        }
        for pair in self.order.windows(2) {
            let [a, b] = [pair[0] as usize, pair[1] as usize];
            if self.part_of[a] == self.part_of[b] && apart[a] != apart[b] {
                findings[self.part_of[a] as usize].moved = true;
            }
        }
        apart
    }

    /// Where nothing moves, sets the bundle with the fewest groups aside: its members remember the
    /// group, and are ordered by it where nothing else orders them.
    fn set_aside(&mut self, active: &mut Vec<u32>, groups: &Groups, findings: &[Finding]) {
        let mut aside = Vec::new();
        active.retain(|&group| {
            let smallest = groups.smallest[group as usize];
            let part = self.part_of[smallest as usize];
            let Finding { moved, fewest } = findings[part as usize];
            let stays = moved || fewest.1 != groups.bundle[group as usize];
            if !stays {
                aside.push((part, smallest, group));
            }
            stays
        });
        aside.sort_unstable();
        for chunk in aside.chunk_by(|a, b| a.0 == b.0) {
            for (number, &(_, _, group)) in (0..).zip(chunk) {
                for &member in groups.members.row(group) {
                    let hint = &mut self.hints[member as usize];
                    let room = hint.checked_mul(chunk.len() as u64);
                    *hint = room.and_then(|hint| hint.checked_add(number)).unwrap_or(*hint);
                }
            }
        }
    }

    /// Makes what is apart parts of their own: within each old part by the largest hints, then in
    /// the order in which they come first. Members without a hint have 0 and decide nothing.
    fn fall_apart(&mut self, apart: &[u32]) {
        // Of each sign the number of its smaller part; those without a sign share the last place.
        let mut number_of = vec![NONE; apart.len() + 1];
        let sign = |member: u32| (apart[member as usize] as usize).min(apart.len());
        let mut parts = 0;
        let part_of_old = self.part_of.clone();
        let old = |member: u32| part_of_old[member as usize];
        let mut smaller: Vec<(u64, u32)> = Vec::new();
        let mut rank = Vec::new();
        for part in self.order.chunk_by_mut(|&a, &b| old(a) == old(b)) {
            smaller.clear();
            number_of[apart.len()] = NONE;
            for &member in &*part {
                let number = &mut number_of[sign(member)];
                let hint = self.hints[member as usize];
                if *number == NONE {
                    *number = smaller.len() as u32;
                    smaller.push((hint, *number));
                }
                let largest = &mut smaller[*number as usize].0;
                *largest = hint.max(*largest);
            }
            smaller.sort_unstable();
            rank.resize(smaller.len(), 0);
            (parts..).zip(&smaller).for_each(|(place, &(_, number))| rank[number as usize] = place);
            for &member in &*part {
                self.part_of[member as usize] = rank[number_of[sign(member)] as usize];
            }
            if smaller.len() > 1 {
                let part_of = &self.part_of;
                part.sort_by_key(|&member| part_of[member as usize]);
            }
            parts += smaller.len() as u32;
        }
        self.parts = parts;
    }
}
