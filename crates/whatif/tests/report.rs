//! The report: it has what it should, every element ends, and nothing of a name gets out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use model::queue::QueueTree;
use whatif::report::{Page, Shown, html};
use whatif::{Cluster, Load, Policy, Seen, Setup, Workload, measure, play, prepare};
use workload::{Builder, NewJob, NewTask, NodeKind};

const EVIL: &str = "<script>alert('x')</script>\"&";

fn workload(jobs: u64) -> Workload {
    let mut builder = Builder::new(EVIL);
    for at in 0..jobs {
        let tenant = if at % 2 == 0 { EVIL } else { "other" };
        builder.job(&NewJob { name: EVIL, submit_us: at * 1_000_000, tenant, ..NewJob::default() });
        let first = NewTask { name: EVIL, duration_us: 20_000_000, ..NewTask::default() };
        let [first, second] = [builder.task(&first), builder.task(&first)];
        builder.depend(second, first);
    }
    builder.finish().unwrap()
}

fn seen(jobs: u64) -> Seen {
    let node = NodeKind {
        name: EVIL.into(),
        count: 3,
        cpu_milli: 4_000,
        memory_bytes: 1,
        ..NodeKind::default()
    };
    let cluster = Cluster { nodes: vec![node] };
    let work = prepare(vec![workload(jobs)], &[&cluster], Load::default()).unwrap();
    let policy = Policy::Fifo;
    let setup = Setup {
        work: &work,
        cluster: &cluster,
        policy,
        queues: &QueueTree::default(),
        failures: 0.1,
        seed: 1,
    };
    measure(&setup, &play(setup).unwrap())
}

fn page(jobs: u64) -> String {
    let seen = seen(jobs);
    let told = [EVIL.to_owned()];
    let results = ["fifo", EVIL].map(|name| Shown { name, seen: &seen });
    html(&Page { title: EVIL, told: &told, results: &results })
}

/// Holds each element to its end.
fn is_well_formed(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in text.split('<').skip(1) {
        let tag = tag.split_once('>').unwrap_or_else(|| panic!("`<{tag}` does not end")).0;
        let name = tag.split([' ', '/', '\n']).find(|it| !it.is_empty()).unwrap();
        match tag {
            _ if tag.starts_with('!') || tag.starts_with("meta") || tag.ends_with('/') => {}
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name)),
            _ => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_small_report_has_a_bar_for_each_attempt() {
    let text = page(10);
    is_well_formed(&text);
    let attempts = text.matches("<rect").count();
    assert!((40..60).contains(&attempts), "20 tasks twice, and what failed: {attempts}");
    assert!(text.contains(", failed</title>"), "what failed is told apart");
    for heading in ["Summary", "Queues", "Distributions", "Utilisation over time", "Nodes"] {
        assert!(text.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
    let labels =
        ["part of all nodes, %", "time since the first arrival", "part that took no longer"];
    assert!(labels.iter().all(|label| text.contains(label)));
    assert!(text.contains("prefers-color-scheme: dark") && text.contains("width=device-width"));
}

#[test]
fn a_large_report_has_heat_and_stays_small() {
    let text = page(2_000);
    is_well_formed(&text);
    assert!(text.contains("class=\"heat\"") && !text.contains("<rect"));
    assert!(text.len() < 200_000, "{} bytes", text.len());
}

#[test]
fn names_stay_names_and_nothing_is_asked_of_a_network() {
    let text = page(10);
    assert!(!text.contains("<script") && !text.contains("alert('"));
    assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("src="));
    assert!(!text.contains("NaN") && !text.contains("inf"));
}
