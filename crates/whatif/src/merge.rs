//! Workloads made into one, or cut down to some of their jobs.

use std::num::NonZeroU64;

use workload::{Arrival, Builder, Job, NewJob, NewTask, Workload};

/// One workload of the jobs of several that are to be kept, by when they come; `keep` is asked for
/// each job of each workload. Nothing if none is kept, or if there are too many tasks.
#[must_use]
pub fn merge(
    workloads: &[Workload],
    mut keep: impl FnMut(&Workload, &Job) -> bool,
) -> Option<Workload> {
    let names: Vec<&str> = workloads.iter().map(|it| it.name.as_str()).collect();
    let name = match &*names {
        [first, _, _, _, ..] => format!("{first} and {} others", names.len() - 1),
        few => few.join(" + "),
    };
    let mut builder = Builder::new(&name);
    let closed = workloads.iter().filter_map(|it| match it.arrival {
        Arrival::Open => None,
        Arrival::Closed { outstanding } => Some(outstanding),
    });
    if let Some(outstanding) = closed.reduce(u32::saturating_add) {
        builder.arrive(Arrival::Closed { outstanding });
    }
    builder.repeat(workloads.iter().all(|it| it.repeats));
    for workload in workloads {
        workload.notes.iter().for_each(|note| builder.note(note.clone()));
        for job in &workload.jobs {
            if keep(workload, job) {
                add(&mut builder, workload, job);
            }
        }
    }
    builder.finish().ok()
}

fn add(builder: &mut Builder, workload: &Workload, job: &Job) {
    builder.job(&NewJob {
        name: workload.text(job.name),
        submit_us: job.submit_us,
        tenant: workload.text(job.tenant),
        queue: workload.text(job.queue),
        priority: job.priority,
    });
    let first = builder.next();
    for (task, number) in workload.tasks_of(job).iter().zip(first..) {
        let kinds: Vec<&str> = workload.device_kinds(task.devices.kinds).collect();
        builder.task(&NewTask {
            name: workload.text(task.name),
            kind: workload.text(task.kind),
            duration_us: task.duration_us,
            estimate_us: task.estimate_us.map(NonZeroU64::get),
            cpu_milli: u64::from(task.cpu_milli),
            memory_bytes: task.memory_bytes,
            devices: (task.devices.count, task.devices.share_milli),
            device_kinds: &kinds,
            terms: workload.terms(number - first + job.tasks.start),
            members: task.members,
            input_bytes: task.input_bytes,
            output_bytes: task.output_bytes,
        });
        for &on in workload.depends_on(number - first + job.tasks.start) {
            builder.depend(number, on - job.tasks.start + first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs that come at these times, in microseconds, each a task and one that waits for it.
    fn workload(name: &str, times: &[u64]) -> Workload {
        let mut builder = Builder::new(name);
        for &submit_us in times {
            builder.job(&NewJob { name, submit_us, ..NewJob::default() });
            let device_kinds = &["T4", "A100"];
            let task = NewTask { devices: (1, 500), device_kinds, ..NewTask::default() };
            let [first, second] = [builder.task(&task), builder.task(&task)];
            builder.depend(second, first);
        }
        builder.finish().unwrap()
    }

    #[test]
    fn jobs_of_several_come_in_the_order_of_their_times() {
        let both = [workload("a", &[0, 20]), workload("b", &[10, 30])];
        let merged = merge(&both, |_, job| job.submit_us < 30).unwrap();
        let names: Vec<&str> = merged.jobs.iter().map(|job| merged.text(job.name)).collect();
        assert_eq!((merged.name.as_str(), names), ("a + b", vec!["a", "b", "a"]));
        for job in &merged.jobs {
            assert_eq!(merged.depends_on(job.tasks.start + 1), [job.tasks.start]);
            let devices = merged.tasks_of(job)[0].devices;
            assert_eq!((devices.count, devices.share_milli), (1, 500));
            let kinds: Vec<&str> = merged.device_kinds(devices.kinds).collect();
            assert_eq!(kinds, ["T4", "A100"]);
        }
        assert!(merge(&both, |_, _| false).is_none());
        let many: Vec<Workload> = ["a", "b", "c", "d"].map(|name| workload(name, &[0])).into();
        assert_eq!(merge(&many, |_, _| true).unwrap().name, "a and 3 others");
    }
}
