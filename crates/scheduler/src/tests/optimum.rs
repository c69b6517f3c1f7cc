//! The best that can be done, by trying everything. For a handful of tasks, each of which takes a
//! node for itself, in whatever way it is done.

use alloc::vec;
use alloc::vec::Vec;

use super::super::ask::Form;
use super::super::{Ask, NodeSpec};
use super::world::Task;

/// The least makespan of tasks that each take a node for themselves: every order in which
/// dependencies allow, every node that can hold it for each, every way to do it.
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
    /// On which nodes a task can be done, and how long it takes there.
    fn choices(&self, task: usize) -> Vec<(usize, u64)> {
        let task = &self.tasks[task];
        let first = [(&task.ask, task.takes)].into_iter();
        let ways = first.chain(task.others.iter().map(|(ask, takes)| (ask, *takes)));
        let nodes = self.nodes.iter().enumerate();
        let on_nodes = ways.flat_map(|way| nodes.clone().map(move |node| (node, way)));
        let held = on_nodes.filter(|((_, node), (ask, _))| holds(node, ask));
        held.map(|((at, node), (_, takes))| (at, takes * 1_000 / u64::from(node.speed))).collect()
    }

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
            for (node, takes) in self.choices(task) {
                let was = free[node];
                free[node] = was.max(ready) + takes;
                ends[task] = Some(free[node]);
                self.go(ends, free);
                (free[node], ends[task]) = (was, None);
            }
        }
    }
}

fn holds(node: &NodeSpec, ask: &Ask) -> bool {
    let form = Form { amounts: node.capacity.len(), devices: node.devices.clone() };
    form.fits(&form.empty(&node.capacity), ask)
}
