//! Grants become work: text is rendered when a task starts, from what never changes.
//!
//! A text that cannot be rendered is work too: the attempt fails with the reason in its log.

mod gang;

use engine::state::State;
use journal::Journal;
use model::bounds::Bounds;
use model::message::{Grant, Order, ToWorker};
use model::secret::{SecretRef, SecretSource};
use model::work::{Assignment, Dispatch, Does, Work};
use spec::Definition;

use crate::inputs::{FreshOutputs, Inputs};
use crate::shelf::Shelf;

/// What rendering looks at.
pub(crate) struct Renderer<'a> {
    pub state: &'a State,
    pub shelf: &'a Shelf,
    pub fresh: &'a FreshOutputs,
    pub outputs: &'a mut dyn Journal,
}

impl Renderer<'_> {
    /// The message with the work of its grants.
    pub(crate) fn dispatch(&mut self, message: ToWorker) -> Dispatch {
        let work = match &message.order {
            Order::Assign(grants) => grants.iter().map(|grant| self.work(grant)).collect(),
            _ => Vec::new(),
        };
        Dispatch { message, work }
    }

    fn work(&mut self, grant: &Grant) -> Work {
        let key = grant.attempt.key;
        let from = (self.shelf, self.fresh);
        let Some(inputs) = Inputs::new(self.state, key.run, from, &mut *self.outputs) else {
            return unrenderable("its run is gone");
        };
        let admitted = self.state.run(key.run).map(engine::state::Run::admitted);
        let definition = admitted.and_then(|run| self.shelf.definition(&run.definition));
        let (Some(definition), Some(admitted)) = (definition, admitted) else {
            return unrenderable("the text of its workflow is gone");
        };
        match render(&definition, grant, &inputs) {
            Ok(assignment) if is_nothing(&assignment) => Work::Nothing,
            Ok(mut assignment) => {
                assignment.env.extend(identity(&definition, grant, admitted.trace));
                assignment.env.extend(gang::variables(self.state, key));
                let policy = self.state.run(key.run).map(|run| run.graph().policy(key.task));
                let taken = policy.and_then(|policy| policy.alternative(grant.variant));
                let taken = taken.map(|number| (ALTERNATIVE.to_owned(), number.to_string()));
                assignment.env.extend(taken);
                let watched = policy.into_iter().flat_map(|policy| policy.retry.watched());
                assignment.watched = watched.collect();
                Work::Assignment(Box::new(assignment))
            }
            Err(reason) => Work::Unrenderable { reason },
        }
    }
}

/// The variable that tells an attempt which of its alternatives it was given.
const ALTERNATIVE: &str = "AUTOGLM_ALTERNATIVE";

/// Whether nothing is done, and nothing around it either.
fn is_nothing(assignment: &Assignment) -> bool {
    let Assignment { does, secrets, place, collect, .. } = assignment;
    *does == Does::Nothing && secrets.is_empty() && place.is_empty() && collect.is_empty()
}

fn render(
    definition: &Definition,
    grant: &Grant,
    inputs: &Inputs<'_>,
) -> Result<Assignment, String> {
    let key = grant.attempt.key;
    let rendered = definition.render((key.task, key.item), grant.variant, inputs);
    let rendered = rendered.map_err(|error| error.to_string())?;
    let artifacts = definition.artifacts(key.task, key.item, inputs);
    let artifacts = artifacts.map_err(|error| error.to_string())?;
    Ok(Assignment {
        does: rendered.does,
        env: rendered.env,
        secrets: rendered.secret_env,
        withheld: withheld(definition),
        working_dir: rendered.working_dir.to_string_lossy().into_owned(),
        needs_work_dir: rendered.uses_work_dir,
        place: artifacts.place,
        collect: artifacts.collect,
        limits: bounds(definition, grant),
        watched: Vec::new(),
        heartbeat: definition.heartbeat(key.task),
    })
}

/// The variables of the worker that secrets of the run come from: whoever needs one is given it
/// under a name of its own, and only then is it masked.
fn withheld(definition: &Definition) -> Vec<String> {
    let variable = |secret: SecretRef| match secret.source {
        SecretSource::Environment { variable } => Some(variable),
        _ => None,
    };
    definition.secrets().filter_map(variable).collect()
}

/// The most that an attempt may use. An edit may have raised what it asks for above its limits.
fn bounds(definition: &Definition, grant: &Grant) -> Bounds {
    let limits = definition.limits(grant.attempt.key.task);
    limits.map(|limits| limits.bounds().at_least(&grant.request)).unwrap_or_default()
}

fn unrenderable(reason: &str) -> Work {
    Work::Unrenderable { reason: reason.to_owned() }
}

/// The variables that tell an attempt who it is. The trace parent follows W3C Trace Context.
fn identity(definition: &Definition, grant: &Grant, trace: u128) -> [(String, String); 6] {
    let id = grant.attempt;
    let span = model::hash::mix(grant.token.0 ^ model::hash::mix(u64::from(id.key.item.0))) | 1;
    [
        ("AUTOGLM_RUN_ID", id.key.run.to_string()),
        ("AUTOGLM_TASK", definition.task_name(id.key.task).to_owned()),
        ("AUTOGLM_ITEM", id.key.item.to_string()),
        ("AUTOGLM_ATTEMPT", id.attempt.to_string()),
        ("AUTOGLM_TOKEN", grant.token.to_string()),
        ("TRACEPARENT", format!("00-{trace:032x}-{span:016x}-01")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}
