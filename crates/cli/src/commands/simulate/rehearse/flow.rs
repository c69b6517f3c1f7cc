//! A job as a workflow whose tasks sleep: what they ask for and wait for is what was recorded.
//!
//! A task is called by its place in its job, so that what happened to it is found again.

use std::collections::BTreeMap;
use std::path::Path;

use model::Constraints;
use model::queue::DEFAULT_QUEUE;
use model::site::Selector;
use protocol::api::Submit;
use serde_json::{Map, Value, json};
use workload::Task;

use super::Rehearsal;

/// What a task that was recorded does: it lasts as long as it would on this node.
const SLEEP: &str =
    "exec sleep \"$(awk \"BEGIN {print $SECONDS_OF_WORK / $AUTOGLM_NODE_SPEED}\")\"";

/// The submission of a job. Nothing is written: the folder is only where tasks are run.
pub(super) fn submission(rehearsal: &Rehearsal<'_>, folder: &Path, job: usize) -> Submit {
    Submit {
        path: folder.join(format!("job-{job}.json")).display().to_string(),
        content: workflow(rehearsal, job).to_string(),
        params: BTreeMap::new(),
        environment: None,
        env: BTreeMap::new(),
        labels: BTreeMap::new(),
        priority: None,
        new: true,
        no_cache: true,
        idempotency_key: Some(format!("job-{job}")),
    }
}

/// The name of the task at a place of its job.
pub(super) fn name(place: u32) -> String {
    format!("t{place}")
}

/// The place of a task in its job, by its name.
pub(super) fn place(name: &str) -> Option<u32> {
    name.strip_prefix('t')?.parse().ok()
}

fn workflow(rehearsal: &Rehearsal<'_>, job: usize) -> Value {
    let workload = rehearsal.work.workload();
    let it = &workload.jobs[job];
    // Jobs of one name are runs of one workflow only where they are known to be.
    let name = match workload.repeats {
        true => workload.text(it.name).to_owned(),
        false => format!("job-{job}"),
    };
    let queue = whatif::queue_of(rehearsal.work, rehearsal.queues, job);
    let tasks: Vec<Value> = it.tasks.clone().map(|number| task(rehearsal, job, number)).collect();
    let mut workflow = json!({"name": name, "priority": it.priority, "tasks": tasks});
    if *queue != *DEFAULT_QUEUE {
        workflow["queue"] = json!(queue);
    }
    workflow
}

fn task(rehearsal: &Rehearsal<'_>, job: usize, number: u32) -> Value {
    let workload = rehearsal.work.workload();
    let first = workload.jobs[job].tasks.start;
    let it = &workload.tasks()[number as usize];
    let mut task = Map::new();
    task.insert("name".to_owned(), json!(name(number - first)));
    let before = workload.depends_on(number).iter().map(|&on| name(on - first));
    task.insert("depends_on".to_owned(), before.collect());
    if it.duration_us == 0 && asks_nothing(it) {
        task.insert("noop".to_owned(), json!({}));
        return Value::Object(task);
    }
    let seconds = format!("{}.{:06}", it.duration_us / 1_000_000, it.duration_us % 1_000_000);
    task.insert("script".to_owned(), json!(SLEEP.replace("$SECONDS_OF_WORK", &seconds)));
    task.insert("resources".to_owned(), resources(rehearsal, it));
    if let Some(expected) = rehearsal.work.expected_us(number) {
        task.insert("expected".to_owned(), json!(format!("{expected}us")));
    }
    if it.members > 1 {
        task.insert("gang".to_owned(), json!(it.members));
    }
    if let Some(asked) = workload.constraints(number) {
        constrain(&mut task, asked);
    }
    Value::Object(task)
}

const fn asks_nothing(task: &Task) -> bool {
    task.cpu_milli == 0 && task.memory_bytes == 0 && task.devices.count == 0
}

fn resources(rehearsal: &Rehearsal<'_>, task: &Task) -> Value {
    let mut resources = json!({"cpu": format!("{}m", task.cpu_milli), "memory": task.memory_bytes});
    if task.devices.count > 0 {
        let kinds = rehearsal.work.workload().device_kinds(task.devices.kinds);
        let kinds: Vec<&str> = kinds.collect();
        let mut gpu = match task.devices.share_milli {
            1_000 => json!({"count": task.devices.count}),
            share => json!({"share": f64::from(share) / 1e3}),
        };
        if !kinds.is_empty() {
            gpu["type"] = json!(kinds);
        }
        resources["gpu"] = gpu;
    }
    resources
}

