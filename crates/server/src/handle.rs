//! What the API may ask of the driver. Cheap to clone; every answer follows the durable facts.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use engine::{Amendment, Answer, Engine};
use model::control::Verdict;
use model::fact::{Marked, RunAdmitted, StopCause};
use model::work::Pool;
use model::{Digest, Graph, IdSet, ItemId, RunId, Seq, TaskId, TaskKey, Timestamp};
use protocol::api::Storage;
use spec::Definition;
use tokio::sync::oneshot;

use crate::driver::{Event, Settlement};
use crate::fleet::{Enforced, LiveLogs};
use crate::shelf::Shelf;

/// A way to the driver.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: Sender<Event>,
}

/// The driver has ended: its process is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Why a workflow was not admitted. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unadmitted {
    /// The driver has ended.
    Gone,
    /// Its graph or its text is large, and could not be stored.
    Storage(String),
}

/// What a question may look at. It is asked on the driver's thread, so it must be quick: page what
/// can be long. Its answer leaves when what it was made from is durable.
pub struct View<'a> {
    /// State, explanations.
    pub engine: &'a Engine,
    /// The texts of workflows.
    pub shelf: &'a Shelf,
    /// What live attempts have written so far.
    pub live_logs: &'a LiveLogs,
    /// What nodes hold attempts to; `None` of a run that has left memory.
    pub enforced: Option<&'a Enforced>,
    /// How the processes of functions fare.
    pub pools: &'a [Pool],
    /// The driver's clock.
    pub now: Timestamp,
    /// Whether facts can be stored at the moment.
    pub storage: Storage,
    /// Everything up to here is durable.
    pub durable: Seq,
}

/// What an answer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until everything that it may have been made from is durable.
    UntilDurable,
    /// Nothing.
    None,
}

