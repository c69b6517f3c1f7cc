//! `autoglm` alone: what it is, and the first three commands.

use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::style::{Paint, Tone};

/// Prints the welcome.
pub(crate) fn run(context: &Context) -> Result<Exit> {
    context.output.text(&text(context.output.tone))?;
    Ok(Exit::Ok)
}

fn text(tone: Tone) -> String {
    let title = tone.paint(Paint::Head, "autoglm");
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("{title} {version}: durable workflows and a resource scheduler\n\n");
    let commands = [
        ("autoglm run FILE", "run a workflow; the same again goes on where it stopped"),
        ("autoglm get", "see the tasks of the last run"),
        ("autoglm --help", "see everything else"),
    ];
    for (command, does) in commands {
        let command = tone.paint(Paint::Accent, &format!("{command:<18}"));
        text.push_str(&format!("  {command}  {does}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_welcome_names_three_commands() {
        let text = text(Tone::PLAIN);
        assert_eq!(text.matches("  autoglm ").count(), 3, "{text}");
    }
}
