//! What really happened to the jobs of a workload, measured as a simulation of it is: beside one it
//! shows how far simulations can be trusted.

use model::queue::QueueTree;
use workload::Cluster;

use crate::Work;
use crate::measure::{Seen, look};
use crate::paths::Behind;
use crate::play::{Attempt, Played};

/// What it is called in the place of a policy.
pub const RECORDED: &str = "recorded";

/// What really happened to the jobs of a workload, job by job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// In the order of the workload.
    pub jobs: Vec<RecordedJob>,
}

/// What really happened to a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedJob {
    /// When it came, in microseconds of the workload.
    pub came_us: u64,
    /// When it ended, in microseconds of the workload.
    pub ended_us: u64,
    /// Its attempts. Tasks are counted from the first of the job.
    pub attempts: Vec<Attempt>,
}

impl Recorded {
    /// What happened to the jobs that were kept when `work` was prepared, in their order.
    #[must_use]
    pub fn of(work: &Work, kept: Vec<RecordedJob>) -> Self {
        let mut kept = kept.into_iter();
        let job = |is_kept: &bool| is_kept.then(|| kept.next().unwrap_or_default());
        Self { jobs: work.kept.iter().map(job).map(Option::unwrap_or_default).collect() }
    }

    /// Measures under a name what happened to the jobs that are simulated. `cluster` has the nodes
    /// on which it did, `work` was prepared of the workload beside which this was recorded.
    #[must_use]
    pub fn measure(
        &self,
        name: &'static str,
        (work, cluster): (&Work, &Cluster),
        queues: &QueueTree,
    ) -> Seen {
        look(name, (work, cluster), queues, &self.played(work))
    }

    fn played(&self, work: &Work) -> Played {
        let workload = &work.workload;
        let mut played = Played {
            came_us: Vec::with_capacity(workload.jobs.len()),
            ended_us: Vec::with_capacity(workload.jobs.len()),
            ready_us: vec![0; workload.tasks().len()],
            attempts: Vec::new(),
        };
        let kept = self.jobs.iter().zip(&work.kept).filter(|&(_, &kept)| kept);
        for (job, (recorded, _)) in workload.jobs.iter().zip(kept) {
            played.came_us.push(recorded.came_us);
            played.ended_us.push(recorded.ended_us.max(recorded.came_us));
            let placed = |it: &Attempt| Attempt { task: it.task + job.tasks.start, ..*it };
            played.attempts.extend(recorded.attempts.iter().map(placed));
            played.ready_us[job.tasks.start as usize..job.tasks.end as usize]
                .fill(recorded.came_us);
        }
        played.attempts.sort_by_key(|attempt| (attempt.began_us, attempt.task));
        // What was never tried ends when it could begin.
        let mut ended = vec![0; workload.tasks().len()];
        for attempt in &played.attempts {
            let end: &mut u64 = &mut ended[attempt.task as usize];
            *end = attempt.ended_us.max(*end);
        }
        for task in Behind::of(workload).in_order(workload) {
            let before = workload.depends_on(task).iter().map(|&on| ended[on as usize]);
            let task = task as usize;
            played.ready_us[task] = before.fold(played.ready_us[task], u64::max);
            ended[task] = ended[task].max(played.ready_us[task]);
        }
        played
    }
}

#[cfg(test)]
mod tests {
    use workload::{Builder, Estimates, NewJob, NewTask, NodeKind, Workload};

    use super::*;
    use crate::{End, Load, Policy, Setup, measure, play, prepare};

    const SECOND: u64 = 1_000_000;

    fn node(cpu_milli: u64) -> Cluster {
        Cluster { nodes: vec![NodeKind { name: "n".into(), cpu_milli, ..NodeKind::default() }] }
    }

    fn attempt(task: u32, began: u64, ended: u64) -> Attempt {
        let (began_us, ended_us) = (began * SECOND, ended * SECOND);
        Attempt { task, node: 0, began_us, ended_us, end: End::Succeeded }
    }

