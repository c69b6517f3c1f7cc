//! Queues as a table: what each has, is guaranteed and may have.

use protocol::api::{QueueResource, QueueSummary};

use super::gc::size;
use crate::style::Tone;
use crate::table::{Cell, Table};

/// What stands where no queue is set.
pub(crate) const NONE: &str =
    "No queues are set: all runs share what is there. `--queues FILE` sets some.";

/// Queues as a table.
pub(crate) fn render(queues: &[QueueSummary], tone: Tone) -> String {
    let heads = ["QUEUE", ">WEIGHT", ">RUNS", ">RUNNING", ">WAITING", "HAS", "GUARANTEED", "LIMIT"];
    let mut table = Table::new(&heads);
    for queue in queues {
        let all = |of: fn(&QueueResource) -> Option<f64>| amounts(&queue.resources, of);
        table.row([
            Cell::from(&queue.queue),
            Cell::from(queue.weight.to_string()),
            Cell::from(queue.runs.to_string()),
            Cell::from(queue.running.to_string()),
            Cell::from(queue.waiting.to_string()),
            Cell::from(all(|it| Some(it.used).filter(|&used| used > 0.0))),
            Cell::from(all(|it| it.guarantee)),
            Cell::from(all(|it| it.limit)),
        ]);
    }
    table.render(tone)
}

/// What there is of each resource: `8 cpu, 64.0 GiB, 2.5 gpu`.
fn amounts(resources: &[QueueResource], of: fn(&QueueResource) -> Option<f64>) -> String {
    let said = resources.iter().filter_map(|it| {
        let amount = of(it)?;
        Some(match &*it.resource {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes")]
            "memory" => size(amount as u64),
            name => format!("{amount} {name}"),
        })
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "-".to_owned() } else { said.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_a_table() {
        let resource = |resource: &str, used, guarantee, limit| QueueResource {
            resource: resource.to_owned(),
            used,
            guarantee,
            limit,
        };
        let research = QueueSummary {
            queue: "research".to_owned(),
            weight: 2,
            policy: None,
            runs: 3,
            running: 4,
            waiting: 12,
            resources: vec![
                resource("cpu", 4.0, None, None),
                resource("memory", f64::from(1 << 30), None, None),
                resource("gpu", 2.5, Some(4.0), Some(8.0)),
            ],
        };
        let serving =
            QueueSummary { queue: "serving".to_owned(), weight: 1, ..QueueSummary::default() };
        insta::assert_snapshot!(render(&[research, serving], Tone::PLAIN), @r"
        QUEUE     WEIGHT  RUNS  RUNNING  WAITING  HAS                      GUARANTEED  LIMIT
        research       2     3        4       12  4 cpu, 1.0 GiB, 2.5 gpu  4 gpu       8 gpu
        serving        1     0        0        0  -                        -           -
        ");
    }
}
