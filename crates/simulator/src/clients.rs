//! The clients: they submit, stop, terminate and retry, and ask again when nobody answers.
//!
//! A client that has a key may ask as often as it likes. One without asks again only when it knows
//! that nobody heard it.

mod changes;

use std::sync::Arc;

use engine::{Amendment, Answer, Input, Rejection, RequestId, Submission};
use model::collections::HashMap;
use model::fact::{Marked, StopCause};
use model::{RunId, RunStatus, Span, TaskKey};

use crate::event::{Event, Wish};
use crate::invariants::{s13_idempotency, s19_waits, s20_versions};
use crate::mark::Mark;
use crate::mutant::Mutant;
use crate::plan::Plan;
use crate::records::{Records, Store};
use crate::stage::Stage;
use crate::workload;

/// For how long a run is paused at most before somebody lets it go on.
pub const PAUSED_MAX: Span = Span::secs(300);
/// How long a client waits for an answer.
pub const PATIENCE: Span = Span::secs(5);

/// All clients.
#[derive(Debug, Default)]
pub struct Clients {
    waiting: HashMap<RequestId, Wish>,
    edits: HashMap<RequestId, Amendment>,
    marks: HashMap<RequestId, Marked>,
    next: u64,
}

impl Clients {
    /// Plans the submissions of a plan.
    pub fn start(&mut self, stage: &mut Stage, plan: &Plan) {
        for (index, run) in plan.runs.iter().enumerate() {
            for copy in 0..run.submissions.max(1) {
                stage.wishes += 1;
                let later = Span(run.at.0 + u64::from(copy) * 700_000);
                stage.after(later, Event::Ask { wish: Wish::Submit { index } });
            }
        }
    }

    /// A client wants something. Returns what the coordinator is to be told, if one is there.
    pub fn ask(
        &mut self,
        stage: &mut Stage,
        (records, store): (&mut Records, &mut Store),
        wish: Wish,
        is_led: bool,
    ) -> Option<Input> {
        if !is_led {
            stage.after(PATIENCE, Event::Ask { wish });
            return None;
        }
        self.next += 1;
        let request = RequestId(self.next);
        self.waiting.insert(request, wish);
        stage.after(PATIENCE, Event::Unanswered { request });
        stage.tell(|| format!("a client asks: {wish:?}"));
        let stop = |run, cause| Input::Stop { request, run, cause };
        Some(match wish {
            Wish::Submit { index } => {
                let work = &records.works[index];
                let mut run = workload::admission(&work.plan, &work.graph);
                if stage.has(Mutant::NoIdempotency) {
                    run.key = None;
                }
                let graph = Arc::clone(&work.planted);
                Input::Submit(Box::new(Submission { request, run, graph, done: Vec::new() }))
            }
            Wish::Stop { run } => {
                records.asked.insert(run, stage.now);
                stop(run, StopCause::Stopped)
            }
            Wish::Terminate { run } => {
                records.asked.insert(run, stage.now);
                stop(run, StopCause::Terminated)
            }
            Wish::Pause { run } => {
                stage.truth.pauses.insert((run, true));
                Input::Pause { request, run }
            }
            Wish::Preempt { run, seed } => {
                let Some(known) = records.ledger.run(run) else {
                    self.waiting.remove(&request);
                    stage.wishes -= 1;
                    return None;
                };
                let (task, items) = workload::preemption::chosen(run, known, seed);
                stage.truth.preempted.insert(task);
                Input::Preempt { request, task, items }
            }
            Wish::Resume { run } => resume(stage, (records, store), (request, run)),
            Wish::Retry { run, from } => Input::Retry { request, run, from },
            Wish::Edit { .. } | Wish::Mark { .. } | Wish::RetryItems { .. } | Wish::Fork { .. } => {
                let input = self.change(stage, (records, store), (request, wish));
                if input.is_none() {
                    self.waiting.remove(&request);
                    stage.wishes -= 1;
                }
                return input;
            }
            Wish::Settle { task, verdict } => {
                *stage.truth.said.entry((task, verdict)).or_default() += 1;
                Input::Settle { request, task, verdict, output: None }
            }
        })
    }

