//! What a task is held to, in plain words: its limits, its class, and whether the node that it is
//! on, or can be on, holds anything to them.

use model::bounds::{Bounds, Enforcement, Means};
use model::resources::CONTAINER;
use model::{TaskId, WorkerId};

use super::subject::Subject;
use super::words::amount;

/// One sentence; nothing for a task without limits. `worker` is where it is, if it is anywhere.
pub(super) fn limits(
    subject: &Subject<'_>,
    task: TaskId,
    worker: Option<WorkerId>,
) -> Option<String> {
    let definition = subject.definition()?;
    let bounds = definition.limits(task)?.bounds();
    let request = &subject.run.graph().policy(task).request;
    let bounds = bounds.at_least(request);
    let mut said = amounts(&bounds);
    if said.is_empty() {
        return None;
    }
    said.push(bounds.class(request).as_str().to_owned());
    let said = said.join(", ");
    if request.custom.iter().any(|(name, _)| **name == *CONTAINER) {
        return Some(format!("{said}; kept by the engine of its container"));
    }
    let name = worker.and_then(|worker| subject.engine.state().worker(worker));
    let enforced = subject.enforced.and_then(|enforced| match name {
        Some(worker) => enforced.of(&worker.name),
        None => enforced.any(),
    });
    Some(match enforced {
        None => said,
        Some((worker, enforcement)) => match missing(&bounds, enforcement) {
            None => format!("{said}; {}", kept_by(&bounds, enforcement)),
            Some(missing) => format!("{said}; not enforced on worker {worker}: {missing}"),
        },
    })
}

fn amounts(bounds: &Bounds) -> Vec<String> {
    let Bounds { cpu_milli, memory_bytes, pids, pin } = *bounds;
    let said = [
        cpu_milli.map(|cpu| format!("at most {}", amount("cpu", cpu))),
        memory_bytes.map(|bytes| format!("at most {}", amount("memory", bytes))),
        pids.map(|pids| format!("at most {pids} processes")),
        pin.then(|| "cores of its own".to_owned()),
    ];
    said.into_iter().flatten().collect()
}

/// The bounds that are set, with what keeps them.
fn means<'a>(
    bounds: &Bounds,
    enforcement: &'a Enforcement,
) -> impl Iterator<Item = (&'static str, &'a Means)> {
    let all = [
        (bounds.cpu_milli, "cpu", &enforcement.cpu),
        (bounds.memory_bytes, "memory", &enforcement.memory),
        (bounds.pids, "pids", &enforcement.pids),
    ];
    all.into_iter().filter_map(|(bound, name, means)| bound.map(|_| (name, means)))
}

fn missing(bounds: &Bounds, enforcement: &Enforcement) -> Option<String> {
    let missing = means(bounds, enforcement).filter_map(|(name, means)| {
        means.missing().map(|reason| format!("{name}, because {reason}"))
    });
    let missing: Vec<_> = missing.collect();
    (!missing.is_empty()).then(|| missing.join("; "))
}

fn kept_by(bounds: &Bounds, enforcement: &Enforcement) -> &'static str {
    let mut kept = means(bounds, enforcement).map(|(_, means)| means);
    match kept.next() {
        Some(Means::CgroupV2) => "kept by control groups (version 2)",
        Some(_) => "kept by control groups (version 1)",
        None => "kept as long as there are cores for it",
    }
}

#[cfg(test)]
mod tests {
    use model::bounds::{Enforcement, Means};

    use super::super::explain::explain;
    use super::super::tests::{Stage, flow};
    use crate::fleet::Enforced;

    #[test]
    fn limits_are_told_with_what_keeps_them() {
        let mut stage = Stage::new(2);
        let run = stage.submit(&flow(
            "",
            &[
                "free",
                "tight, resources: {limits: {cpu: 500m, memory: 1Gi, pids: 64}}",
                "own, resources: {cpu: 2, pin: true}",
            ],
        ));
        let told = |stage: &Stage, task| {
            let subject = stage.subject(run);
            let task = subject.names.find(task).expect("a task of the file");
            explain(&subject, task, None).expect("it has an item").limits
        };
        assert_eq!(told(&stage, "free"), None);
        let tight = "at most 0.5 CPU, at most 1 GiB memory, at most 64 processes, guaranteed";
        assert_eq!(told(&stage, "tight").as_deref(), Some(tight), "nobody knows who keeps them");
        let reason = || Means::None { reason: "the user may not".into() };
        let mut enforcement =
            Enforcement { cpu: reason(), memory: Means::CgroupV2, pids: Means::CgroupV2 };
        stage.enforced = Enforced::default();
        stage.enforced.note("w".into(), enforcement.clone());
        let said = format!("{tight}; not enforced on worker w: cpu, because the user may not");
        assert_eq!(told(&stage, "tight"), Some(said));
        enforcement.cpu = Means::CgroupV2;
        stage.enforced.note("w".into(), enforcement);
        let said = format!("{tight}; kept by control groups (version 2)");
        assert_eq!(told(&stage, "tight"), Some(said));
        let own = "cores of its own, burstable; kept as long as there are cores for it";
        assert_eq!(told(&stage, "own").as_deref(), Some(own));
    }
}
