//! The executor of containers, through the HTTP API that Docker and Podman have on a socket.
//!
//! It asks an engine that is there, and starts none. Containers carry labels that say whose they
//! are: what a worker that was killed has left running is removed before the next one starts any.
//! It tries nothing again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::work::container::Container;
use tokio::sync::{OnceCell, mpsc};

use super::network::Teller;
use super::{Attempt, Ending, Executor, Finished, Tools};
use crate::supervisor::Ticket;

mod api;
mod devices;
mod engine;
mod house;
mod run;
mod spec;
mod stream;

pub use engine::is_offered;

use api::Api;
use house::House;
use run::Run;

/// Attempts that run in containers.
#[derive(Debug)]
pub(crate) struct Containers {
    house: Arc<House>,
    /// Whether what was left is gone.
    is_clean: Arc<OnceCell<()>>,
    /// What ends each of them.
    live: HashMap<Ticket, mpsc::UnboundedSender<Ending>>,
}

impl Containers {
    /// Those of the worker with this state folder.
    pub(crate) fn new(home: &Path) -> Self {
        let is_clean = Arc::default();
        Self { house: Arc::new(House::new(home)), is_clean, live: HashMap::new() }
    }

    /// Removes what was left running, if something may be.
    pub(crate) fn clear(&self, tools: &mut Tools<'_>) {
        if !self.house.may_have_left() {
            return;
        }
        let (house, is_clean) = (Arc::clone(&self.house), Arc::clone(&self.is_clean));
        tools.network.in_background(async move {
            // An engine that is not there now is asked again before the next container.
            if let Ok(api) = Api::find() {
                let _ = is_clean.get_or_try_init(|| house.clear(&api)).await;
            }
        });
    }

    /// Whether a worker with this state folder may have left some that run.
    pub(crate) fn may_be_left(home: &Path) -> bool {
        House::new(home).may_have_left()
    }

    /// Ends and removes what such a worker has left.
    ///
    /// # Errors
    /// The engine cannot be asked, in words.
    pub(crate) fn end_left(home: &Path) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let api = Api::find().map_err(|trouble| trouble.reason)?;
        runtime.block_on(House::new(home).clear(&api)).map_err(|trouble| trouble.reason)
    }

    /// An attempt has ended.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        let is_last = self.live.remove(&ticket).is_some() && self.live.is_empty();
        if is_last && self.is_clean.initialized() {
            self.house.unmark();
        }
    }
}

impl Executor for Containers {
    type Work = Container;

    fn start(&mut self, attempt: Attempt, container: Container, tools: &mut Tools<'_>) {
        let (sender, endings) = mpsc::unbounded_channel();
        self.live.insert(attempt.ticket, sender);
        let (house, is_clean) = (Arc::clone(&self.house), Arc::clone(&self.is_clean));
        tools.network.begin(attempt.ticket, tools.slot, |teller| async move {
            let job = Job { attempt, container, house, is_clean, endings };
            job.run(&teller).await
        });
    }

    fn stop(&mut self, ticket: Ticket, how: Ending, _: &mut Tools<'_>) {
        if let Some(live) = self.live.get(&ticket) {
            // One that has ended meanwhile listens no more.
            let _ = live.send(how);
        }
    }

    /// Each kills its container when it hears no more; what is left then is removed before the
    /// next one starts.
    fn abandon(&mut self) {
        self.live.clear();
        self.is_clean = Arc::default();
    }
}

/// One attempt, from the search for an engine to the removal of its container.
struct Job {
    attempt: Attempt,
    container: Container,
    house: Arc<House>,
    is_clean: Arc<OnceCell<()>>,
    endings: mpsc::UnboundedReceiver<Ending>,
}

impl Job {
    async fn run(self, teller: &Teller) -> Finished {
        let Self { attempt, container, house, is_clean, endings } = self;
        let api = match Api::find() {
            Ok(api) => api,
            Err(trouble) => return trouble.into(),
        };
        if let Err(trouble) = is_clean.get_or_try_init(|| house.clear(&api)).await {
            return trouble.into();
        }
        let run = Run { api: &api, house: &house, teller };
        run.whole(&attempt, &container, endings).await
    }
}

/// Where the files of an attempt are that its container is told of.
fn shared_folder(attempt: &Attempt) -> PathBuf {
    attempt.output_file.with_extension("shared")
}

/// The file by which what runs in a container says that it has saved its work.
pub(crate) fn checkpoints_file(output_file: &Path) -> PathBuf {
    output_file.with_extension("shared").join("checkpoints")
}

/// The file by which what runs in a container says that it lives.
pub(crate) fn heartbeat_file(output_file: &Path) -> PathBuf {
    output_file.with_extension("shared").join("heartbeat")
}