/// Something to look at a [`View`] with.
pub(crate) type Question = Box<dyn FnOnce(&View<'_>) -> Reply + Send>;
/// What sends the answer on its way.
pub(crate) type Reply = Box<dyn FnOnce() + Send>;

/// A checked workflow on its way to the engine.
pub struct Admission {
    /// As it will be recorded; `run` is given by the engine, digests are filled in here.
    pub run: RunAdmitted,
    /// The compiled graph.
    pub graph: Arc<Graph>,
    /// The text that goes with it.
    pub definition: Arc<Definition>,
    /// What the admission names, as it is stored.
    pub stored: Vec<(Digest, Vec<u8>)>,
    /// What of it was done before, in another run.
    pub done: Done,
}

/// What of a run was done before it began, in the run that it is made from.
#[derive(Debug, Default)]
pub struct Done {
    /// Its tasks; their `run` is given by the engine.
    pub marks: Vec<Marked>,
    /// Their outputs, by item.
    pub outputs: Vec<(TaskId, ItemId, Arc<[u8]>)>,
    /// The lists of items that they were fanned out over, as they are stored.
    pub lists: Vec<(Digest, Vec<u8>)>,
}

/// Another version of a run on its way to the engine.
#[derive(Debug)]
pub struct Version {
    /// For the engine.
    pub amendment: Amendment,
    /// The text that goes with the graph.
    pub definition: Arc<Definition>,
    /// The graph and the text as they are stored.
    pub stored: Vec<(Digest, Vec<u8>)>,
}

impl Handle {
    pub(crate) const fn new(inbox: Sender<Event>) -> Self {
        Self { inbox }
    }

    fn send(&self, event: Event) -> Result<(), Gone> {
        self.inbox.send(event).map_err(|_| Gone)
    }

    /// Looks at the state. The answer comes when everything it was made from is durable.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        self.look(question, Patience::UntilDurable).await
    }

    /// Looks at what may be told at any time because it is no fact: whether facts can be stored.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn peek<T: Send + 'static>(
        &self,
        question: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        self.look(question, Patience::None).await
    }

    async fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&View<'_>) -> T + Send + 'static,
        patience: Patience,
    ) -> Result<T, Gone> {
        let (sender, receiver) = oneshot::channel();
        let question: Question = Box::new(move |view| {
            let answer = question(view);
            Box::new(move || drop(sender.send(answer)))
        });
        self.send(Event::Question(question, patience))?;
        receiver.await.map_err(|_| Gone)
    }

    /// Hands a checked workflow to the engine.
    ///
    /// # Errors
    /// [`Unadmitted`].
    pub async fn admit(&self, admission: Admission) -> Result<Answer, Unadmitted> {
        let (sender, receiver) = oneshot::channel();
        let sent = self.send(Event::Submit(Box::new(admission), sender));
        sent.map_err(|Gone| Unadmitted::Gone)?;
        receiver.await.map_err(|_| Unadmitted::Gone)?
    }

    /// Ends a run before it is done.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn stop(&self, run: RunId, cause: StopCause) -> Result<Answer, Gone> {
        self.request(|reply| Event::Stop { run, cause, reply }).await
    }

    /// Lets nothing more of a run start.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn pause(&self, run: RunId) -> Result<Answer, Gone> {
        self.request(|reply| Event::Pause { run, reply }).await
    }

    /// Tells what runs of a task to make room for others; only some of its items, if they are
    /// named.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn preempt(&self, task: TaskKey, items: Option<IdSet>) -> Result<Answer, Gone> {
        self.request(|reply| Event::Preempt { task, items, reply }).await
    }

    /// Lets a paused run go on.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn resume(&self, run: RunId) -> Result<Answer, Gone> {
        self.request(|reply| Event::Resume { run, reply }).await
    }

    /// Says to a task what it waits for. `output` becomes its outputs: canonical JSON.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn settle(
        &self,
        task: TaskKey,
        verdict: Verdict,
        output: Vec<u8>,
    ) -> Result<Answer, Gone> {
        let settlement = Box::new(Settlement { task, verdict, output });
        self.request(|reply| Event::Settle(settlement, reply)).await
    }

    /// Runs what did not succeed once more, or a task and all that follows it.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn retry(&self, run: RunId, from: Option<TaskId>) -> Result<Answer, Gone> {
        self.request(|reply| Event::Retry { run, from, reply }).await
    }

    /// Runs some items of a task once more, and all that follows it.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn retry_items(&self, task: TaskKey, items: IdSet) -> Result<Answer, Gone> {
        self.request(|reply| Event::RetryItems { task, items, reply }).await
    }

    /// Lets a run go on by another version of its graph.
    ///
    /// # Errors
    /// [`Unadmitted`].
    pub async fn amend(&self, version: Version) -> Result<Answer, Unadmitted> {
        let (sender, receiver) = oneshot::channel();
        let sent = self.send(Event::Amend(Box::new(version), sender));
        sent.map_err(|Gone| Unadmitted::Gone)?;
        receiver.await.map_err(|_| Unadmitted::Gone)?
    }

    /// Holds tasks to have ended. `output` becomes the outputs of the only one: canonical JSON.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn mark(&self, mark: Marked, output: Option<Vec<u8>>) -> Result<Answer, Gone> {
        self.request(|reply| Event::Mark { mark: Box::new(mark), output, reply }).await
    }

    /// Waits until a run has ended, durably. Ends early when the driver does.
    pub async fn ended(&self, run: RunId) {
        let (sender, ended) = oneshot::channel();
        if self.send(Event::WhenEnded(run, sender)).is_ok() {
            let _ = ended.await;
        }
    }

    async fn request(
        &self,
        event: impl FnOnce(oneshot::Sender<Answer>) -> Event,
    ) -> Result<Answer, Gone> {
        let (sender, receiver) = oneshot::channel();
        self.send(event(sender))?;
        receiver.await.map_err(|_| Gone)
    }

    /// Durable facts after `after`, in order, at most `limit` of them.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn history(&self, after: Seq, limit: usize) -> Result<Vec<journal::Entry>, Gone> {
        let (sender, receiver) = oneshot::channel();
        self.send(Event::History { after, limit, reply: sender })?;
        receiver.await.map_err(|_| Gone)
    }
}
