//! The best that can be done, by trying everything. For a handful of tasks of one unit each.

use alloc::vec;
use alloc::vec::Vec;

use super::super::NodeSpec;
use super::world::Task;

/// The least makespan of tasks that each take a node for themselves: every order in which
/// dependencies allow, every node for each.
pub(super) fn least_makespan(nodes: &[NodeSpec], tasks: &[Task]) -> u64 {
    let mut search = Search { nodes, tasks, best: u64::MAX };
    search.go(&mut vec![None; tasks.len()], &mut vec![0; nodes.len()]);
    search.best
}

struct Search<'a> {
    nodes: &'a [NodeSpec],
    tasks: &'a [Task],
    best: u64,
}

impl Search<'_> {
    /// Goes on from when tasks end, if they have been placed, and when nodes are free.
    fn go(&mut self, ends: &mut Vec<Option<u64>>, free: &mut Vec<u64>) {
        let so_far = free.iter().copied().max().unwrap_or(0);
        if so_far >= self.best {
            return;
        }
        if ends.iter().all(Option::is_some) {
            self.best = so_far;
            return;
        }
        for task in 0..self.tasks.len() {
            let mut before = self.tasks[task].after.iter().map(|&before| ends[before]);
            let ready = before.try_fold(0, |ready, end| Some(ready.max(end?)));
            let Some(ready) = ready.filter(|_| ends[task].is_none()) else { continue };
            for node in 0..self.nodes.len() {
                let takes = self.tasks[task].takes * 1_000 / u64::from(self.nodes[node].speed);
                let was = free[node];
                free[node] = was.max(ready) + takes;
                ends[task] = Some(free[node]);
                self.go(ends, free);
                (free[node], ends[task]) = (was, None);
            }
        }
    }
}
