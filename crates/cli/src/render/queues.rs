//! Queues as a table: what each has, is guaranteed and may have.

use protocol::api::{KeptRoom, QueueList, QueueResource, QueueSummary};

use super::gc::size;
use crate::style::Tone;
use crate::table::{Cell, Table};

/// What stands where no queue is set.
pub(crate) const NONE: &str =
    "No queues are set: all runs share what is there. `--queues FILE` sets some.";

/// Queues as a table, and below it what is kept for critical work.
pub(crate) fn render(list: &QueueList, tone: Tone) -> String {
    let queues = (!list.queues.is_empty()).then(|| queues(&list.queues, tone));
    let kept = (!list.critical.is_empty()).then(|| critical(&list.critical, tone));
    queues.into_iter().chain(kept).collect::<Vec<_>>().join("\n")
}

fn critical(rooms: &[KeptRoom], tone: Tone) -> String {
    let mut table = Table::new(&["KEPT FOR CRITICAL WORK", "KEPT", "USED"]);
    for room in rooms {
        let kept = room.resources.iter().map(|it| (&*it.resource, it.kept));
        let used = room.resources.iter().map(|it| (&*it.resource, it.used));
        let used = used.filter(|&(_, used)| used > 0.0);
        table.row([Cell::from(&room.node), Cell::from(listed(kept)), Cell::from(listed(used))]);
    }
    table.render(tone)
}

fn queues(queues: &[QueueSummary], tone: Tone) -> String {
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
    listed(resources.iter().filter_map(|it| Some((&*it.resource, of(it)?))))
}

fn listed<'r>(amounts: impl Iterator<Item = (&'r str, f64)>) -> String {
    let said = amounts.map(|(resource, amount)| match resource {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes")]
        "memory" => size(amount as u64),
        name => format!("{amount} {name}"),
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "-".to_owned() } else { said.join(", ") }
}

#[cfg(test)]
mod tests {
    use protocol::api::KeptResource;

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
        insta::assert_snapshot!(queues(&[research, serving], Tone::PLAIN), @r"
        QUEUE     WEIGHT  RUNS  RUNNING  WAITING  HAS                      GUARANTEED  LIMIT
        research       2     3        4       12  4 cpu, 1.0 GiB, 2.5 gpu  4 gpu       8 gpu
        serving        1     0        0        0  -                        -           -
        ");
    }
    #[test]
    fn what_is_kept_for_critical_work_stands_below() {
        let resource =
            |resource: &str, kept, used| KeptResource { resource: resource.to_owned(), kept, used };
        let resources = vec![
            resource("cpu", 4.0, 2.5),
            resource("memory", f64::from(1 << 30), 0.0),
            resource("gpu", 1.0, 0.0),
        ];
        let critical = vec![KeptRoom { node: "local".to_owned(), resources }];
        let list = QueueList { critical, ..QueueList::default() };
        insta::assert_snapshot!(render(&list, Tone::PLAIN), @r"
        KEPT FOR CRITICAL WORK  KEPT                   USED
        local                   4 cpu, 1.0 GiB, 1 gpu  2.5 cpu
        ");
    }
}