    /// Nobody has answered in time.
    pub fn give_up(&mut self, stage: &mut Stage, records: &Records, request: RequestId) {
        let Some(wish) = self.waiting.remove(&request) else { return };
        self.edits.remove(&request);
        self.marks.remove(&request);
        let may_repeat = match wish {
            Wish::Submit { index } => records.works[index].plan.submissions > 1,
            Wish::Stop { .. } | Wish::Terminate { .. } | Wish::Settle { .. } => true,
            Wish::Pause { .. } | Wish::Preempt { .. } => false,
            Wish::Resume { run } => records.ledger.run(run).is_some_and(is_paused),
            // What is changed twice would be another change.
            Wish::Retry { .. }
            | Wish::RetryItems { .. }
            | Wish::Edit { .. }
            | Wish::Mark { .. } => false,
            Wish::Fork { .. } => true,
        };
        if may_repeat {
            stage.after(PATIENCE, Event::Ask { wish });
        } else {
            stage.wishes -= 1;
        }
    }

    /// An answer has come.
    pub fn answered(
        &mut self,
        stage: &mut Stage,
        (records, store): (&mut Records, &Store),
        (request, answer): (RequestId, Answer),
    ) {
        let Some(wish) = self.waiting.remove(&request) else { return };
        let (edit, mark) = (self.edits.remove(&request), self.marks.remove(&request));
        stage.tell(|| format!("a client is told {answer:?}"));
        stage.wishes -= 1;
        match (wish, answer) {
            (Wish::Submit { index }, Answer::Admitted { run, again }) => {
                self.admitted(stage, records, index, (run, again));
            }
            (Wish::Stop { run }, Answer::Stopping { status }) if !status.is_final() => {
                note_stop(stage, run, StopCause::Stopped);
            }
            (Wish::Terminate { run }, Answer::Stopping { status }) if !status.is_final() => {
                note_stop(stage, run, StopCause::Terminated);
            }
            (Wish::Resume { run }, Answer::Rejected(Rejection::CostLimit { .. })) => {
                stage.hit(Mark::ResumeRefused);
                again(stage, Wish::Resume { run });
            }
            // Its limit was raised, or would have been.
            (Wish::Resume { run }, Answer::Amended | Answer::Rejected(Rejection::Outdated)) => {
                again(stage, Wish::Resume { run });
            }
            (Wish::Settle { task, .. }, Answer::Settled) => {
                let told = s19_waits::told(&mut stage.truth, &records.ledger, task);
                stage.judge("S19", told);
            }
            (Wish::Settle { .. }, Answer::Rejected(Rejection::NotWaiting(_))) => {
                stage.hit(Mark::NotWaiting);
            }
            (Wish::Settle { .. }, Answer::Rejected(Rejection::NothingToSay)) => {
                stage.hit(Mark::NothingToSay);
            }
            (Wish::Fork { .. }, Answer::Admitted { run, .. }) => {
                let key = records.ledger.run(run).and_then(|run| run.admitted.key);
                stage.truth.acknowledged.insert(run, key);
                let told = s13_idempotency::answered(&mut stage.truth, key, run);
                stage.judge("S13", told);
            }
            (Wish::Edit { .. }, Answer::Amended) => {
                let edit = edit.expect("it was asked for");
                stage.judge("S20", s20_versions::told(&records.ledger, &edit));
            }
            (Wish::Edit { .. }, Answer::Rejected(rejection)) => {
                let edit = edit.expect("it was asked for");
                self.edit_refused(stage, (records, store), (&edit, wish), &rejection);
            }
            (Wish::Mark { .. }, Answer::Rejected(rejection)) => {
                let mark = mark.expect("it was asked for");
                Self::mark_refused(stage, records, &mark, &rejection);
            }
            (Wish::Submit { .. } | Wish::Fork { .. }, answer) => {
                stage.judge("S1", Err(format!("a submission was answered with {answer:?}")));
            }
            (_, Answer::Rejected(Rejection::UnknownRun(run))) => {
                let forgotten = records.ledger.run(run).is_none();
                let unknown = Err(format!("run {run} is unknown to the engine alone"));
                stage.judge("S1", if forgotten { Ok(()) } else { unknown });
            }
            _ => {}
        }
    }

