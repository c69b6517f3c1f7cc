//! The command line as it is typed: global options here, each command's own beside the command.

use std::path::PathBuf;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Args, Parser};
use server::Policy;

use crate::commands::Command;
use crate::output::Format;
use crate::quantity;
use crate::settings::{self, Layer};
use crate::style::Color;

/// The colours of help texts; clap leaves them out where they are not wanted.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  autoglm run digits.yaml              Run a workflow, or go on with it where it stopped
  autoglm run etl.yaml -p day=monday   Run it with a parameter
  autoglm get last                     See the tasks of the last run
  autoglm logs last train -f           Follow the output of a task
  autoglm explain last train           Ask why a task waits

Exit codes: 0 done, 1 the run failed, 2 usage, 3 the run was cancelled, 4 invalid workflow,
5 not found, 6 conflict, 70 autoglm failed, 74 storage, 75 busy, 130 interrupted.";

/// Durable workflows and a resource scheduler in one binary.
#[derive(Debug, Parser)]
#[command(name = "autoglm", version, after_help = EXAMPLES, styles = STYLES)]
#[command(max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub global: Global,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command understands.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The folder that holds the state [default: $AUTOGLM_HOME, or ~/.local/state/autoglm]
    #[arg(long, value_name = "DIR", global = true, help_heading = "Global options")]
    pub home: Option<PathBuf>,

    /// How to print the result
    #[arg(short, long, value_enum, value_name = "FORMAT", global = true)]
    #[arg(help_heading = "Global options", hide_possible_values = true)]
    #[arg(help = "How to print the result: table, wide, json, jsonl or name")]
    pub output: Option<Format>,

    /// When to use colours
    #[arg(long, value_enum, value_name = "WHEN", global = true)]
    #[arg(help_heading = "Global options", hide_possible_values = true)]
    #[arg(help = "When to use colours: auto, always or never")]
    pub color: Option<Color>,
}

/// What this machine offers to tasks, and how it is decided which of them goes first, for commands
/// that may come to hold the state.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Offers {
    /// Cores that tasks may use at a time, such as 4 or 500m [default: all]
    #[arg(long, value_name = "CORES", value_parser = quantity::cpu_milli)]
    #[arg(help_heading = "What tasks may use")]
    pub cpu: Option<u64>,

    /// Memory that tasks may use at a time, such as 16Gi [default: all]
    #[arg(long, value_name = "AMOUNT", value_parser = quantity::memory_bytes)]
    #[arg(help_heading = "What tasks may use")]
    pub memory: Option<u64>,

    /// An amount of something else that tasks may ask for; may be given again
    #[arg(long = "resource", value_name = "NAME=AMOUNT", value_parser = quantity::resource)]
    #[arg(help_heading = "What tasks may use")]
    pub resources: Vec<(String, u64)>,

    /// A label of this machine, which tasks may select it by; may be given again
    #[arg(long = "node-label", value_name = "KEY=VALUE", value_parser = quantity::label)]
    #[arg(help_heading = "What tasks may use")]
    pub node_labels: Vec<(String, String)>,

    /// A taint of this machine: only tasks that tolerate it come here; may be given again
    #[arg(long = "node-taint", value_name = "NAME", value_parser = quantity::taint)]
    #[arg(help_heading = "What tasks may use")]
    pub node_taints: Vec<String>,

    /// Nodes that are made up instead of this machine, which runs what they are given. They have
    /// what the file says: nothing is measured, and GPUs are mere numbers
    #[arg(long, value_name = "FILE", help_heading = "What tasks may use")]
    #[arg(conflicts_with_all = ["cpu", "memory", "resources", "node_labels", "node_taints"])]
    pub cluster: Option<PathBuf>,

    /// How it is decided what goes first, and where [default: autoglm]
    #[arg(long, value_name = "POLICY", value_parser = settings::policy_words())]
    #[arg(help_heading = "What tasks may use", hide_possible_values = true)]
    pub policy: Option<Policy>,

    /// The file that says who shares what is there, and how [default: nobody: all is one queue]
    #[arg(long, value_name = "FILE", help_heading = "What tasks may use")]
    pub queues: Option<PathBuf>,
}

impl Arguments {
    /// The settings that the command line says.
    pub(crate) fn layer(&self) -> Layer {
        let offers = self.command.as_ref().and_then(Command::offers).cloned().unwrap_or_default();
        let (keep_runs, keep_days) = self.command.as_ref().map(Command::keep).unwrap_or_default();
        Layer {
            home: self.global.home.clone(),
            cpu_milli: offers.cpu,
            memory_bytes: offers.memory,
            resources: offers.resources.into_iter().collect(),
            labels: offers.node_labels.into_iter().collect(),
            taints: Some(offers.node_taints).filter(|taints| !taints.is_empty()),
            policy: offers.policy,
            queues: offers.queues,
            keep_runs,
            keep_days,
            output: self.global.output,
            color: self.global.color,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use protocol::api::RunRef;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::error::ErrorKind> {
        Arguments::try_parse_from(line.split_whitespace()).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_command_is_a_welcome() {
        assert!(parse("autoglm").expect("it is allowed").command.is_none());
    }

    #[test]
    fn a_run_takes_parameters_and_offers() {
        let line = "autoglm run a.yaml -p day=monday -p n=a=b --cpu 500m --resource gpu=2 --new";
        let arguments = parse(line).expect("it is good");
        let layer = arguments.layer();
        assert_eq!((layer.cpu_milli, layer.memory_bytes), (Some(500), None));
        assert_eq!(layer.resources["gpu"], 2);
        let Some(Command::Run(run)) = arguments.command else { panic!("another command") };
        assert!(run.new && !run.detach);
        assert_eq!(run.inputs.params[1], ("n".to_owned(), "a=b".to_owned()));
    }

    #[test]
    fn a_policy_has_a_name() {
        let layer = parse("autoglm serve --policy fifo_backfill").expect("it is good").layer();
        assert_eq!(layer.policy, Some(Policy::FifoBackfill));
        let error = Arguments::try_parse_from(["autoglm", "run", "a.yaml", "--policy", "heff"]);
        let message = error.expect_err("there is no such policy").to_string();
        let all = "possible values: fifo, fifo_backfill, round_robin, sjf, heft, autoglm";
        assert!(message.contains(all), "{message}");
        assert!(message.contains("a similar value exists: 'heft'"), "{message}");
    }

    #[test]
    fn global_options_stand_anywhere() {
        for line in ["autoglm -o json --home /x list", "autoglm list -o json --home /x"] {
            let layer = parse(line).expect("it is good").layer();
            assert_eq!(layer.output, Some(Format::Json));
            assert_eq!(layer.home, Some("/x".into()));
        }
    }

    #[test]
    fn runs_are_numbers_or_the_last() {
        let Ok(Arguments { command: Some(Command::Get(get)), .. }) = parse("autoglm get") else {
            panic!("another command")
        };
        assert!(matches!(get.what, crate::commands::get::What::Run(RunRef::Last)));
        for line in ["autoglm get x", "autoglm stop", "autoglm explain 3", "autoglm run"] {
            assert!(parse(line).is_err(), "{line}");
        }
        for line in ["autoglm run a.yaml -p day", "autoglm run a.yaml --cpu many"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_excludes_each_other_is_refused() {
        assert!(parse("autoglm retry 3 --failed --from a").is_err());
        assert!(parse("autoglm logs 3 --item 1").is_err(), "an item needs a task");
    }
}
