//! `get`: one run with its tasks, the items of one of its tasks, or what all runs share.

use clap::Args;
use model::TaskStatus;
use protocol::api::{
    BreakerList, BudgetList, ItemsQuery, PAGE_SIZE, PoolList, QueueList, RunRef, TasksQuery,
};
use serde::Serialize;

use super::{reader, run_ref};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::home::Session;
use crate::output::Format;
use crate::render::{items, now, pools, queues, run, sharing};

const EXAMPLES: &str = "\
Examples:
  autoglm get                        The last run
  autoglm get 7 --status failed
  autoglm get 7 train                Its items, its outputs, the rule that fired
  autoglm get 7 -o json | jq .run.status
  autoglm get breakers               Which circuit breakers are open, and since what
  autoglm get budgets                How much of each rate is left
  autoglm get queues                 What each queue has, is guaranteed and may have
  autoglm get pools                  The processes in which functions stay warm";

/// Show a run with its tasks, the items of a task and what they left, or breakers, budgets, queues
/// or pools.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Get {
    /// The run: its number, or `last`; or `breakers`, `budgets`, `queues` or `pools`
    #[arg(value_name = "RUN", value_parser = what, default_value = "last")]
    pub what: What,

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
        let run = match self.what {
            What::Run(run) => run,
            What::Breakers => return breakers(context).await,
            What::Budgets => return budgets(context).await,
            What::Queues => return queues(context).await,
            What::Pools => return pools(context).await,
        };
        let session = reader(context).await?;
        match &self.task {
            Some(task) => self.items(context, (&session, run), task).await?,
            None => self.tasks(context, (&session, run)).await?,
        }
        Ok(Exit::Ok)
    }

    async fn tasks(&self, context: &Context, (session, run): (&Session, RunRef)) -> Result<()> {
        let query = TasksQuery {
            status: self.status,
            limit: Some(self.limit),
            cursor: self.cursor.clone(),
        };
        let detail = session.client.run(run, &query).await?;
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

    async fn items(
        &self,
        context: &Context,
        (session, run): (&Session, RunRef),
        task: &str,
    ) -> Result<()> {
        let query = ItemsQuery {
            status: self.status,
            limit: Some(self.limit),
            cursor: self.cursor.clone(),
        };
        let list = session.client.items(run, task, &query).await?;
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json_list(&list, &list.items),
            Format::Name => {
                let numbers = list.items.iter().map(|item| format!("{}\n", item.item));
                output.text(&numbers.collect::<String>())
            }
            Format::Table | Format::Wide => output.text(&items::render(&list, now(), output.tone)),
        }
    }
}

async fn breakers(context: &Context) -> Result<Exit> {
    let list = match context.home.attach_or_read().await? {
        Some(session) => session.client.breakers().await?,
        None => BreakerList::default(),
    };
    let table = || sharing::breakers(&list.breakers, now(), context.output.tone);
    let names = list.breakers.iter().map(|breaker| breaker.name.as_str()).collect();
    show(context, &list, (&list.breakers, names), (table, sharing::NO_BREAKERS))
}

async fn budgets(context: &Context) -> Result<Exit> {
    let list = match context.home.attach_or_read().await? {
        Some(session) => session.client.budgets().await?,
        None => BudgetList::default(),
    };
    let table = || sharing::budgets(&list.budgets, context.output.tone);
    let names = list.budgets.iter().map(|budget| budget.name.as_str()).collect();
    show(context, &list, (&list.budgets, names), (table, sharing::NO_BUDGETS))
}

async fn queues(context: &Context) -> Result<Exit> {
    let list = match context.home.attach_or_read().await? {
        Some(session) => session.client.queues().await?,
        None => QueueList::default(),
    };
    let table = || queues::render(&list, context.output.tone);
    let names = list.queues.iter().map(|queue| queue.queue.as_str()).collect();
    if list.queues.is_empty()
        && !list.critical.is_empty()
        && matches!(context.output.format, Format::Table | Format::Wide)
    {
        context.output.text(&table())?;
        return Ok(Exit::Ok);
    }
    show(context, &list, (&list.queues, names), (table, queues::NONE))
}

async fn pools(context: &Context) -> Result<Exit> {
    let list = match context.home.attach_or_read().await? {
        Some(session) => session.client.pools().await?,
        None => PoolList::default(),
    };
    let table = || pools::render(&list.pools, context.output.tone);
    let names = list.pools.iter().map(|pool| pool.folder.as_str()).collect();
    show(context, &list, (&list.pools, names), (table, pools::EMPTY.trim_end()))
}

/// Shows a whole list in the form that is asked for, or says that there is nothing.
fn show<L: Serialize, T: Serialize>(
    context: &Context,
    list: &L,
    (all, names): (&[T], Vec<&str>),
    (table, nothing): (impl Fn() -> String, &str),
) -> Result<Exit> {
    let output = context.output;
    match output.format {
        Format::Json | Format::Jsonl => output.json_list(list, all)?,
        Format::Name => {
            let lines = names.iter().map(|name| format!("{name}\n"));
            output.text(&lines.collect::<String>())?;
        }
        Format::Table | Format::Wide if all.is_empty() => context.say(nothing),
        Format::Table | Format::Wide => output.text(&table())?,
    }
    Ok(Exit::Ok)
}

/// What is to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// A run.
    Run(RunRef),
    /// All circuit breakers.
    Breakers,
    /// All budgets.
    Budgets,
    /// All queues.
    Queues,
    /// The processes of functions.
    Pools,
}

fn what(text: &str) -> std::result::Result<What, String> {
    match text {
        "breakers" => Ok(What::Breakers),
        "budgets" => Ok(What::Budgets),
        "queues" => Ok(What::Queues),
        "pools" => Ok(What::Pools),
        _ => run_ref(text).map(What::Run),
    }
}

fn task_status(word: &str) -> std::result::Result<TaskStatus, String> {
    TaskStatus::from_word(word).ok_or_else(|| {
        let words: Vec<_> = TaskStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("the statuses are {}", words.join(", "))
    })
}