    fn admitted(
        &self,
        stage: &mut Stage,
        records: &Records,
        index: usize,
        (run, again): (RunId, bool),
    ) {
        let work = &records.works[index];
        let key = workload::admission(&work.plan, &work.graph).key;
        stage.truth.acknowledged.insert(run, key);
        let told = s13_idempotency::answered(&mut stage.truth, key, run);
        stage.judge("S13", told);
        if again {
            return stage.hit(Mark::Again);
        }
        let wishes =
            [(work.plan.stop, Wish::Stop { run }), (work.plan.terminate, Wish::Terminate { run })];
        for (after, wish) in wishes {
            if let Some(after) = after {
                stage.wishes += 1;
                stage.after(after, Event::Ask { wish });
            }
        }
        let edits = workload::people::edits(&work.plan).into_iter();
        let edits = edits.map(|(after, seed)| (after, Wish::Edit { run, seed }));
        let marks = workload::people::marks(&work.plan).into_iter();
        let marks = marks.map(|(after, seed)| (after, Wish::Mark { run, seed }));
        for (after, wish) in edits.chain(marks) {
            stage.wishes += 1;
            stage.after(after, Event::Ask { wish });
        }
        for after in workload::calls::pauses(&work.plan) {
            stage.wishes += 1;
            stage.after(after, Event::Ask { wish: Wish::Pause { run } });
        }
        for (after, seed) in workload::preemption::preemptions(&work.plan) {
            stage.wishes += 1;
            stage.after(after, Event::Ask { wish: Wish::Preempt { run, seed } });
        }
        for (after, task, verdict) in workload::people::said_in_vain(&work.plan, &work.graph) {
            stage.wishes += 1;
            let wish = Wish::Settle { task: TaskKey { run, task }, verdict };
            stage.after(after, Event::Ask { wish });
        }
    }
}

fn is_paused(run: &crate::ledger::Run) -> bool {
    run.status == RunStatus::Paused
}

/// Somebody asks once more, in a moment.
fn again(stage: &mut Stage, wish: Wish) {
    stage.wishes += 1;
    stage.after(Span::secs(1), Event::Ask { wish });
}

/// A paused run is to go on. What has cost as much as it may needs a higher limit first; now and
/// then nobody thinks of that.
fn resume(
    stage: &mut Stage,
    (records, store): (&Records, &Store),
    (request, run): (RequestId, RunId),
) -> Input {
    stage.truth.pauses.insert((run, false));
    let resume = Input::Resume { request, run };
    let Some(known) = records.ledger.run(run).filter(|known| is_paused(known)) else {
        return resume;
    };
    let limit = known.admitted.cost_limit_micro;
    let reached = limit.filter(|&limit| known.cost_micro >= limit);
    let Some(limit) = reached.filter(|_| stage.draw_span(0, 10).0 > 2) else { return resume };
    let admitted = &known.admitted;
    let (priority, concurrency) = (admitted.priority, admitted.concurrency);
    stage.truth.edits.insert((run, admitted.graph, priority, concurrency));
    let amendment = Amendment {
        run,
        base: admitted.graph,
        graph: engine::Graphs::graph(&store.graphs, &admitted.graph),
        definition: admitted.definition,
        priority,
        concurrency,
        cost_limit_micro: Some((limit * 2).max(known.cost_micro) + 1_000),
    };
    Input::Amend { request, amendment: Box::new(amendment) }
}

fn note_stop(stage: &mut Stage, run: RunId, cause: StopCause) {
    let durable = stage.truth.durable;
    let known = stage.truth.stopped.entry(run).or_insert((cause, durable));
    if cause == StopCause::Terminated {
        *known = (cause, durable);
    }
}
