//! Making a failing plan smaller while it still breaks the same invariant.
//!
//! First whole halves of a list go, then quarters, then single entries (Zeller's ddmin, 2002,
//! without its complements); then the length is cut and the work made less. Since streams are
//! named, what is left does not change by what has gone.

use model::Span;

use crate::mutant::Mutant;
use crate::plan::features::{Feature, Features};
use crate::plan::{NetPlan, Plan};
use crate::world;

/// How often a smaller plan is tried, at most.
const TRIES_MAX: usize = 400;

/// Makes `plan`, which breaks the invariant `id`, as small as it gets.
#[must_use]
pub fn shrink(plan: &Plan, id: &str, mutant: Option<Mutant>) -> Plan {
    let mut search = Search { best: plan.clone(), id, mutant, tries: 0 };
    loop {
        let before = search.best.clone();
        search.shorten_list(|plan| &mut plan.faults);
        search.shorten_list(|plan| &mut plan.runs);
        search.drop_nodes();
        search.simplify();
        if search.best == before || search.tries >= TRIES_MAX {
            return search.best;
        }
    }
}

struct Search<'a> {
    best: Plan,
    id: &'a str,
    mutant: Option<Mutant>,
    tries: usize,
}

impl Search<'_> {
    /// Keeps `smaller` if it still fails in the same way.
    fn keep(&mut self, smaller: Plan) -> bool {
        if self.tries >= TRIES_MAX || smaller == self.best {
            return false;
        }
        self.tries += 1;
        let violation = world::run(&smaller, self.mutant, false).violation;
        let same = violation.is_some_and(|violation| violation.id == self.id);
        if same {
            self.best = smaller;
        }
        same
    }

    fn shorten_list<T>(&mut self, list: impl Fn(&mut Plan) -> &mut Vec<T>) {
        let mut size = list(&mut self.best).len() / 2;
        while size > 0 {
            let mut from = 0;
            while from < list(&mut self.best).len() {
                let mut smaller = self.best.clone();
                let entries = list(&mut smaller);
                let to = entries.len().min(from + size);
                entries.drain(from..to);
                if !self.keep(smaller) {
                    from += size;
                }
            }
            size /= 2;
        }
        let mut without = self.best.clone();
        if list(&mut without).len() == 1 {
            list(&mut without).clear();
            self.keep(without);
        }
    }

    /// Machines go from the end, so that the numbers of the others stay.
    fn drop_nodes(&mut self) {
        while self.best.nodes.len() > 1 {
            let mut smaller = self.best.clone();
            smaller.nodes.pop();
            let left = u32::try_from(smaller.nodes.len()).expect("few nodes");
            smaller.faults.retain(|fault| fault.kind.node().is_none_or(|node| node < left));
            if !self.keep(smaller) {
                return;
            }
        }
    }

    fn drop_features(&mut self, run: usize) {
        for (_, feature) in Feature::ALL {
            let mut less = self.best.clone();
            let features = &mut less.runs[run].features;
            *features = features.without(feature);
            if *features == Features::default() {
                less.runs[run].flow = 0;
            }
            self.keep(less);
        }
    }

    fn simplify(&mut self) {
        let mut calm = self.best.clone();
        calm.net = NetPlan { delay_max: calm.net.delay_max, ..NetPlan::default() };
        self.keep(calm);
        let mut steady = self.best.clone();
        steady.disk.unknown = 0;
        self.keep(steady);
        let mut short = self.best.clone();
        short.length = Span(short.length.0 / 2);
        self.keep(short);
        for index in 0..self.best.runs.len() {
            let mut less = self.best.clone();
            less.runs[index].size /= 2;
            self.keep(less);
            let mut plain = self.best.clone();
            let run = &mut plain.runs[index];
            (run.stop, run.terminate, run.retry, run.timeout) = (None, None, None, None);
            (run.concurrency, run.handlers, run.trouble, run.fork) = (None, false, 0, None);
            self.keep(plain);
            self.drop_features(index);
        }
    }
}
