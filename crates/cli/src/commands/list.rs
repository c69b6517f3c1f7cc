//! `list`: the runs of a state folder, newest first.

use clap::Args;
use model::RunStatus;
use protocol::api::{PAGE_SIZE_MAX, RunList, RunsQuery};

use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::Format;
use crate::render::{now, runs};

const EXAMPLES: &str = "\
Examples:
  autoglm list
  autoglm list --status failed -n 5
  autoglm list -l team=data -l nightly      With both labels, the second of any value
  autoglm list -o name             The numbers alone
  autoglm list -o json | jq '.runs[].name'";

/// List runs, newest first.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {
    /// Only runs in this status
    #[arg(long, value_parser = run_status)]
    pub status: Option<RunStatus>,

    /// Only runs of workflows with this name
    #[arg(long)]
    pub name: Option<String>,

    /// Only runs with this label, or with any value of it; may be given again
    #[arg(short, long = "label", value_name = "KEY[=VALUE]", value_parser = label)]
    pub labels: Vec<String>,

    /// How many at most
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    pub limit: usize,
}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let session = context.home.attach_or_read().await?;
        let list = match &session {
            Some(session) => self.collect(&session.client).await?,
            None => RunList::default(),
        };
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json_list(&list, &list.runs)?,
            Format::Name => {
                let names: String = list.runs.iter().map(|run| format!("{}\n", run.run)).collect();
                output.text(&names)?;
            }
            Format::Table | Format::Wide if self.limit == 0 => {
                context.say("None is shown: -n 0 asks for none.");
            }
            Format::Table | Format::Wide if list.runs.is_empty() => {
                let is_narrowed =
                    self.status.is_some() || self.name.is_some() || !self.labels.is_empty();
                let text = if is_narrowed { runs::NONE } else { runs::EMPTY };
                context.say(text.trim_end());
            }
            format @ (Format::Table | Format::Wide) => {
                let is_wide = format == Format::Wide;
                output.text(&runs::render(&list.runs, now(), is_wide, output.tone))?;
                for (session, run) in
                    session.iter().flat_map(|one| list.runs.iter().map(move |run| (one, run)))
                {
                    super::tell_if_left(context, session, run.run, run.status.is_final());
                }
            }
        }
        Ok(Exit::Ok)
    }

    /// As many pages as it takes.
    async fn collect(&self, client: &client::Client) -> Result<RunList> {
        let mut all = RunList::default();
        loop {
            let missing = self.limit.saturating_sub(all.runs.len());
            if missing == 0 {
                return Ok(all);
            }
            let query = RunsQuery {
                status: self.status,
                name: self.name.clone(),
                labels: (!self.labels.is_empty()).then(|| self.labels.join("\n")),
                limit: Some(missing.min(PAGE_SIZE_MAX)),
                cursor: all.next.take(),
            };
            let page = client.runs(&query).await?;
            all.runs.extend(page.runs);
            all.next = page.next;
            if all.next.is_none() {
                return Ok(all);
            }
        }
    }
}

/// A label as it is asked for.
fn label(text: &str) -> std::result::Result<String, String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    spec::check_label(key, value).map(|()| text.to_owned())
}

fn run_status(word: &str) -> std::result::Result<RunStatus, String> {
    RunStatus::from_word(word).ok_or_else(|| {
        let words: Vec<_> = RunStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("the statuses are {}", words.join(", "))
    })
}
