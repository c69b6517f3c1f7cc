//! `preempt`: let what runs of a task make room for others, and begin anew.

use clap::Args;
use protocol::api::{Part, Preempt, RunRef};

use super::{run_ref, tell};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::home::Session;
use crate::output::Format;
use crate::render::plural;

const EXAMPLES: &str = "\
Examples:
  autoglm preempt last train
  autoglm preempt 7 'train[0-4,9]'    Some items of a fan-out; items are counted from 0

What runs is asked to end, and killed after its grace. It begins anew as soon as it has its turn,
and that costs it no retry. See docs/guide/preemption.md.";

/// Let what runs of a task make room for others, and begin anew
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PreemptTask {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,

    /// The task, or items of it: `train`, `train[3]`, `train[0-9,12]`
    pub task: Part,
}

impl PreemptTask {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let preempt = Preempt { task: self.task };
        let say = async |session: &Session| session.client.preempt(self.run, &preempt).await;
        let (_session, told) = tell(context, say).await?;
        let attempts = plural(told.preempted, "attempt");
        let task = &preempt.task;
        context.say(&format!("{attempts} of {task} in run {} told to make room.", told.run));
        match context.output.format {
            Format::Json | Format::Jsonl => context.output.json(&told)?,
            Format::Name => context.output.text(&format!("{}\n", told.run))?,
            Format::Table | Format::Wide => {}
        }
        Ok(Exit::Ok)
    }
}
