//! The workflow language: every key that a file may have, with what it takes.
//!
//! The JSON Schema is generated from these declarations, and so is the reader. Nothing here
//! relates one key to another: that is the check's business.

use crate::read::{Placed, choice, record};

mod alternatives;
mod artifacts;
mod breakers;
mod calls;
mod decision;
mod depends;
mod devices;
mod environments;
mod expression;
pub(crate) mod foreign;
mod function;
mod gang;
mod kinds;
pub(crate) mod labels;
mod loops;
mod models;
mod resources;
mod retries;
mod shapes;
mod sharing;
mod site;
mod values;
mod waiting;

pub(crate) use alternatives::AlternativeFile;
pub(crate) use artifacts::{ArtifactsFile, Cache, OutFile};
pub(crate) use breakers::{BreakerRules, Breakers, TaskBreaker};
pub(crate) use calls::{Arguments, Outputs};
pub(crate) use decision::{ActionFile, DecisionFile};
pub(crate) use depends::{Dependency, Depends, JoinFile};
pub(crate) use devices::GpuKind;
pub(crate) use environments::{
    EnvironmentFile, Environments, Overrides, SecretFile, Secrets, Templates,
};
pub(crate) use expression::ExpressionText;
pub(crate) use foreign::TASK as TASK_FOREIGN;
pub(crate) use function::Function;
pub(crate) use gang::Gang;
pub(crate) use kinds::{Called, Container, Embeds, Emit, Generates, Http, Noop, Settings, Sleep};
pub(crate) use labels::Labels;
pub(crate) use loops::{AxisFile, Foreach, MatrixFile, SourceFile};
pub(crate) use models::{ModelFile, Models};
pub(crate) use resources::{AMOUNT_MAX, Amounts, Resources};
pub(crate) use retries::{RetryFile, RetryRule};
pub(crate) use shapes::{Declaration, Declarations, DeclaredRules, NamedTask, Tasks, Variables};
pub(crate) use sharing::{Counted, Deadline, Rates};
pub(crate) use site::{DomainFile, NodeLabels, Selectors, Taints};
pub(crate) use values::{
    Bound, Command, Cpu, Duration, Memory, Money, OneOrMany, Retry, Shell, Version, Whole, YesNo,
};
pub(crate) use waiting::{
    Approval, ApprovalDefault, ApprovalFile, Look, Signal, SignalDefault, SignalFile, Wait,
};

use crate::limits::ROUNDS_MAX;
use crate::params::ParameterType;

record! {
    /// A workflow: tasks, what they depend on, and how they are run.
    struct WorkflowFile("a workflow", "a mapping") {
        /// The version of this language.
        version: Version,
        /// The name of the workflow. The file's own name if it is left out.
        name: Placed<String>,
        /// What the workflow is for.
        description: String,
        /// Parameters: a name with a default, or with a type and more.
        params: Declarations,
        /// Variables of all tasks. Their texts may use `{{ params.x }}`.
        env: Variables,
        /// Places to run in, each with its own variables, parameters, secrets and limits.
        environments: Environments,
        /// The environment of a run that names none.
        default_environment: Placed<String>,
        /// Where secrets are to be found. Used as `{{ secrets.NAME }}` in variables of tasks.
        secrets: Secrets,
        /// Bodies of tasks by name, for tasks that extend them.
        templates: Templates,
        /// What runs scripts: words such as `bash -euo pipefail`. It is given `-c` and the script.
        /// `sh -eu` if it is left out.
        shell: Shell,
        /// Where tasks start, relative to the folder of this file.
        working_dir: Placed<String>,
        /// What the failure of one task means for the others.
        on_failure: OnFailure,
        /// How long the run may take.
        timeout: Placed<Duration>,
        /// How many attempts of the run may be running at once.
        max_parallel: Whole<1, 1_000_000>,
        /// The priority of tasks that name none: 0 to 100, higher goes first, 50 if left out.
        priority: Whole<0, 100>,
        /// Whether tasks that say nothing of it go before all that is not critical.
        critical: YesNo,
        /// The queue of its runs, unless their environment names one.
        queue: Placed<String>,
        /// What the runs of this workflow are told apart by, as in `list -l team=data`.
        labels: Labels,
        /// Locks that tasks may hold, and how many may hold each at a time: 1 if nothing is said.
        /// Locks of one name are shared by all runs.
        locks: Box<Counted>,
        /// Budgets that tasks may spend of: `60/m`, or more. Those of one name are shared by all
        /// runs.
        rates: Box<Rates>,
        /// Circuit breakers that tasks may keep to, by name: after so many failures in a row nobody
        /// tries for a while. Those of one name are shared by all runs.
        breakers: Box<Breakers>,
        /// What the attempts of a run may cost together: when they have, it pauses. An amount in
        /// the currency of the prices, such as `5` or `0.50`.
        cost_limit: Placed<Money>,
        /// Language models that tasks call, by name.
        models: Box<Models>,
        /// By when the tasks that say nothing of it must have ended: so long after the run began,
        /// or at a time.
        deadline: Placed<Deadline>,
        /// The tasks: a list whose entries have a `name`, or a mapping from name to task.
        tasks: Tasks,
        /// The tasks as a mapping from name to task. The same as `tasks`.
        task_graph: Tasks,
        /// Tasks that run last, however the run went: as under `tasks`.
        finally: Tasks,
        /// What the file gives to one that names it: expressions over its tasks, by name.
        outputs: Outputs,
        /// The name of a decision that is the whole file, or a part of it.
        decision_node: Placed<String>,
        /// The rules of `decision_node`.
        conditions: Box<Placed<DecisionFile>>,
    }
    foreign: foreign::WORKFLOW
}

