//! How full a cluster gets: pods of a trace in an order drawn at random come and never go, until as
//! much has been asked for as there is.

use std::fs;
use std::path::Path;
use std::time::Instant;

use scheduler::{ALL_ITEMS, Ask, Group, GroupKey, Lease, Planner, Policy, Run};
use workload::{Estimates, Source, alibaba_gpu};

use crate::replay::{Kinds, ask, specs};

/// Orders that are drawn.
const SEEDS: u64 = 3;

/// The part of all devices that is allocated, in percent, and the seconds that it took to decide.
pub(crate) fn fill(folder: &Path, variant: &str) -> Option<(f64, f64)> {
    let open = |name: &str| {
        let path = folder.join("alibaba-gpu-v2023").join(name);
        Source::new(name, fs::read(path).ok()?).ok()
    };
    let nodes = alibaba_gpu::nodes(&open("openb_node_list_gpu_node.csv")?).ok()?;
    let pods = open(&format!("openb_pod_list_{variant}.csv"))?;
    let pods = alibaba_gpu::read(&pods, Estimates::Exact).ok()?;
    let mut kinds = Kinds::default();
    let nodes = specs(&nodes, &mut kinds);
    let asks: Vec<Ask> = pods.tasks().iter().map(|task| ask(&pods, task, &mut kinds)).collect();
    let begin = Instant::now();
    let filled = (1..=SEEDS).map(|seed| {
        let mut planner = Planner::new(Policy::Autoglm);
        nodes.iter().for_each(|node| {
            planner.add_node(node.clone());
        });
        let classes: Vec<_> = asks.iter().map(|ask| planner.class(ask.clone())).collect();
        classes.iter().for_each(|&class| planner.see(class, 1));
        let all: u64 = nodes.iter().map(|node| node.devices.len() as u64 * 1_000).sum();
        let (mut asked, mut given, mut random) = (0, 0, seed * 0x9E37_79B9_7F4A_7C15);
        for number in 1.. {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let pod = ((random >> 11) % asks.len() as u64) as usize;
            let takes = asks[pod].devices.total();
            asked += takes;
            let key = GroupKey { run: number, task: 0, item: ALL_ITEMS };
            let (class, ready_at, expected) = (classes[pod], number, FOREVER);
            let group = Group { class, count: 1, ready_at, expected, ..Group::default() };
            planner.set_run(number, Run::default());
            planner.set_group(number, key, group);
            let placed = planner.plan(number, u64::MAX).placements.pop();
            planner.forget_run(number, number);
            if let Some(placed) = placed {
                given += takes;
                let (taken, began_at) = (placed.taken, number);
                planner.begin(
                    key,
                    placed.node,
                    Lease { class, taken, began_at, ends_at: FOREVER, ..Lease::default() },
                );
            }
            if asked >= all {
                break;
            }
        }
        given as f64 * 100.0 / all as f64
    });
    Some((filled.sum::<f64>() / SEEDS as f64, begin.elapsed().as_secs_f64()))
}

/// Longer than anything is waited for, in microseconds.
const FOREVER: u64 = 1 << 60;
