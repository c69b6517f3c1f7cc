//! How much of the free devices is of no use to the tasks that come: the measure of Weng et al.
//! 2023 ("Beware of Fragmentation"), over time.
//!
//! Which device of its node an attempt has is supposed: the fullest ones with room. The engine may
//! have chosen others of the same node.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use model::collections::HashMap;
use workload::{Cluster, NodeKind, Task};

use super::window;
use crate::Work;
use crate::play::Played;

/// The most frequent combinations of what tasks ask for that are looked at.
const CLASSES_MAX: usize = 40;
/// A whole device.
const WHOLE: u16 = 1_000;

/// What tasks ask for, and how many do.
struct Class<'a> {
    task: &'a Task,
    kinds: Vec<&'a str>,
    part: f64,
}

struct Node<'a> {
    kind: &'a NodeKind,
    cpu: u64,
    memory: u64,
    /// The kind of each device, and what of it is free.
    devices: Vec<(&'a str, u16)>,
    useless: f64,
    since: u64,
}

/// The part of all devices that is free and useless, in the mean over time; nothing if no task asks
/// for devices.
pub(crate) fn mean(work: &Work, cluster: &Cluster, played: &Played) -> Option<f64> {
    let classes = classes(work);
    let (from, to) = window(played);
    if classes.is_empty() || from >= to {
        return None;
    }
    let mut nodes: Vec<Node<'_>> = Vec::new();
    for kind in &cluster.nodes {
        let devices =
            || kind.gpus.iter().flat_map(|gpu| vec![(&*gpu.kind, WHOLE); gpu.count as usize]);
        let node = || Node {
            kind,
            cpu: kind.cpu_milli,
            memory: kind.memory_bytes,
            devices: devices().collect(),
            useless: 0.0,
            since: from,
        };
        nodes.extend((0..kind.count).map(|_| node()));
    }
    nodes.iter_mut().for_each(|node| node.useless = node.useless(&classes));
    let all: f64 = nodes.iter().map(|node| node.devices.len() as f64 * f64::from(WHOLE)).sum();
    // Ends before beginnings of the same time.
    let mut events: Vec<(u64, bool, u32)> = Vec::with_capacity(2 * played.attempts.len());
    for (at, attempt) in (0..).zip(&played.attempts) {
        events.push((attempt.began_us, true, at));
        events.push((attempt.ended_us, false, at));
    }
    events.sort_unstable();
    let (mut held, mut sum) = (HashMap::<u32, Vec<(usize, u16)>>::default(), 0.0);
    for (at, begins, number) in events {
        let attempt = &played.attempts[number as usize];
        let task = &work.workload.tasks()[attempt.task as usize];
        let node = &mut nodes[attempt.node as usize];
        sum += node.until(at.clamp(from, to));
        if begins {
            let taken = node
                .take(task, &work.workload.device_kinds(task.devices.kinds).collect::<Vec<_>>());
            if !taken.is_empty() {
                held.insert(number, taken);
            }
        } else {
            node.give_back(task, &held.remove(&number).unwrap_or_default());
        }
        node.useless = node.useless(&classes);
    }
    sum += nodes.iter_mut().map(|node| node.until(to)).sum::<f64>();
    Some(sum / (all * (to - from) as f64).max(1.0))
}

fn classes(work: &Work) -> Vec<Class<'_>> {
    let tasks = work.workload.tasks();
    let mut counts = BTreeMap::<_, (u64, u32)>::new();
    for (number, task) in (0..).zip(tasks).filter(|(_, task)| task.devices.count > 0) {
        let it = (task.devices.count, task.devices.share_milli, task.devices.kinds);
        let entry = counts.entry((it, task.cpu_milli, task.memory_bytes)).or_insert((0, number));
        entry.0 += 1;
    }
    let mut counts: Vec<(u64, u32)> = counts.into_values().collect();
    counts.sort_by_key(|&(count, number)| (Reverse(count), number));
    counts.truncate(CLASSES_MAX);
    let all: u64 = counts.iter().map(|&(count, _)| count).sum();
    let class = |(count, number): (u64, u32)| {
        let task = &tasks[number as usize];
        let kinds = work.workload.device_kinds(task.devices.kinds).collect();
        Class { task, kinds, part: count as f64 / all as f64 }
    };
    counts.into_iter().map(class).collect()
}

impl Node<'_> {
    /// What was useless since it was looked at last, times the time.
    fn until(&mut self, at: u64) -> f64 {
        let time = at.saturating_sub(self.since) as f64;
        self.since = self.since.max(at);
        time * self.useless
    }

    fn take(&mut self, task: &Task, kinds: &[&str]) -> Vec<(usize, u16)> {
        self.cpu = self.cpu.saturating_sub(u64::from(task.cpu_milli));
        self.memory = self.memory.saturating_sub(task.memory_bytes);
        let mut taken = Vec::new();
        for _ in 0..task.devices.count {
            let share = task.devices.share_milli;
            let fits = |&(at, &(kind, free)): &(usize, &(&str, u16))| {
                let is_wanted = kinds.is_empty() || kinds.contains(&kind);
                is_wanted && free >= share && !taken.iter().any(|&(other, _)| other == at)
            };
            let devices = self.devices.iter().enumerate().filter(fits);
            let Some((at, _)) = devices.min_by_key(|(_, (_, free))| *free) else { break };
            self.devices[at].1 -= share;
            taken.push((at, share));
        }
        taken
    }

    fn give_back(&mut self, task: &Task, taken: &[(usize, u16)]) {
        self.cpu = (self.cpu + u64::from(task.cpu_milli)).min(self.kind.cpu_milli);
        self.memory = (self.memory + task.memory_bytes).min(self.kind.memory_bytes);
        taken.iter().for_each(|&(at, share)| self.devices[at].1 += share);
    }

    /// How much of its free devices a task of the mix cannot use, as a mean over the mix.
    fn useless(&self, classes: &[Class<'_>]) -> f64 {
        let free: u64 = self.devices.iter().map(|&(_, free)| u64::from(free)).sum();
        if free == 0 {
            return 0.0;
        }
        let of_class = |class: &Class<'_>| {
            let task = class.task;
            let usable = |&&(kind, free): &&(&str, u16)| {
                let is_wanted = class.kinds.is_empty() || class.kinds.contains(&kind);
                is_wanted && free >= task.devices.share_milli
            };
            let usable = self.devices.iter().filter(usable);
            let (count, sum) =
                usable.fold((0, 0), |(count, sum), &(_, free)| (count + 1, sum + u64::from(free)));
            let fits = self.cpu >= u64::from(task.cpu_milli)
                && self.memory >= task.memory_bytes
                && count >= task.devices.count;
            class.part * (free - if fits { sum } else { 0 }) as f64
        };
        classes.iter().map(of_class).sum()
    }
}
