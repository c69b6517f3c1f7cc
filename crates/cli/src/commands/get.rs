//! `get`: one run with its tasks, or the items of one of its tasks.

use clap::Args;
use model::TaskStatus;
use protocol::api::{ItemsQuery, PAGE_SIZE, RunRef, TasksQuery};

use super::{reader, run_ref};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::home::Session;
use crate::output::Format;
use crate::render::{items, run};

const EXAMPLES: &str = "\
Examples:
  autoglm get                        The last run
  autoglm get 7 --status failed
  autoglm get 7 train                Its items, its outputs, the rule that fired
  autoglm get 7 -o json | jq .run.status";

/// Show a run with its tasks, or the items of a task and what they left.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Get {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref, default_value = "last")]
    pub run: RunRef,

    /// One of its tasks, to see its items
    pub task: Option<String>,

    /// Only tasks, or items, in this status
    #[arg(long, value_parser = task_status)]
    pub status: Option<TaskStatus>,

    /// How many tasks, or items, at most
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = PAGE_SIZE)]
    pub limit: usize,

    /// Where the page before ended: its `next`
    #[arg(long)]
    pub cursor: Option<String>,
}

impl Get {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let session = reader(context).await?;
        match &self.task {
            Some(task) => self.items(context, &session, task).await?,
            None => self.tasks(context, &session).await?,
        }
        Ok(Exit::Ok)
    }

    async fn tasks(&self, context: &Context, session: &Session) -> Result<()> {
        let query = TasksQuery {
            status: self.status,
            limit: Some(self.limit),
            cursor: self.cursor.clone(),
        };
        let detail = session.client.run(self.run, &query).await?;
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json(&detail),
            Format::Name => {
                let names = detail.tasks.iter().map(|task| format!("{}\n", task.name));
                output.text(&names.collect::<String>())
            }
            format => {
                let (run, is_final) = (detail.run.run, detail.run.status.is_final());
                output.text(&run::render(&detail, format == Format::Wide, output.tone))?;
                super::tell_if_left(context, session, run, is_final);
                Ok(())
            }
        }
    }

    async fn items(&self, context: &Context, session: &Session, task: &str) -> Result<()> {
        let query = ItemsQuery {
            status: self.status,
            limit: Some(self.limit),
            cursor: self.cursor.clone(),
        };
        let list = session.client.items(self.run, task, &query).await?;
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json_list(&list, &list.items),
            Format::Name => {
                let numbers = list.items.iter().map(|item| format!("{}\n", item.item));
                output.text(&numbers.collect::<String>())
            }
            Format::Table | Format::Wide => output.text(&items::render(&list, output.tone)),
        }
    }
}

fn task_status(word: &str) -> std::result::Result<TaskStatus, String> {
    TaskStatus::from_word(word).ok_or_else(|| {
        let words: Vec<_> = TaskStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("the statuses are {}", words.join(", "))
    })
}
