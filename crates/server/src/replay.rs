//! The state that a journal holds: its snapshot, and what came after. The engine applies the facts
//! with the code that runs live; here they are only read, with the objects that they name.

use std::collections::HashSet;
use std::ops::ControlFlow;

use artifacts::objects::Objects;
use engine::state::{Run, State};
use engine::{Engine, Rules};
use journal::{Entry, Journal};
use model::fact::RunAdmitted;
use model::{Digest, Fact, Seq, Timestamp};
use protocol::api::Storage;
use stores::subject::{list_of, version_of};

use crate::fleet::LiveLogs;
use crate::handle::View;
use crate::shelf::Shelf;

/// Facts that are read at once, since objects are read from the same store in between.
const PAGE: usize = 65_536;

/// A state with the graphs and texts that its runs name.
pub(crate) struct Replayed {
    pub engine: Engine,
    pub shelf: Shelf,
}

/// Replays everything.
///
/// # Errors
/// Something cannot be read, for people.
pub(crate) fn replay(journal: &mut dyn Journal, objects: &Objects) -> Result<Replayed, String> {
    replay_for(&Rules::default(), journal, objects)
}

/// The same, for who is to lead, and goes by these rules.
///
/// # Errors
/// Something cannot be read, for people.
pub(crate) fn replay_for(
    rules: &Rules,
    journal: &mut dyn Journal,
    objects: &Objects,
) -> Result<Replayed, String> {
    let engine = Engine::with(rules);
    let mut replayed = Replayed { engine, shelf: Shelf::default() };
    let mut after = Seq(0);
    if let Some(snapshot) = journal.snapshot().map_err(|error| error.to_string())? {
        after = snapshot.covers;
        for (seq, at, fact) in &snapshot.facts {
            replayed.take((*seq, *at, fact), journal, objects)?;
        }
    }
    loop {
        let page = read_page(journal, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for entry in &page {
            replayed.take((entry.seq, entry.at, &entry.fact), journal, objects)?;
        }
    }
    let named = named(replayed.engine.state());
    replayed.shelf.keep(&named);
    Ok(replayed)
}

/// What the runs of a state name of what is stored.
pub(crate) fn named(state: &State) -> HashSet<Digest> {
    let admitted = |run: &Run| named_by(run.admitted());
    state.runs().flat_map(|(_, run)| admitted(run).into_iter().chain(run.item_lists())).collect()
}

/// What an admission names of what is stored: its graph, its text, its file, and what the file was
/// given.
pub(crate) const fn named_by(run: &RunAdmitted) -> [Digest; 4] {
    [run.graph, run.definition, run.content, run.identity]
}

/// Replays one run into a state of its own, from its facts alone. It has no workers, and once the
/// run has ended nothing asks for them.
///
/// # Errors
/// Its graph or its text cannot be read, for people.
pub(crate) fn replay_run(
    entries: &[Entry],
    journal: &mut dyn Journal,
    objects: &Objects,
) -> Result<Replayed, String> {
    let mut replayed = Replayed::new();
    for entry in entries {
        replayed.take((entry.seq, entry.at, &entry.fact), journal, objects)?;
    }
    Ok(replayed)
}

/// At most `limit` facts after `after`.
///
/// # Errors
/// They cannot be read, for people.
pub(crate) fn read_page(
    journal: &mut dyn Journal,
    after: Seq,
    limit: usize,
) -> Result<Vec<Entry>, String> {
    let mut page = Vec::new();
    let mut sink = |entry| {
        page.push(entry);
        if page.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    journal.read(after, &mut sink).map_err(|error| error.to_string())?;
    Ok(page)
}

impl Replayed {
    /// Before the first fact.
    pub(crate) fn new() -> Self {
        Self { engine: Engine::new(), shelf: Shelf::default() }
    }

    /// The state at `now`, for the views. What is no fact is not in it.
    pub(crate) fn view<'a>(&'a self, live_logs: &'a LiveLogs, now: Timestamp) -> View<'a> {
        View {
            engine: &self.engine,
            shelf: &self.shelf,
            live_logs,
            enforced: None,
            pools: &[],
            now,
            storage: Storage::Ok,
            durable: self.engine.state().last(),
        }
    }

    /// Takes in the next fact, with what it names.
    ///
    /// # Errors
    /// That cannot be read, for people.
    pub(crate) fn take(
        &mut self,
        (seq, at, fact): (Seq, Timestamp, &Fact),
        journal: &mut dyn Journal,
        objects: &Objects,
    ) -> Result<(), String> {
        if let Fact::RunAdmitted(run) = fact {
            self.shelf.load(run.graph, run.definition, journal, objects)?;
        }
        if let Some([graph, definition]) = version_of(fact) {
            self.shelf.load(graph, definition, journal, objects)?;
        }
        if let Some(list) = list_of(fact) {
            self.shelf.load_list(list, journal, objects)?;
        }
        self.engine.replay(seq, at, fact, &self.shelf);
        Ok(())
    }
}