record! {
    /// A task: a script or a command, and how it is run.
    struct TaskFile("a task", "a task such as `{script: echo hello}`") {
        /// The name of the task. Needed in the list form; in the mapping form the key is the name.
        name: Placed<String>,
        /// What the task is for.
        description: String,
        /// The template that the task extends: what the task does not say itself, that says.
        extends: Placed<String>,
        /// The arguments of the template, or the parameters of the file under `workflow`.
        with: Box<Placed<Arguments>>,
        /// A workflow file, relative to this one: its tasks stand in the place of this one.
        workflow: Box<Placed<String>>,
        /// A script for the shell. A template.
        script: Placed<String>,
        /// A program and its arguments, started without a shell. Each is a template.
        command: Placed<Command>,
        /// Does nothing, and succeeds.
        noop: Box<Placed<Settings<Noop>>>,
        /// Lets time pass on a worker, as work would. A template.
        sleep: Box<Placed<Settings<Sleep>>>,
        /// Leaves these outputs, and does nothing else. The texts are templates.
        emit: Box<Placed<Settings<Emit>>>,
        /// Sends a request over HTTP: a URL, or more.
        http: Box<Placed<Settings<Http>>>,
        /// Calls a Python function in a process that stays warm: `package.module:name`, the name of
        /// one in `functions.py` beside the file, or more.
        function: Box<Placed<Settings<Function>>>,
        /// Asks a language model to generate text.
        llm_generate: Box<Placed<Settings<Generates>>>,
        /// Asks a model to embed texts.
        llm_embed: Box<Placed<Settings<Embeds>>>,
        /// Runs something in a container.
        container: Box<Placed<Settings<Container>>>,
        /// Makes a group: tasks that are depended on, repeated or left out together.
        tasks: Box<Placed<Tasks>>,
        /// Makes a decision: the first rule that holds says which tasks run.
        decision: Box<Placed<DecisionFile>>,
        /// The name of a decision, with its rules under `conditions`.
        decision_node: Box<Placed<String>>,
        /// The rules of a decision. The same as `decision`.
        conditions: Box<Placed<DecisionFile>>,
        /// Waits until a person has said yes or no.
        approval: Box<Placed<Approval>>,
        /// Waits until somebody has sent a signal.
        signal: Box<Placed<Signal>>,
        /// Waits for a while, a time, a file or an address.
        wait: Box<Placed<Wait>>,
        /// What the task comes to: an expression over `output`, its own outputs. Tasks that
        /// depend on this one alone know it as `result`.
        result: Box<Placed<ExpressionText>>,
        /// The tasks that come before, and what they have to come to: they succeed if nothing else
        /// is said.
        depends_on: Depends,
        /// How many of the dependencies are enough. `all` if it is left out.
        join: Placed<JoinFile>,
        /// The task is skipped if this expression is false when its turn comes.
        when: Box<Placed<ExpressionText>>,
        /// Makes a fan-out: the task is run once for each item, as `{{ item }}` and `{{ index }}`.
        foreach: Box<Placed<Foreach>>,
        /// Makes a gang: so many members run the task, and all of them begin together or none does.
        /// Each finds its number in `$AUTOGLM_GANG_RANK`, from 0. A number, or a template.
        gang: Box<Gang>,
        /// How many items of a fan-out may run at a time.
        max_parallel: Placed<Whole<1, 1_000_000>>,
        /// Makes a loop: the task is run again until this expression is true.
        until: Box<Placed<ExpressionText>>,
        /// How many rounds a loop may have; it fails after them. 100 if left out.
        max_rounds: Placed<Whole<1, { ROUNDS_MAX as u64 }>>,
        /// What the failure of this task means for the others, if not what the workflow says.
        on_failure: OnFailure,
        /// How the task is undone when the run has failed after it succeeded: a script or command.
        compensate: Box<Placed<TaskFile>>,
        /// Variables of the task. Each is a template.
        env: Variables,
        /// What runs the script, instead of the workflow's shell.
        shell: Shell,
        /// Where the task starts, relative to the workflow's folder. A template.
        working_dir: Placed<String>,
        /// What each attempt needs: amounts, or `requests` and `limits`. What is asked for is
        /// reserved; a limit is kept by the kernel.
        resources: Box<Resources>,
        /// The labels that a node must have for an attempt to go there, each with the values that
        /// will do.
        select: Box<Selectors>,
        /// Labels that are liked: such nodes come first where an attempt ends as early.
        prefer: Box<Selectors>,
        /// The taints of nodes that do not keep the attempts away.
        tolerate: Box<Taints>,
        /// Items go where the fewest of this task run: `node`, or the key of a label, whose values
        /// make groups of nodes.
        spread: Box<Placed<DomainFile>>,
        /// As long as items of this task run, the others go to the same node or group of nodes:
        /// `node`, or the key of a label.
        together: Box<Placed<DomainFile>>,
        /// When an attempt that failed is followed by another: a number, or more.
        retry: Retry,
        /// How long an attempt may run.
        timeout: Placed<Duration>,
        /// How long an attempt is expected to take, on a machine as fast as most. It is a guess
        /// that the scheduler plans with, and no limit. What attempts took is taken if it is left
        /// out.
        expected: Placed<Duration>,
        /// With what else the task can be done, each with how long it is expected to take then. The
        /// scheduler takes what an attempt ends first with; what is listed first if it is the same.
        alternatives: Box<Placed<Vec<AlternativeFile>>>,
        /// How long an attempt may be silent: one that has neither printed anything nor touched the
        /// file `$AUTOGLM_HEARTBEAT` for so long has timed out.
        heartbeat: Box<Placed<Duration>>,
        /// How long an attempt has between being asked to end and being killed. 10 s if left out.
        grace: Duration,
        /// Whether others of higher priority may take the place of an attempt that runs. It is
        /// asked to end, and another attempt follows that costs no retry.
        preemptible: YesNo,
        /// How long an attempt that begins anew takes until it is where the one before was when it
        /// last saved its work. 0 if left out. The scheduler counts it as lost when it makes an
        /// attempt leave.
        restart_cost: Duration,
        /// 0 to 100, higher goes first.
        priority: Whole<0, 100>,
        /// Whether the task goes before all that is not critical, and may begin in the room that is
        /// kept for such work.
        critical: YesNo,
        /// What the task is told apart by. It changes nothing about how it runs.
        labels: Box<Labels>,
        /// The locks that each attempt holds while it runs.
        locks: Box<Counted>,
        /// The budgets that each attempt spends of when it starts: 1, or the number behind a name.
        /// Of requests and tokens that is what is reserved, until it says what it spent.
        rate: Box<Counted>,
        /// The circuit breaker that the attempts keep to: its name, or a mapping.
        breaker: Box<TaskBreaker>,
        /// By when the task must have ended: so long after the run began, or at a time. What has
        /// not begun by then does not begin, and what runs is ended.
        deadline: Box<Placed<Deadline>>,
        /// Files that the task leaves for others, and that it is given.
        artifacts: Box<Placed<ArtifactsFile>>,
        /// Whether the outputs of an earlier attempt that did the same are taken instead.
        cache: Box<Placed<Cache>>,
        /// Makes a handler: a task that runs when all ordinary tasks have ended.
        on: HandlerEvent,
    }
    foreign: foreign::TASK
}

