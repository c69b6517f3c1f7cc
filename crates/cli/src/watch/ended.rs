//! What is told about an ended run: its tasks, and of those that failed the end of what they wrote.

use client::Client;
use model::{RunId, TaskStatus};
use protocol::api::{ItemsQuery, LogsQuery, RunDetail, RunRef, TaskSummary, TasksQuery};

use super::Answer;
use crate::render::summary::FailedTask;

/// Failed tasks whose output is shown.
const FAILED_SHOWN: usize = 5;
/// Lines of it.
const LINES_SHOWN: u64 = 10;

/// A run that has ended.
pub(super) struct Ended {
    /// The run with the first page of its tasks.
    pub detail: RunDetail,
    /// The first tasks that failed.
    pub failed: Vec<FailedTask>,
}

impl Ended {
    /// Reads all of it, from whoever can be asked.
    pub(super) async fn read(client: &Client, run: RunId) -> Answer<Self> {
        let detail = client.run(run.into(), &TasksQuery::default()).await?;
        let failed = failed_tasks(client, &detail).await?;
        Ok(Self { detail, failed })
    }
}

async fn failed_tasks(client: &Client, detail: &RunDetail) -> Answer<Vec<FailedTask>> {
    let run = RunRef::Id(detail.run.run);
    let mut tasks = Vec::new();
    for status in [TaskStatus::Failed, TaskStatus::TimedOut] {
        if detail.run.tasks[status] > 0 && tasks.len() < FAILED_SHOWN {
            let limit = Some(FAILED_SHOWN - tasks.len());
            let query = TasksQuery { status: Some(status), limit, cursor: None };
            tasks.extend(client.run(run, &query).await?.tasks);
        }
    }
    let mut failed = Vec::new();
    for task in tasks {
        let item = first_failed_item(client, run, &task).await?;
        let lines = match last_lines(client, run, &task.name, item).await {
            // A task that never started has no output, and a summary can do without.
            Err(client::Error::Refused(_)) => Vec::new(),
            lines => lines?,
        };
        failed.push(FailedTask { task, item, lines });
    }
    Ok(failed)
}

async fn first_failed_item(
    client: &Client,
    run: RunRef,
    task: &TaskSummary,
) -> Answer<Option<u32>> {
    if !task.fan_out {
        return Ok(None);
    }
    for status in [TaskStatus::Failed, TaskStatus::TimedOut] {
        let query = ItemsQuery { status: Some(status), limit: Some(1), cursor: None };
        if let Some(item) = client.items(run, &task.name, &query).await?.items.first() {
            return Ok(Some(item.item));
        }
    }
    Ok(None)
}

async fn last_lines(
    client: &Client,
    run: RunRef,
    task: &str,
    item: Option<u32>,
) -> Answer<Vec<String>> {
    let query = LogsQuery {
        task: Some(task.to_owned()),
        item,
        tail: Some(LINES_SHOWN),
        ..LogsQuery::default()
    };
    let mut stream = client.logs(run, &query).await?;
    let mut text = String::new();
    while let Some(chunk) = stream.next().await? {
        text.push_str(&chunk.text);
    }
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let first = lines.len().saturating_sub(usize::try_from(LINES_SHOWN).unwrap_or(usize::MAX));
    Ok(lines[first..].to_vec())
}
