//! The keys of test files, and what each takes.

use serde_json::Value as Json;

use super::{
    Answer, Case, Comparison, Expectation, Machine, Mock, Named, TaskExpectation, TextMatch,
};
use crate::code;
use crate::diagnostic::{Fault, Faults, Lines};
use crate::file::{Cpu, Memory, Whole};
use crate::node::{Content, Node};
use crate::read::{Foreign, Instead, Placed, Read, mapping, read_text, record};
use crate::suggest::did_you_mean;
use model::{RunStatus, TaskStatus};

/// No word means anything but the keys themselves.
pub(super) const NONE: &[Foreign] = &[];

/// Words for the keys of a test.
const OF_TESTS: &[Foreign] = &[
    Foreign { key: "env", what: Instead::Write("environment") },
    Foreign { key: "expected", what: Instead::Write("expect") },
    Foreign { key: "mock", what: Instead::Write("mocks") },
    Foreign { key: "parameters", what: Instead::Write("params") },
    Foreign { key: "worker", what: Instead::Write("machine") },
];

/// Words for the keys of what is expected.
const OF_EXPECT: &[Foreign] = &[
    Foreign { key: "errors", what: Instead::Means("error") },
    Foreign { key: "skipped", what: Instead::Write("not_ran") },
];

record! {
    /// A test file.
    struct FileKeys("a test file", "a mapping with `workflow` and `tests`") {
        /// The workflow that is tested: a path relative to the folder of this file.
        workflow: Placed<String>,
        /// The tests.
        tests: Vec<CaseKeys>,
    }
    foreign: NONE
}

record! {
    /// One test.
    struct CaseKeys("a test", "a mapping with `name` and `expect`") {
        /// What it is called.
        name: Placed<String>,
        /// The parameters that the workflow is given.
        params: ByName<Json>,
        /// The environment that the run gets.
        environment: String,
        /// What the machine offers; what is not named is without limit.
        machine: MachineKeys,
        /// How the attempts of tasks end, by name or pattern.
        mocks: ByName<Mock>,
        /// What is said to tasks that wait for somebody.
        answers: ByName<Each<Answer>>,
        /// What is expected.
        expect: Placed<ExpectKeys>,
    }
    foreign: OF_TESTS
}
record! {
    /// What is expected of the run.
    struct ExpectKeys("`expect`", "a mapping such as `{status: succeeded}`") {
        /// How the run ends.
        status: Run,
        /// What is wrong with the workflow or its parameters.
        error: Each<String>,
        /// What becomes of tasks.
        tasks: ByName<TaskKeys>,
        /// Tasks that run.
        ran: Each<Placed<String>>,
        /// Tasks that do not run.
        not_ran: Each<Placed<String>>,
        /// Tasks of which each has ended before the next begins.
        order: Vec<Placed<String>>,
        /// How long the run takes.
        duration: Comparison,
    }
    foreign: OF_EXPECT
}

record! {
    /// What is expected of a task, in full.
    struct TaskFields("a task", "a status, or a mapping such as `{status: failed, attempts: 3}`") {
        /// How it ends.
        status: State,
        /// How many attempts it has, over all items and rounds.
        attempts: Whole<0, 4_000_000_000>,
        /// How many rounds it runs in.
        rounds: Whole<0, 1_000_000>,
        /// How many items it has.
        items: Whole<0, 4_000_000_000>,
        /// Outputs that it must have.
        outputs: Json,
        /// The script that is started.
        script: TextMatch,
        /// The command that is started.
        command: TextMatch,
        /// Variables that it is started with.
        env: ByName<TextMatch>,
    }
    foreign: NONE
}

/// Values by name, in the order of the file.
#[derive(Debug)]
pub(super) struct ByName<T>(pub Vec<(Placed<String>, T)>);

/// One value, or a list of them; the value may be a mapping.
#[derive(Debug)]
pub(super) struct Each<T>(pub Vec<T>);

/// What is expected of a task: its status alone, or more.
#[derive(Debug)]
pub(super) struct TaskKeys(TaskFields);

/// The status of a run.
#[derive(Debug)]
pub(super) struct Run(RunStatus);

/// The status of a task.
#[derive(Debug)]
pub(super) struct State(TaskStatus);

/// What a machine offers.
#[derive(Debug)]
pub(super) struct MachineKeys(Machine);

impl<T: Read> Read for ByName<T> {
    const TAKES: &'static str = "a mapping from name to value";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let entries = mapping::<Self>(node, key, faults)?.iter();
        let read = entries.filter_map(|entry| {
            let value = entry.key.to_string();
            let name = Placed { value, extent: entry.key_extent };
            Some((name, T::read(&entry.value, &entry.key, faults)?))
        });
        Some(Self(read.collect()))
    }
}

impl<T> ByName<T> {
    fn named<U>(self, value: impl Fn(T) -> U) -> Vec<Named<U>> {
        let named = |(name, it): (Placed<String>, T)| Named {
            name: name.value,
            value: value(it),
            extent: name.extent,
        };
        self.0.into_iter().map(named).collect()
    }
}

impl<T: Read> Read for Each<T> {
    const TAKES: &'static str = T::TAKES;

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match node.content {
            Content::List(_) => Vec::read(node, key, faults).map(Self),
            _ => T::read(node, key, faults).map(|one| Self(vec![one])),
        }
    }
}

impl Read for TaskKeys {
    const TAKES: &'static str = TaskFields::TAKES;

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match node.content {
            Content::Scalar(_) => {
                let status = Some(State::read(node, key, faults)?);
                Some(Self(TaskFields { status, ..TaskFields::default() }))
            }
            _ => TaskFields::read(node, key, faults).map(Self),
        }
    }
}

