//! Engine and journal with work that is nothing: how many tasks a second become durable.
//!
//! Compares: the server as it runs (driver, engine, planner, agent, SQLite journal with its syncs)
//! on a fan-out of 100,000 items and on 20 layers of 200 distinct tasks. Chases: 100,000 tasks/s
//! for both on this disk. Each is measured a second time with 5 ms added to every sync.

use benches::{House, fan_out, layers, median, with_both_disks};
use model::graph::GraphParts;

const ROUNDS: usize = 5;
const SLOTS: u64 = 4_096;

fn main() {
    let fan = fan_out(100_000);
    let dag = layers(20, 200, |place| 2 + place % 2);
    println!("engine: tasks a second, median of {ROUNDS}; goal 100,000/s on this disk");
    with_both_disks(|disk| {
        measure("fan-out of 100,000", &fan, 100_000, disk);
        measure("20 layers of 200", &dag, 4_000, disk);
    });
}

fn measure(what: &str, parts: &GraphParts, tasks: u32, disk: &str) {
    let rates = (0..ROUNDS).map(|_| {
        let house = House::new(SLOTS);
        let (_, all) = house.run(parts);
        f64::from(tasks) / all.as_secs_f64()
    });
    println!("  {what:<20} {disk:<12} {:>10.0}/s", median(rates.collect()));
}