record! {
    /// A parameter with a type.
    struct DeclarationFile("a parameter", "a mapping such as `{type: int, default: 3}`") {
        /// What it takes. That of the default if it is left out, and else a text.
        r#type: ParameterType,
        /// What it is when it is not given. Without a default it must be given.
        default: Placed<serde_json::Value>,
        /// The values that it takes.
        r#enum: Placed<Vec<serde_json::Value>>,
        /// A regular expression that its text matches as a whole.
        pattern: Placed<String>,
        /// The least number, or the least characters, items or keys.
        min: Placed<Bound>,
        /// The greatest number, or the most characters, items or keys.
        max: Placed<Bound>,
        /// What it is for.
        description: String,
    }
    foreign: foreign::DECLARATION
}

choice! {
    /// What the failure of one task means for the others.
    enum OnFailure("`stop` or `continue`") {
        /// The run stops: what runs is ended, what waits is cancelled.
        Stop = "stop",
        /// Only what depends on the failed task is skipped.
        Continue = "continue",
    }
}

choice! {
    /// What makes a handler run.
    enum HandlerEvent("`success`, `failure`, `cancel`, `exit` or `finally`") {
        /// All ordinary tasks have ended, and well.
        Success = "success",
        /// The run has failed.
        Failure = "failure",
        /// A person stopped the run.
        Cancel = "cancel",
        /// All ordinary tasks have ended, however.
        Exit = "exit",
        /// All else has ended, handlers too, however.
        Finally = "finally",
    }
}

#[cfg(test)]
mod tests {
    use super::NamedTask;

    #[test]
    fn a_task_takes_little_room_while_it_is_checked() {
        // A million of them are held at once.
        assert!(size_of::<NamedTask>() <= 1_024, "{} bytes", size_of::<NamedTask>());
    }
}
