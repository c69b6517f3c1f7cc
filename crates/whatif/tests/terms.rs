//! What tasks keep to besides their amounts: locks, rates and priorities hold in a simulation, too.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use model::Span;
use model::policy::Priority;
use model::queue::QueueTree;
use model::shared::{Lock, Spending, Unit};
use whatif::terms::{own_lock, shared};
use whatif::{Cluster, Load, Played, Policy, Setup, play, prepare};
use workload::{Builder, NewJob, NewTask, NodeKind, Terms};

const SECOND: u64 = 1_000_000;

/// Jobs of three tasks of ten seconds each with these terms, all at once on so many cores.
fn played(jobs: usize, cores: u64, terms: &[Terms; 3]) -> Played {
    let mut builder = Builder::new("w");
    for _ in 0..jobs {
        builder.job(&NewJob::default());
        for terms in terms {
            let duration_us = 10 * SECOND;
            builder.task(&NewTask { duration_us, terms: Some(terms), ..NewTask::default() });
        }
    }
    let node = NodeKind {
        name: "n".into(),
        cpu_milli: cores * 1_000,
        memory_bytes: 1 << 30,
        ..NodeKind::default()
    };
    let cluster = Cluster { nodes: vec![node] };
    let work = prepare(vec![builder.finish().unwrap()], &[&cluster], Load::default()).unwrap();
    let (policy, queues) = (Policy::Autoglm, &QueueTree::default());
    play(Setup { work: &work, cluster: &cluster, policy, queues, failures: 0.0, seed: 1 }).unwrap()
}

/// When attempts began, in seconds.
fn began(played: &Played) -> Vec<u64> {
    let mut began: Vec<u64> = played.attempts.iter().map(|it| it.began_us / SECOND).collect();
    began.sort_unstable();
    began
}

fn holding(locks: Vec<Lock>) -> Terms {
    Terms { shared: shared(locks, Vec::new()), ..Terms::default() }
}

#[test]
fn a_lock_is_held_by_as_many_as_it_says() {
    let database = || holding(vec![Lock { name: "database".into(), holders_max: 2 }]);
    let terms = [database(), database(), Terms::default()];
    assert_eq!(began(&played(2, 8, &terms)), [0, 0, 0, 0, 10, 10], "two at a time, over all jobs");
}

#[test]
fn what_a_job_may_do_at_a_time_is_bounded_for_itself() {
    let one = || holding(vec![own_lock("run", 1)]);
    let began = began(&played(2, 8, &[one(), one(), one()]));
    assert_eq!(began, [0, 0, 10, 10, 20, 20], "one of each job at a time");
}

#[test]
fn a_rate_lets_so_many_begin_in_its_time() {
    let rate = Spending {
        name: "api".into(),
        unit: Unit::Attempts,
        amount: 1,
        limit: 1,
        per: Span::secs(30),
    };
    let terms = Terms { shared: shared(Vec::new(), vec![rate]), ..Terms::default() };
    let began = began(&played(1, 8, &[terms.clone(), terms.clone(), terms]));
    assert_eq!(began, [0, 30, 60]);
}

#[test]
fn a_task_of_higher_priority_goes_first() {
    let urgent = Terms { priority: Some(Priority(90)), ..Terms::default() };
    let played = played(1, 1, &[Terms::default(), Terms::default(), urgent]);
    let first = played.attempts.first().map(|attempt| attempt.task);
    assert_eq!(first, Some(2));
}
