//! A rehearsal: simulated work that is also really run, by the same binary as any other, on nodes
//! that are made up. Its tasks sleep as long as they would work.
//!
//! It has a state folder of its own, which is gone afterwards: nothing of it touches the user's. It
//! measures what came of it as a simulation is measured, and decides nothing.

mod flow;
mod told;

use std::time::Duration;

use model::queue::QueueTree;
use protocol::api::{HistoryLine, HistoryQuery};
use tempfile::TempDir;
use tokio::time::{Instant, sleep_until};
use whatif::{Cluster, Policy, Recorded, RecordedJob, Seen, Work};

use super::Simulate;
use crate::app::{Context, block_on};
use crate::cluster;
use crate::commands::bad_argument;
use crate::error::{Error, HOLDER_ENDED, NO_HOME, Result};
use crate::exit::Exit;
use crate::home::{Home, Rules};
use crate::interrupt::Interrupts;
use crate::quantity::{Declared, Limit};
use crate::settings::Keep;
use told::Told;

/// How long the nodes have to register before the first job comes.
const NODES_PATIENCE: Duration = Duration::from_millis(500);

/// What is really run.
pub(super) struct Rehearsal<'a> {
    /// The work, in the time in which it is to be run.
    pub work: &'a Work,
    /// The nodes that are made up for it.
    pub cluster: &'a Cluster,
    /// Who shares them.
    pub queues: &'a QueueTree,
    /// By what is planned.
    pub policy: Policy,
}

impl Rehearsal<'_> {
    /// Runs it, and measures it.
    pub(super) fn run(&self, asked: &Simulate, context: &Context) -> Result<Seen> {
        let arrivals = self.work.arrivals_us().ok_or_else(closed)?;
        let folder = tempfile::tempdir().map_err(no_folder)?;
        let home = self.home(asked, &folder)?;
        let lines = block_on(async {
            let mut interrupts = Interrupts::catch()?;
            tokio::select! {
                lines = self.play(&home, arrivals) => lines,
                _ = interrupts.next() => Err(interrupted()),
            }
        })?;
        let mut told = Told::default();
        lines.into_iter().for_each(|line| told.take(line));
        let begin_us = arrivals.first().copied().unwrap_or(0);
        let jobs = told.jobs(self.cluster, begin_us)?;
        if let Some(note) = self.late(arrivals, &jobs) {
            context.say(&note);
        }
        let recorded = Recorded::of(self.work, jobs);
        let name = whatif::name_of(self.policy);
        Ok(recorded.measure(name, (self.work, self.cluster), self.queues))
    }

    /// A state folder of its own, with the nodes.
    fn home(&self, asked: &Simulate, folder: &TempDir) -> Result<Home> {
        let keep = Keep { runs: Limit::All, days: Limit::All };
        let rules = Rules { keep, policy: self.policy, queues: asked.queues.clone() };
        let state = folder.path().join("state");
        let home = Home::new(state, Declared::default(), rules);
        let file = asked.cluster.clone().unwrap_or_default();
        home.with_nodes(file, cluster::described(self.cluster)?)
    }

    /// Submits every job when it is to come, and gives back the history when all have ended.
    async fn play(&self, home: &Home, arrivals: &[u64]) -> Result<Vec<HistoryLine>> {
        let mut session = home.attach_or_hold().await?;
        session.begin()?;
        // Jobs stand in the order in which they come.
        let first = arrivals.first().copied().unwrap_or(0);
        let begin = Instant::now() + NODES_PATIENCE;
        for (job, at) in arrivals.iter().enumerate() {
            sleep_until(begin + Duration::from_micros(at.saturating_sub(first))).await;
            session.client.submit(&flow::submission(self, home.folder(), job)).await?;
        }
        session.wait_idle().await?;
        let gone = || Error::new(Exit::Internal, HOLDER_ENDED, "nothing is left of the rehearsal");
        let session = home.attach_or_read().await?.ok_or_else(gone)?;
        let mut stream = session.client.history(&HistoryQuery::default()).await?;
        let mut lines = Vec::new();
        while let Some(line) = stream.next().await? {
            lines.push(line);
        }
        Ok(lines)
    }

    /// What is to be said where jobs came later than they were to: the machine is too small for
    /// what it stands for, and what was measured is not to be trusted.
    fn late(&self, arrivals: &[u64], jobs: &[RecordedJob]) -> Option<String> {
        const LATE_US: u64 = 250_000;
        let came = jobs.iter().zip(arrivals);
        let most = came.map(|(job, &at)| job.came_us.saturating_sub(at)).max().unwrap_or(0);
        (most > LATE_US).then(|| {
            let late = most as f64 / 1e6;
            format!(
                "note: jobs of {} came up to {late:.1}s late: this machine is too busy for it",
                whatif::name_of(self.policy)
            )
        })
    }
}

fn closed() -> Error {
    bad_argument("a rehearsal has its jobs come at their times, and not in a closed loop")
        .hint("use --arrivals recorded or --arrivals poisson:LOAD")
}

fn interrupted() -> Error {
    Error::new(Exit::Interrupted, HOLDER_ENDED, "the rehearsal was interrupted")
}

fn no_folder(error: std::io::Error) -> Error {
    let message = format!("cannot make a folder for the rehearsal: {error}");
    Error::new(Exit::Storage, NO_HOME, message).hint("set TMPDIR to a folder that can be written")
}
