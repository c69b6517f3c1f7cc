//! `serve`: hold the state in the foreground, and serve its API until told to end.
//!
//! For services, and for programs that want the API to be there between runs. It decides nothing:
//! what it holds is what every other command that comes to hold the state does.

use std::io::Read;

use clap::Args;
use protocol::api::SOCKET_NAME;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::Context;
use crate::args::Offers;
use crate::error::{Error, HELD, HOLDER_ENDED, Result};
use crate::exit::Exit;
use crate::output::Format;

const EXAMPLES: &str = "\
Examples:
  autoglm serve                       Until Ctrl-C, or TERM
  autoglm serve --cpu 4               What tasks may use at a time
  autoglm serve --until-eof -o json   For a program that starts it and keeps its input open

Runs that have not ended go on. When it ends, what runs is killed with it, and goes on where it
stopped as soon as somebody holds the state again.";

/// Hold the state, and serve its API.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// End when the standard input does, too
    #[arg(long)]
    pub until_eof: bool,

    #[command(flatten)]
    pub offers: Offers,
}

impl Serve {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let mut session = context.home.attach_or_hold().await?;
        let socket = context.home.folder().join(SOCKET_NAME);
        if !session.is_own() {
            let message = format!("another process serves {} already", socket.display());
            return Err(Error::new(Exit::Busy, HELD, message));
        }
        // Before anybody is told that it is there: a signal that follows is heard.
        let end = End::listen(self.until_eof)?;
        session.begin()?;
        match context.output.format {
            Format::Json | Format::Jsonl => context.output.json(&json!({"socket": socket}))?,
            Format::Name => context.output.text(&format!("{}\n", socket.display()))?,
            Format::Table | Format::Wide => {
                context.say(&format!("Serving {}. Ctrl-C ends it.", socket.display()));
            }
        }
        end.come().await;
        Ok(Exit::Ok)
    }
}

/// What ends it.
struct End {
    interrupted: tokio::signal::unix::Signal,
    terminated: tokio::signal::unix::Signal,
    until_eof: bool,
}

impl End {
    fn listen(until_eof: bool) -> Result<Self> {
        let catch = |kind| {
            signal(kind).map_err(|error| {
                let message = format!("cannot catch signals: {error}");
                Error::new(Exit::Internal, HOLDER_ENDED, message)
            })
        };
        let interrupted = catch(SignalKind::interrupt())?;
        Ok(Self { interrupted, terminated: catch(SignalKind::terminate())?, until_eof })
    }

    async fn come(mut self) {
        let until_eof = self.until_eof;
        let eof = async {
            if !until_eof {
                return std::future::pending().await;
            }
            // A thread of its own: reading may block for ever, and nobody waits for it then.
            let _ = tokio::task::spawn_blocking(drain).await;
        };
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
            () = eof => {}
        }
    }
}

/// Reads the standard input to its end; what it says does not matter.
fn drain() {
    let mut input = std::io::stdin().lock();
    let mut bytes = [0; 4_096];
    while input.read(&mut bytes).is_ok_and(|count| count > 0) {}
}