impl Read for Run {
    const TAKES: &'static str = "`succeeded`, `failed`, `cancelled` or `running`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| {
            let words = RunStatus::ALL.iter().map(|status| status.as_str());
            RunStatus::from_word(text).map(Self).ok_or_else(|| no_status(text, words))
        };
        read_text(node, key, faults, (code::BAD_VALUE, parse))
    }
}

impl Read for State {
    const TAKES: &'static str =
        "`succeeded`, `failed`, `timed_out`, `skipped`, `cancelled` or another status of a task";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| {
            let words = TaskStatus::ALL.iter().map(|status| status.as_str());
            TaskStatus::from_word(text).map(Self).ok_or_else(|| no_status(text, words))
        };
        read_text(node, key, faults, (code::BAD_VALUE, parse))
    }
}

fn no_status<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> String {
    let meant = did_you_mean(text, words).map(|meant| format!(": {meant}"));
    format!("`{text}` is no status{}", meant.unwrap_or_default())
}

impl Read for MachineKeys {
    const TAKES: &'static str = "a mapping such as `{cpu: 4, memory: 16Gi, gpu: 1}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let mut machine = Machine::default();
        for entry in mapping::<Self>(node, key, faults)? {
            match &*entry.key {
                "cpu" => {
                    machine.cpu_milli = Cpu::read(&entry.value, "cpu", faults).map(|cpu| cpu.0);
                }
                "memory" => {
                    let memory = Memory::read(&entry.value, "memory", faults);
                    machine.memory_bytes = memory.map(|memory| memory.0);
                }
                name => {
                    let amount = Whole::<0, { u64::MAX }>::read(&entry.value, name, faults);
                    machine.custom.insert(name.to_owned(), amount.map_or(0, |amount| amount.0));
                }
            }
        }
        Some(Self(machine))
    }
}

impl FileKeys {
    /// The workflow's path and the tests; nothing if one of them is missing.
    pub(super) fn into_parts(self, text: &str, faults: &mut Faults) -> Option<(String, Vec<Case>)> {
        let missing = |key: &str, example: &str| {
            let message = format!("the test file has no `{key}`");
            Fault::nowhere(code::MISSING_KEY, message).hint(format!("write `{example}`"))
        };
        if self.workflow.is_none() && faults.is_empty() {
            faults.push(missing("workflow", "workflow: pipeline.yaml"));
        }
        let cases = self.tests.unwrap_or_default();
        if cases.is_empty() && faults.is_empty() {
            faults.push(missing(
                "tests",
                "tests: [{name: all goes well, expect: {status: succeeded}}]",
            ));
        }
        let lines = Lines::new(text);
        let mut kept: Vec<Case> = Vec::new();
        for case in cases {
            let place = case.name.as_ref().map(|name| lines.place(name.extent));
            let Some(case) = case.into_case(place.map_or(0, |place| place.line), faults) else {
                continue;
            };
            kept.push(case);
        }
        Some((self.workflow?.value, kept))
    }
}

impl CaseKeys {
    fn into_case(self, line: u32, faults: &mut Faults) -> Option<Case> {
        let Some(name) = self.name else {
            if faults.is_empty() {
                let fault = Fault::nowhere(code::MISSING_KEY, "a test has no `name`");
                faults.push(fault.hint("say in a few words what it shows"));
            }
            return None;
        };
        let expect = match self.expect {
            Some(expect) => expect.value.into_expectation(),
            None => {
                if faults.is_empty() {
                    let message = format!("the test `{}` expects nothing", name.value);
                    let fault = Fault::new(code::MISSING_KEY, name.extent, message);
                    faults.push(fault.hint("write `expect: {status: succeeded}`"));
                }
                return None;
            }
        };
        let params = self.params.map(|params| params.0).unwrap_or_default();
        Some(Case {
            name: name.value,
            line,
            params: params.into_iter().map(|(name, value)| (name.value, value)).collect(),
            environment: self.environment,
            machine: self.machine.map(|machine| machine.0).unwrap_or_default(),
            mocks: self.mocks.map(|mocks| mocks.named(|mock| mock)).unwrap_or_default(),
            answers: self.answers.map(|all| all.named(|each| each.0)).unwrap_or_default(),
            expect,
        })
    }
}

impl ExpectKeys {
    fn into_expectation(self) -> Expectation {
        let plain = |names: Vec<Placed<String>>| {
            let named =
                |name: Placed<String>| Named { name: name.value, value: (), extent: name.extent };
            names.into_iter().map(named).collect()
        };
        let each = |names: Option<Each<Placed<String>>>| names.map(|each| each.0);
        Expectation {
            status: self.status.map(|run| run.0),
            errors: self.error.map(|each| each.0).unwrap_or_default(),
            tasks: self
                .tasks
                .map(|tasks| tasks.named(TaskKeys::into_expectation))
                .unwrap_or_default(),
            ran: plain(each(self.ran).unwrap_or_default()),
            not_ran: plain(each(self.not_ran).unwrap_or_default()),
            order: plain(self.order.unwrap_or_default()),
            duration: self.duration,
        }
    }
}

impl TaskKeys {
    fn into_expectation(self) -> TaskExpectation {
        let fields = self.0;
        let env = fields.env.map(|env| env.0).unwrap_or_default();
        TaskExpectation {
            status: fields.status.map(|state| state.0),
            attempts: fields.attempts.map(|count| count.0),
            rounds: fields.rounds.map(|count| count.0),
            items: fields.items.map(|count| count.0),
            outputs: fields.outputs,
            script: fields.script,
            command: fields.command,
            env: env.into_iter().map(|(name, text)| (name.value, text)).collect(),
        }
    }
}
