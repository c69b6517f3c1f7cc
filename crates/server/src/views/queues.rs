//! Queues, as they are shown: what each has, and what is in it.

use std::collections::HashMap;

use engine::QueueUse;
use model::TaskStatus;
use model::queue::{DEFAULT_QUEUE, SEPARATOR};
use protocol::api::{KeptResource, KeptRoom, QueueList, QueueResource, QueueSummary};

use crate::handle::View;

/// Runs and items of a queue.
#[derive(Clone, Copy, Default)]
struct Load {
    runs: u64,
    running: u64,
    waiting: u64,
}

/// All that is set for who shares the place.
pub(crate) fn queue_list(view: &View<'_>) -> QueueList {
    QueueList { queues: queues(view), critical: critical(view) }
}

/// What is kept for critical work.
fn critical(view: &View<'_>) -> Vec<KeptRoom> {
    let rooms = view.engine.kept_rooms().into_iter();
    let rooms = rooms.map(|room| {
        let worker = view.engine.state().worker(room.worker);
        let resources = room.resources.iter().map(|it| KeptResource {
            resource: it.resource.as_ref().to_owned(),
            kept: units(&it.resource, it.kept),
            used: units(&it.resource, it.used),
        });
        KeptRoom {
            node: worker.map_or_else(String::new, |worker| worker.name.to_string()),
            resources: resources.collect(),
        }
    });
    rooms.collect()
}

/// All queues that are set. What is in a queue is in those above it, too.
fn queues(view: &View<'_>) -> Vec<QueueSummary> {
    let queues = view.engine.queues();
    let is_set = |path: &str| queues.iter().any(|(spec, _)| *spec.path == *path);
    let mut loads: HashMap<&str, Load> = HashMap::new();
    for (_, run) in view.engine.state().runs().filter(|(_, run)| !run.status().is_final()) {
        let named = &run.admitted().queue;
        let path: &str = if is_set(named) { named } else { DEFAULT_QUEUE };
        let items = run.items();
        let waiting = items.of(TaskStatus::Ready);
        for above in with_those_above(path) {
            let load = loads.entry(above).or_default();
            load.runs += 1;
            load.running += u64::from(run.live());
            load.waiting += u64::from(waiting);
        }
    }
    let summary = |(spec, uses): &(&model::queue::QueueSpec, Vec<QueueUse>)| {
        let Load { runs, running, waiting } = loads.get(&*spec.path).copied().unwrap_or_default();
        QueueSummary {
            queue: spec.path.as_ref().to_owned(),
            weight: spec.weight,
            policy: spec.policy.as_deref().map(str::to_owned),
            runs,
            running,
            waiting,
            resources: uses.iter().map(resource).collect(),
        }
    };
    queues.iter().map(summary).collect()
}

/// A path, and the paths of all queues above.
fn with_those_above(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices(SEPARATOR).map(|(at, _)| at).chain([path.len()]);
    ends.map(|end| &path[..end])
}

/// An amount in units that people use.
#[expect(clippy::cast_precision_loss, reason = "nobody has so much that it matters")]
fn units(resource: &str, amount: u64) -> f64 {
    match resource {
        "cpu" | "gpu" => amount as f64 / 1_000.0,
        _ => amount as f64,
    }
}

fn resource(it: &QueueUse) -> QueueResource {
    let of = |amount: u64| units(&it.resource, amount);
    QueueResource {
        resource: it.resource.as_ref().to_owned(),
        used: of(it.used),
        guarantee: it.guarantee.map(of),
        limit: it.limit.map(of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_queue_is_in_those_above_it() {
        assert_eq!(with_those_above("a/b/c").collect::<Vec<_>>(), ["a", "a/b", "a/b/c"]);
        assert_eq!(with_those_above("a").collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn amounts_are_in_units_that_people_use() {
        let it =
            QueueUse { resource: "gpu".into(), used: 2_500, guarantee: Some(4_000), limit: None };
        let seen = resource(&it);
        assert_eq!((seen.used, seen.guarantee, seen.limit), (2.5, Some(4.0), None));
    }
}
