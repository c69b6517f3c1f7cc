//! `config`: the settings as they hold here and now.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::Format;
use crate::table::{Cell, Table};

const EXAMPLES: &str = "\
Examples:
  autoglm config show
  autoglm config show --origin     Also where each value comes from
  autoglm config show -o json";

/// Show the settings: every value, and where it comes from.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with them.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Action {
    /// Show every setting
    Show {
        /// Also say where it comes from: default, file:line, variable or option
        #[arg(long)]
        origin: bool,
    },
}

impl Config {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let Action::Show { origin } = self.action;
        let (output, settings) = (context.output, &context.settings);
        let file = context.settings_file.as_ref();
        match output.format {
            Format::Json | Format::Jsonl => {
                output.json_list(&json!({"file": file, "settings": settings}), settings)?;
            }
            Format::Name => {
                let names = settings.iter().map(|setting| format!("{}\n", setting.name));
                output.text(&names.collect::<String>())?;
            }
            Format::Table | Format::Wide => {
                let is_long = origin || output.format == Format::Wide;
                output.text(&table(context, is_long))?;
                if let Some(path) = file.filter(|path| is_long && !path.exists()) {
                    context.say(&format!("The settings file would be {}.", path.display()));
                }
            }
        }
        Ok(Exit::Ok)
    }
}

fn table(context: &Context, is_long: bool) -> String {
    let heads = ["SETTING", "VALUE", "FROM"];
    let columns = if is_long { 3 } else { 2 };
    let mut table = Table::new(&heads[..columns]);
    for setting in &context.settings {
        let cells = [
            Cell::from(&setting.name),
            Cell::whole(&setting.shown),
            Cell::whole(&setting.origin.to_string()),
        ];
        table.row(cells.into_iter().take(columns));
    }
    table.render(context.output.tone)
}
