//! One container: its image is there, it is made and started, what it writes is passed on, and when
//! it has ended it is removed, however that came.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use model::Span;
use model::outcome::{Failure, Outcome};
use model::work::container::{Container, Pull};
use serde_json::Value as Json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::super::network::{Teller, Trouble};
use super::super::{Attempt, Ending, Finished, Left};
use super::api::Api;
use super::house::House;
use super::stream::{Kept, Pieces};
use super::{shared_folder, spec};

/// How long the last words of a container may take after its end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What all steps of a container have in common.
pub(super) struct Run<'r> {
    pub api: &'r Api,
    pub house: &'r House,
    pub teller: &'r Teller,
}

/// How an attempt has to end, as far as it was told to.
struct Orders {
    endings: UnboundedReceiver<Ending>,
    kill_at: Option<Instant>,
}

/// What is to be sent to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ask,
    Kill,
}

impl Orders {
    /// The next thing that is to be sent; waits for ever when nothing is.
    async fn next(&mut self) -> Order {
        loop {
            let kill_at = self.kill_at;
            let due = async {
                match kill_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                ending = self.endings.recv() => match ending {
                    Some(Ending::Ask(Span(micros))) => {
                        let at = Instant::now() + Duration::from_micros(micros);
                        // A second stop may shorten the grace, never lengthen it.
                        let first = self.kill_at.is_none();
                        self.kill_at = Some(self.kill_at.map_or(at, |before| before.min(at)));
                        if first {
                            return Order::Ask;
                        }
                    }
                    // Nobody listens any more: the attempt is lost.
                    Some(Ending::Kill) | None => return Order::Kill,
                },
                () = due => return Order::Kill,
            }
        }
    }
}

impl Run<'_> {
    /// Runs it to its end, and leaves nothing of it.
    pub(super) async fn whole(
        &self,
        attempt: &Attempt,
        container: &Container,
        endings: UnboundedReceiver<Ending>,
    ) -> Finished {
        let mut orders = Orders { endings, kill_at: None };
        let prepared = tokio::select! {
            biased;
            _ = orders.next() => return Finished::stopped(),
            prepared = self.prepare(attempt, container) => prepared,
        };
        let ended = match prepared {
            Ok(id) => {
                let ended = self.live(&id, &mut orders).await;
                if let Err(trouble) = self.api.remove(&id).await {
                    self.teller.say(&trouble.reason);
                }
                ended
            }
            Err(trouble) => Err(trouble),
        };
        let shared = shared_folder(attempt);
        let has_outputs = take_out(&shared.join("output"), &attempt.output_file);
        take_out(&shared.join("tasks"), &attempt.tasks_file);
        // What a container has written there as somebody else may stay; it is not looked at again.
        let _ = fs::remove_dir_all(&shared);
        match ended {
            Ok(outcome) => Finished { left: Left::Files { has_outputs }, ..Finished::new(outcome) },
            Err(trouble) => trouble.into(),
        }
    }

    /// Makes the container.
    async fn prepare(&self, attempt: &Attempt, container: &Container) -> Result<String, Trouble> {
        let image = &container.image;
        let is_here = match container.pull {
            Pull::Always => false,
            Pull::Missing | Pull::Never => self.api.has_image(image).await?,
        };
        if !is_here {
            if container.pull == Pull::Never {
                let reason = format!("the image {image} is not here, and is never to be pulled");
                return Err(Trouble::new(Failure::Spawn(2), reason));
            }
            self.teller.say(&format!("pulls the image {image}"));
            self.api.pull(image).await?;
        }
        let shared = shared_folder(attempt);
        let made = make_open(&shared).and_then(|()| make_open(&attempt.work_dir));
        made.and_then(|()| self.house.mark()).map_err(|error| {
            let number = error.raw_os_error().unwrap_or_default();
            Trouble::new(Failure::Spawn(number), format!("no place for what it leaves: {error}"))
        })?;
        let body = spec::body(attempt, container, self.house, &shared);
        let name = spec::name(attempt, self.house);
        let (id, warnings) = self.api.create(&name, &body).await?;
        for warning in warnings {
            self.teller.say(&format!("the container engine warns: {warning}"));
        }
        Ok(id)
    }

    /// Starts it, and goes with it to its end.
    async fn live(&self, id: &str, orders: &mut Orders) -> Result<Outcome, Trouble> {
        self.api.start(id).await?;
        let mut pass_on = std::pin::pin!(self.pass_on(id));
        let mut wait = std::pin::pin!(self.api.wait(id));
        let mut is_passed_on = false;
        loop {
            tokio::select! {
                biased;
                order = orders.next() => {
                    let signal = if order == Order::Ask { "SIGTERM" } else { "SIGKILL" };
                    if order == Order::Kill {
                        // Sent once: nothing can be added to it.
                        orders.kill_at = None;
                        orders.endings.close();
                    }
                    // One that has just ended takes none.
                    let _ = self.api.signal(id, signal).await;
                    if order == Order::Kill {
                        (&mut wait).await?;
                        break;
                    }
                }
                passed_on = &mut pass_on, if !is_passed_on => {
                    is_passed_on = true;
                    passed_on?;
                }
                waited = &mut wait => {
                    waited?;
                    break;
                }
            }
        }
        if !is_passed_on {
            // A pipe that somebody outside holds open is not waited for.
            let _ = tokio::time::timeout(LAST_WORDS, pass_on).await;
        }
        self.outcome(id).await
    }

    /// Passes on what it writes, until it ends.
    async fn pass_on(&self, id: &str) -> Result<(), Trouble> {
        let mut kept = Kept::new();
        let mut answer = self.api.logs(id).await?;
        let mut pieces = Pieces::default();
        while let Some(bytes) = answer.chunk().await.ok().flatten() {
            pieces.take(&bytes, |stream, piece| {
                let piece = kept.admit(piece);
                if !piece.is_empty() {
                    self.teller.output(stream, piece.to_vec());
                }
            });
        }
        if kept.dropped > 0 {
            let dropped = kept.dropped;
            self.teller.say(&format!("{dropped} bytes of its output were too many, and dropped"));
        }
        Ok(())
    }

    async fn outcome(&self, id: &str) -> Result<Outcome, Trouble> {
        let state = &self.api.inspect(id).await?["State"];
        let code = state["ExitCode"].as_i64().and_then(|code| i32::try_from(code).ok());
        Ok(match (code, &state["OOMKilled"]) {
            (Some(0), _) => Outcome::Succeeded,
            (_, Json::Bool(true)) => Outcome::Failed(Failure::OutOfMemory),
            (Some(code), _) => Outcome::Failed(Failure::Exit(code)),
            (None, _) => Outcome::Failed(Failure::Exit(-1)),
        })
    }
}

/// Makes a folder that whoever runs in a container can write to. What is around it keeps others
/// out.
fn make_open(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o777))
}

/// Takes a file that a container has left to where it is read. Only a file that is one: a link
/// would lead to what the container itself could not read.
fn take_out(from: &Path, to: &Path) -> bool {
    let is_file = fs::symlink_metadata(from).is_ok_and(|found| found.is_file());
    is_file && fs::rename(from, to).is_ok()
}