/// What a task asks of the nodes that it goes to.
fn constrain(task: &mut Map<String, Value>, asked: &Constraints) {
    let selected = |selectors: &[Selector]| -> Value {
        selectors.iter().map(|it| (it.key.to_string(), json!(it.values))).collect()
    };
    if !asked.select.is_empty() {
        task.insert("select".to_owned(), selected(&asked.select));
    }
    if !asked.prefer.is_empty() {
        task.insert("prefer".to_owned(), selected(&asked.prefer));
    }
    if !asked.tolerate.is_empty() {
        task.insert("tolerate".to_owned(), json!(asked.tolerate));
    }
}

#[cfg(test)]
mod tests {
    use model::queue::QueueTree;
    use whatif::{Cluster, Load, Policy};
    use workload::{Builder, NewJob, NewTask, NodeKind};

    use super::*;

    /// A job of four tasks: one that only orders, one with a part of a GPU, a gang of two.
    fn rehearsed(check: impl FnOnce(&Rehearsal<'_>)) {
        let mut builder = Builder::new("w");
        builder.job(&NewJob { name: "nightly", tenant: "lab", priority: 70, ..NewJob::default() });
        let nothing = NewTask { cpu_milli: 0, duration_us: 0, ..NewTask::default() };
        let slept = NewTask { duration_us: 2_500_000, estimate_us: Some(3), ..NewTask::default() };
        let kinds = &["T4", "A100"][..];
        let gpu = NewTask { devices: (1, 250), device_kinds: kinds, memory_bytes: 7, ..slept };
        let tasks = [nothing, gpu, NewTask { members: 2, ..slept }];
        let [first, second, third] = tasks.map(|task| builder.task(&task));
        builder.depend(second, first);
        builder.depend(third, first);
        let gpus = vec![workload::Gpu { kind: "T4".into(), count: 1, memory_bytes: 0 }];
        let memory_bytes = 1 << 30;
        let kind = NodeKind { cpu_milli: 4_000, memory_bytes, gpus, ..NodeKind::default() };
        let cluster = Cluster { nodes: vec![kind] };
        let workload = builder.finish().expect("a workload");
        let work = whatif::prepare(vec![workload], &[&cluster], Load::default()).expect("it fits");
        let queues = QueueTree::default();
        let policy = Policy::default();
        check(&Rehearsal { work: &work, cluster: &cluster, queues: &queues, policy });
    }

    #[test]
    fn a_job_is_a_valid_workflow_that_asks_for_what_was_recorded() {
        rehearsed(|rehearsal| {
            let submit = submission(rehearsal, Path::new("/w"), 0);
            let source = spec::Source {
                name: "job.json".to_owned(),
                folder: "/w".into(),
                text: submit.content.clone().into_bytes(),
            };
            assert!(spec::check(&source).is_ok(), "{}", submit.content);
            let told: Value = serde_json::from_str(&submit.content).expect("JSON");
            assert_eq!((&told["name"], &told["priority"]), (&json!("job-0"), &json!(70)));
            assert_eq!(told["tasks"][0], json!({"name": "t0", "depends_on": [], "noop": {}}));
            let gpu = &told["tasks"][1];
            assert_eq!((&gpu["depends_on"], &gpu["expected"]), (&json!(["t0"]), &json!("3us")));
            let asked = json!({"share": 0.25, "type": ["T4", "A100"]});
            assert_eq!(gpu["resources"], json!({"cpu": "1000m", "memory": 7, "gpu": asked}));
            let script = gpu["script"].as_str().expect("a text");
            assert!(script.contains("2.500000 / $AUTOGLM_NODE_SPEED"), "{script}");
            assert_eq!(told["tasks"][2]["gang"], json!(2));
            assert!(submit.new && submit.no_cache, "whatever was before, it is run");
        });
    }

    #[test]
    fn a_task_is_found_again_by_its_name() {
        assert_eq!([name(0), name(17)].map(|it| place(&it)), [Some(0), Some(17)]);
        assert_eq!((place("x1"), place("t")), (None, None));
    }
}
