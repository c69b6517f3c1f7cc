//! `signal`: give a task the signal that it waits for, with values for the tasks after it.

use clap::Args;
use protocol::api::Say;
use serde_json::{Map, Value};

use super::approve::{Said, Whom, settle};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  autoglm signal 7 data_ready
  autoglm signal 7 data_ready -v path=/data/monday -v rows=1000";

/// Give a task the signal that it waits for
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Signal {
    #[command(flatten)]
    pub whom: Whom,

    /// A value that becomes an output of the task, JSON or text; may be given again
    #[arg(short, long = "value", value_name = "NAME=VALUE", value_parser = value)]
    pub values: Vec<(String, Value)>,
}

impl Signal {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let value: Map<String, Value> = self.values.into_iter().collect();
        let said = Said { say: Say::Signal, comment: None, value: Some(value) };
        settle(context, self.whom, said).await
    }
}

fn value(text: &str) -> std::result::Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("it is written NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}
