//! The evaluator: works out what tasks ask, beside the coordinator and in its process.
//!
//! It may be quick, and answers in the same batch, or slow. It dies with its coordinator: what that
//! one was not told nobody is told. It never looks at anything but the question.

use engine::{Answered, Engine};
use model::control::ControlAnswer;
use model::{Epoch, Round, TaskKey};

use crate::event::Event;
use crate::invariants::s16_answers;
use crate::mark::Mark;
use crate::mutant::Mutant;
use crate::records::Store;
use crate::stage::Stage;
use crate::workload::people::{ANSWER_MAX, Question, answer, cached};

/// What is asked, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The task.
    pub task: TaskKey,
    /// Its round.
    pub round: Round,
    /// The turn, if it is a loop.
    pub turn: u16,
    /// The life of the coordinator that asks.
    pub life: u64,
    /// Its term.
    pub term: Epoch,
}

/// Takes a question. Returns the answer if it is there at once.
pub fn ask(stage: &mut Stage, store: &Store, engine: &Engine, asked: Asked) -> Option<Answered> {
    let Asked { task, round, turn, life, term } = asked;
    let earlier = stage.truth.questions.insert((task, round), term);
    let is_again = earlier.is_some_and(|earlier| earlier != term);
    if is_again && stage.has(Mutant::NotAskedAgain) {
        return None;
    }
    let run = engine.state().run(task.run)?;
    let plan = store.plans.get(&run.graph().digest())?;
    let question = Question { task: task.task, round, turn };
    let answer = answer(plan, run.graph(), question, (term, stage.now));
    let items = match answer {
        ControlAnswer::FanOut { items, .. } => items,
        ControlAnswer::Begin => run.graph().fan_out(task.task).unwrap_or(0),
        _ => 0,
    };
    let cached = cached(plan, question, items);
    stage.truth.cached.insert((task, round, term), cached.clone());
    let answered = Answered { task, round, answer, output: None, cached };
    if is_again {
        stage.hit(Mark::AskedAgain);
    }
    let once = s16_answers::asked(&mut stage.truth, (task, round), term, answer);
    stage.judge("S16", once);
    stage.tell(|| format!("{task:?} asks in {round:?}, turn {turn}: {answer:?}"));
    if stage.evaluator.per_mille(400) {
        return Some(answered);
    }
    let delay = stage.evaluator.spread(100, ANSWER_MAX.0);
    stage.after(model::Span(delay), Event::Evaluated { life, answered: Box::new(answered) });
    None
}
