//! What is drawn of a simulation: what each node did when, and how busy each resource was.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use workload::Cluster;

use super::usage::{amounts, asked};
use super::{RESOURCES, Timeline, seconds};
use crate::Work;
use crate::bound::{has, takes};
use crate::play::{End, Played};

/// Steps of time in which utilisation is drawn.
const STEPS: usize = 160;
/// Attempts and nodes up to which each attempt is drawn by itself.
const BARS_MAX: usize = 1_500;
const BAR_NODES_MAX: usize = 40;
/// Rows of nodes that are drawn at most; more nodes share rows.
const LANES_MAX: usize = 80;

/// Nodes and resources over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// From the first arrival to the last end, in seconds.
    pub span_s: f64,
    /// Of each resource that is asked for its name, and the part that is busy in each step.
    pub busy: Vec<(&'static str, Vec<f64>)>,
    /// What nodes did.
    pub gantt: Gantt,
}

/// What nodes did: each attempt, or of large simulations how busy each node was.
#[derive(Clone, Debug, PartialEq)]
pub enum Gantt {
    /// Lanes with bars.
    Bars(Vec<Lane>),
    /// Rows with the part that is busy in each step, of the resource with this name.
    Heat(&'static str, Vec<(String, Vec<f64>)>),
}

impl Default for Gantt {
    fn default() -> Self {
        Self::Bars(Vec::new())
    }
}

/// A node with what it ran.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lane {
    /// What the node is called.
    pub node: String,
    /// How many rows its bars need.
    pub rows: usize,
    /// What it ran.
    pub bars: Vec<Bar>,
}

/// An attempt in a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// The row, from 0.
    pub row: usize,
    /// The job, by its number.
    pub job: usize,
    /// What it is: the names of job and task.
    pub name: String,
    /// When it began and ended, in seconds from the first arrival.
    pub at_s: (f64, f64),
    /// What became of it.
    pub end: End,
}

/// Draws what happened.
pub(super) fn draw(work: &Work, cluster: &Cluster, played: &Played) -> Picture {
    let from = played.came_us.iter().copied().min().unwrap_or(0);
    let to = played.ended_us.iter().copied().max().unwrap_or(0);
    let (all, asked) = (amounts(cluster), asked(work));
    let tasks = work.workload.tasks();
    let is_shown = |at: &usize| asked[*at] && all[*at] > 0.0;
    let busy = (0..3).filter(is_shown).map(|at| {
        let mut line = Timeline::new((from, to), STEPS);
        for attempt in &played.attempts {
            let amount = takes(&tasks[attempt.task as usize])[at] as f64;
            line.add((attempt.began_us, attempt.ended_us), amount / all[at]);
        }
        (RESOURCES[at], line.steps())
    });
    let nodes = cluster.len() as usize;
    let small = played.attempts.len() <= BARS_MAX && nodes <= BAR_NODES_MAX;
    let gantt = match small {
        true => Gantt::Bars(lanes(work, cluster, played, from)),
        false => heat(work, cluster, played, (from, to)),
    };
    Picture { span_s: seconds(to - from), busy: busy.collect(), gantt }
}

fn names(cluster: &Cluster) -> impl Iterator<Item = String> + '_ {
    cluster.nodes.iter().flat_map(|kind| (0..kind.count).map(|number| kind.name_of(number)))
}

fn lanes(work: &Work, cluster: &Cluster, played: &Played, from: u64) -> Vec<Lane> {
    let workload = &work.workload;
    let mut lanes: Vec<Lane> =
        names(cluster).map(|node| Lane { node, ..Lane::default() }).collect();
    // Of each lane the rows that are taken, by when they are free again, and those that are free.
    let mut taken: Vec<BinaryHeap<Reverse<(u64, usize)>>> = vec![BinaryHeap::new(); lanes.len()];
    let mut free: Vec<BinaryHeap<Reverse<usize>>> = vec![BinaryHeap::new(); lanes.len()];
    for attempt in &played.attempts {
        let node = attempt.node as usize;
        while let Some(&Reverse((end, row))) = taken[node].peek()
            && end <= attempt.began_us
        {
            taken[node].pop();
            free[node].push(Reverse(row));
        }
        let lane = &mut lanes[node];
        let row = match free[node].pop() {
            Some(Reverse(row)) => row,
            None => {
                lane.rows += 1;
                lane.rows - 1
            }
        };
        taken[node].push(Reverse((attempt.ended_us, row)));
        let job = workload.jobs.partition_point(|job| job.tasks.start <= attempt.task);
        let job =
            workload.jobs.iter().position(|it| it.tasks.contains(&attempt.task)).unwrap_or(job);
        let of_job = workload.text(workload.jobs[job].name);
        let task = workload.text(workload.tasks()[attempt.task as usize].name);
        let name = match (of_job.is_empty(), task.is_empty()) {
            (false, false) => format!("{of_job}: {task}"),
            _ => format!("{of_job}{task}"),
        };
        let at_s = (seconds(attempt.began_us - from), seconds(attempt.ended_us - from));
        lane.bars.push(Bar { row, job, name, at_s, end: attempt.end });
    }
    lanes
}

/// How busy rows of nodes are with devices, if any task asks for them, or else with CPUs.
fn heat(work: &Work, cluster: &Cluster, played: &Played, span: (u64, u64)) -> Gantt {
    let resource = if asked(work)[2] { 2 } else { 0 };
    let nodes = cluster.len() as usize;
    let rows = nodes.min(LANES_MAX);
    let row_of = |node: usize| node * rows / nodes.max(1);
    let mut named: Vec<Vec<String>> = vec![Vec::new(); rows];
    names(cluster).enumerate().for_each(|(node, name)| named[row_of(node)].push(name));
    let mut all = vec![0.0; rows];
    let amounts =
        cluster.nodes.iter().flat_map(|kind| (0..kind.count).map(|_| has(kind)[resource]));
    amounts.enumerate().for_each(|(node, amount)| all[row_of(node)] += amount as f64);
    let mut lines = vec![Timeline::new(span, STEPS); rows];
    for attempt in &played.attempts {
        let row = row_of(attempt.node as usize);
        let amount = takes(&work.workload.tasks()[attempt.task as usize])[resource] as f64;
        if all[row] > 0.0 {
            lines[row].add((attempt.began_us, attempt.ended_us), amount / all[row]);
        }
    }
    let name = |names: Vec<String>| match &*names {
        [] => String::new(),
        [one] => one.clone(),
        [first, .., last] => format!("{first} … {last}"),
    };
    let rows = named.into_iter().zip(lines).map(|(names, line)| (name(names), line.steps()));
    Gantt::Heat(RESOURCES[resource], rows.collect())
}