    /// A job that fits nowhere, and one of two tasks behind each other that comes after 10 s.
    fn workload() -> Workload {
        let mut builder = Builder::new("w");
        builder.job(&NewJob::default());
        builder.task(&NewTask { cpu_milli: 64_000, ..NewTask::default() });
        builder.job(&NewJob { submit_us: 10 * SECOND, ..NewJob::default() });
        let [first, second] = [5, 7]
            .map(|s| builder.task(&NewTask { duration_us: s * SECOND, ..NewTask::default() }));
        builder.depend(second, first);
        builder.finish().unwrap()
    }

    #[test]
    fn what_happened_is_measured_like_a_simulation() {
        let cluster = node(1_000);
        let work = prepare(vec![workload()], &[&cluster], Load::default()).unwrap();
        let job = |came: u64, ended: u64, attempts| RecordedJob {
            came_us: came * SECOND,
            ended_us: ended * SECOND,
            attempts,
        };
        let second = job(10, 31, vec![attempt(0, 12, 17), attempt(1, 21, 28)]);
        let recorded = Recorded { jobs: vec![job(0, 99, vec![attempt(0, 0, 99)]), second] };
        let figures = recorded.measure(RECORDED, (&work, &cluster), &QueueTree::default()).figures;
        assert_eq!(figures.policy, "recorded");
        assert_eq!((figures.wait.mean_s, figures.wait.max_s), (3.0, 4.0), "from the end before");
        assert_eq!((figures.completion.mean_s, figures.makespan_s), (21.0, 21.0));
        let setup = Setup {
            work: &work,
            cluster: &cluster,
            policy: Policy::Fifo,
            queues: &QueueTree::default(),
            failures: 0.0,
            seed: 1,
        };
        let simulated = measure(&setup, &play(setup).unwrap()).figures;
        assert_eq!((simulated.wait.mean_s, simulated.completion.mean_s), (0.0, 12.0));
    }

    #[test]
    fn who_only_orders_others_waits_for_nothing() {
        let mut builder = Builder::new("w");
        let work = NewTask { duration_us: 10 * SECOND, ..NewTask::default() };
        let [one, other] = [&work, &work].map(|task| builder.task(task));
        let barrier = builder.task(&NewTask { cpu_milli: 0, ..NewTask::default() });
        [one, other].into_iter().for_each(|on| builder.depend(barrier, on));
        let cluster = node(1_000);
        let workload = builder.finish().unwrap();
        let work = prepare(vec![workload], &[&cluster], Load::default()).unwrap();
        let policy = Policy::Fifo;
        let setup = Setup {
            work: &work,
            cluster: &cluster,
            policy,
            queues: &QueueTree::default(),
            failures: 0.0,
            seed: 1,
        };
        let wait = measure(&setup, &play(setup).unwrap()).figures.wait;
        assert_eq!((wait.mean_s, wait.max_s), (5.0, 10.0), "of the two that work");
    }

    /// Runs of a workflow with a long and a short task, one at a time; the first knows nothing.
    fn repeated(repeats: bool) -> Workload {
        let mut builder = Builder::new("w");
        builder.repeat(repeats);
        for run in 0..6 {
            builder.job(&NewJob { name: "w", submit_us: run * 100 * SECOND, ..NewJob::default() });
            for (kind, s) in [("long", 20), ("short", 1)] {
                builder.task(&NewTask { kind, duration_us: s * SECOND, ..NewTask::default() });
            }
        }
        builder.finish().unwrap().expecting(Estimates::Recorded, 0)
    }

    #[test]
    fn what_work_takes_is_learned_from_run_to_run() {
        let cluster = node(1_000);
        let wait = |repeats| {
            let workloads = vec![repeated(repeats)];
            let work = prepare(workloads, &[&cluster], Load::default()).unwrap();
            let setup = Setup {
                work: &work,
                cluster: &cluster,
                policy: Policy::Sjf,
                queues: &QueueTree::default(),
                failures: 0.0,
                seed: 1,
            };
            measure(&setup, &play(setup).unwrap()).figures.wait
        };
        // Once it is known which task is short, it goes first.
        assert_eq!(wait(true).p50_s, 0.0);
        assert!(wait(true).mean_s < wait(false).mean_s / 2.0, "{:?}", wait(true));
    }
}
