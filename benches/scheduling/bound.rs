//! What no schedule of a workflow can be shorter than.
//!
//! The largest of: the critical path on the fastest node; and for every set of tasks with at least
//! so much before and so much behind each, the least that is before, the time that all cores
//! together need for the set, and the least that is behind. A set has a second time that it needs:
//! among the k·m + 1 longest tasks of it some core of m runs k + 1.

use workload::{Cluster, Workload};

use crate::MICROS;

/// Steps in which what is before and behind is cut.
const QUANTILES: usize = 24;

struct Dag {
    seconds: Vec<f64>,
    before: Vec<Vec<usize>>,
    behind: Vec<Vec<usize>>,
    /// Each after all that it waits for.
    order: Vec<usize>,
}

impl Dag {
    fn of(workload: &Workload) -> Self {
        let count = workload.tasks().len();
        let seconds = workload.tasks().iter().map(|task| task.duration_us as f64 / MICROS);
        let before: Vec<Vec<usize>> = (0..count)
            .map(|task| {
                let task = u32::try_from(task).expect("numbers of tasks are 32 bits");
                workload.depends_on(task).iter().map(|&on| on as usize).collect()
            })
            .collect();
        let mut behind = vec![Vec::new(); count];
        for (task, on) in before.iter().enumerate() {
            on.iter().for_each(|&on| behind[on].push(task));
        }
        let order = in_order(&behind, before.iter().map(Vec::len).collect());
        Self { seconds: seconds.collect(), before, behind, order }
    }

    /// The longest path of seconds that ends before each task begins.
    fn heads(&self) -> Vec<f64> {
        let mut heads = vec![0.0_f64; self.seconds.len()];
        for &task in &self.order {
            let paths = self.before[task].iter().map(|&on| heads[on] + self.seconds[on]);
            heads[task] = paths.fold(0.0, f64::max);
        }
        heads
    }

    /// The longest path of seconds that begins after each task has ended.
    fn tails(&self) -> Vec<f64> {
        let mut tails = vec![0.0_f64; self.seconds.len()];
        for &task in self.order.iter().rev() {
            let paths = self.behind[task].iter().map(|&next| tails[next] + self.seconds[next]);
            tails[task] = paths.fold(0.0, f64::max);
        }
        tails
    }
}

/// The tasks, each after all that it waits for; `open` is how many of those each has.
pub(crate) fn in_order(behind: &[Vec<usize>], mut open: Vec<usize>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..open.len()).filter(|&task| open[task] == 0).collect();
    let mut at = 0;
    while at < order.len() {
        for &next in &behind[order[at]] {
            open[next] -= 1;
            if open[next] == 0 {
                order.push(next);
            }
        }
        at += 1;
    }
    order
}

/// All seconds of a workflow, and those of its critical path.
pub(crate) fn work_and_path(workload: &Workload) -> (f64, f64) {
    let dag = Dag::of(workload);
    let tails = dag.tails();
    let paths = tails.iter().zip(&dag.seconds).map(|(tail, own)| tail + own);
    (dag.seconds.iter().sum(), paths.fold(0.0, f64::max))
}

/// The bound in seconds, for tasks of one core each.
pub(crate) fn least_makespan(workload: &Workload, cluster: &Cluster) -> f64 {
    let dag = Dag::of(workload);
    let nodes = || cluster.nodes.iter();
    let fastest = nodes().map(|node| f64::from(node.speed_milli) / 1e3).fold(0.0, f64::max);
    let cores = |node: &workload::NodeKind| node.cpu_milli / 1_000 * u64::from(node.count);
    let speed = |node: &workload::NodeKind| cores(node) as f64 * f64::from(node.speed_milli) / 1e3;
    let all: f64 = nodes().map(speed).sum();
    let count: usize = nodes().map(|node| cores(node) as usize).sum();
    let scale = |paths: Vec<f64>| paths.into_iter().map(|path| path / fastest).collect();
    let (heads, tails): (Vec<f64>, Vec<f64>) = (scale(dag.heads()), scale(dag.tails()));
    let through = |task: usize| heads[task] + dag.seconds[task] / fastest + tails[task];
    let mut bound = (0..dag.seconds.len()).map(through).fold(0.0, f64::max);
    for head in quantiles(&heads) {
        for tail in quantiles(&tails) {
            let inside = |&task: &usize| heads[task] >= head && tails[task] >= tail;
            let set: Vec<usize> = (0..dag.seconds.len()).filter(inside).collect();
            let least = |of: &[f64]| set.iter().map(|&task| of[task]).fold(f64::MAX, f64::min);
            let mut longest: Vec<f64> = set.iter().map(|&task| dag.seconds[task]).collect();
            longest.sort_by(|a, b| b.total_cmp(a));
            let pigeonholes = (1..6).filter_map(|k| {
                longest.get(k * count).map(|seconds| (k + 1) as f64 * seconds / fastest)
            });
            let together = longest.iter().sum::<f64>() / all;
            let needs = pigeonholes.fold(together, f64::max);
            if !set.is_empty() {
                bound = f64::max(bound, least(&heads) + needs + least(&tails));
            }
        }
    }
    bound
}

fn quantiles(of: &[f64]) -> Vec<f64> {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    (0..QUANTILES).map(|step| sorted[step * last / (QUANTILES - 1)]).collect()
}
