//! Changes of how tasks of a run are run: their priority, how they are tried again, what they need.
//!
//! Pure: values are read and checked as in a file, and no task's number, name or edge changes.
//! Whether a task has begun, and may still be changed, is the engine's business.

use model::collections::HashMap;
use model::graph::GraphParts;
use model::policy::Policy;
use model::{Request, TaskId};

use crate::check::fits;
use crate::code;
use crate::definition::Definition;
use crate::diagnostic::{Diagnostic, Diagnostics, Fault, Faults};
use crate::file::{Resources, Retry, TaskFile};
use crate::fragment::Extended;
use crate::node::{Content, Entry, Node};
use crate::params::fault;
use crate::parse::parse;
use crate::read::Read;
use crate::source::Extent;
use crate::suggest::did_you_mean;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The name of a task or a group, or a pattern such as `shard-*`.
    pub task: String,
    /// What is changed, as the path of its keys in a file: `retry.limit`.
    pub key: String,
    /// What it becomes, as it would stand in a file.
    pub value: String,
}

/// The keys that can be changed, beside `resources.NAME`.
const KEYS: [&str; 12] = [
    "priority",
    "max_parallel",
    "retry",
    "retry.limit",
    "retry.backoff",
    "retry.backoff_max",
    "timeout",
    "expected",
    "grace",
    "preemptible",
    "restart_cost",
    "resources.cpu",
];

impl Definition {
    /// Changes how tasks are run. A pattern, or a group, changes those of its tasks that the key
    /// means something to.
    ///
    /// # Errors
    /// Everything that is wrong: keys that are not there or cannot be changed, values that a file
    /// could not have, names of no task.
    pub fn amend(&self, graph: &GraphParts, edits: &[Edit]) -> Result<Extended, Diagnostics> {
        let mut told = Diagnostics::default();
        let mut policies: Vec<Option<Policy>> = vec![None; graph.policy_of.len()];
        for edit in edits {
            if let Err(wrong) = self.change(graph, edit, &mut policies) {
                if told.diagnostics.is_empty() {
                    told.file.clone_from(&wrong.file);
                }
                told.diagnostics.extend(wrong.diagnostics);
            }
        }
        if !told.diagnostics.is_empty() {
            return Err(told);
        }
        let parts = interned(graph, policies);
        Ok(Extended { parts, definition: self.clone(), added: 0 })
    }

    fn change(
        &self,
        graph: &GraphParts,
        edit: &Edit,
        policies: &mut [Option<Policy>],
    ) -> Result<(), Diagnostics> {
        let (wanted, key) = read(edit)?;
        let tasks = self.meant(&edit.task);
        if tasks.is_empty() {
            let names = self.tasks().iter().map(|task| &*task.name);
            let hint = did_you_mean(&edit.task, names);
            let message = format!("there is no task `{}`", edit.task);
            return Err(alone(Diagnostic { hint, ..fault(code::UNKNOWN_TASK, message) }));
        }
        let mut changed = 0;
        for task in tasks {
            let index = task.0 as usize;
            let old = &graph.policies[graph.policy_of[index] as usize];
            let is_fan_out = self.get(task).is_some_and(|defined| defined.is_fan_out());
            let takes = match key {
                Key::Always => true,
                Key::Items => is_fan_out,
                Key::Work => old.kind.is_work(),
            };
            if takes {
                let policy = policies[index].get_or_insert_with(|| old.clone());
                wanted.apply(policy);
                changed += 1;
            }
        }
        if changed == 0 {
            let (task, key) = (&edit.task, &edit.key);
            let message = match self.task(task) {
                Some(_) => format!("`{task}` takes no `{key}`"),
                None => format!("none of `{task}` takes a `{key}`"),
            };
            return Err(alone(fault(code::CONFLICT, message)));
        }
        Ok(())
    }

    /// The tasks that a name, the name of a group, or a pattern means.
    fn meant(&self, name: &str) -> Vec<TaskId> {
        if let Some(task) = self.task(name) {
            return vec![task];
        }
        let inner = format!("{name}.");
        let is_pattern = name.contains(['*', '?']);
        let all = (0..).map(TaskId).zip(self.tasks());
        let meant = all.filter(|(_, task)| match is_pattern {
            true => fits(name, &task.name),
            false => task.name.starts_with(&inner),
        });
        meant.map(|(task, _)| task).collect()
    }
}

/// To which tasks a key means something.
#[derive(Clone, Copy)]
enum Key {
    Always,
    /// Fan-outs.
    Items,
    /// What a worker runs.
    Work,
}

/// What a change sets.
struct Wanted(TaskFile);

impl Wanted {
    fn apply(&self, policy: &mut Policy) {
        let Self(task) = self;
        if let Some(priority) = crate::check::priority(task.priority) {
            policy.priority = priority;
        }
        if let Some(most) = &task.max_parallel {
            policy.concurrency = u32::try_from(most.value.0).ok();
        }
        if let Some(timeout) = &task.timeout {
            policy.timeout = Some(timeout.value.0);
        }
        if let Some(expected) = &task.expected {
            policy.expected = Some(expected.value.0);
        }
        if let Some(grace) = task.grace {
            policy.grace = grace.0;
        }
        if let Some(may) = task.preemptible {
            policy.preemptible = may.0;
        }
        if let Some(cost) = task.restart_cost {
            policy.restart_cost = cost.0;
        }
        if let Some(Retry::Limit(limit)) = &task.retry {
            policy.retry.limit = u8::try_from(limit.0).unwrap_or(u8::MAX);
        }
        if let Some(Retry::Rules(rules)) = &task.retry {
            let retry = &mut policy.retry;
            if let Some(limit) = rules.limit {
                retry.limit = u8::try_from(limit.0).unwrap_or(u8::MAX);
            }
            if let Some(longest) = &rules.backoff_max {
                retry.backoff_max = longest.value.0;
                retry.backoff = retry.backoff.min(retry.backoff_max);
            }
            if let Some(first) = &rules.backoff {
                retry.backoff = first.value.0;
                retry.backoff_max = retry.backoff_max.max(retry.backoff);
            }
        }
        if let Some(resources) = &task.resources {
            need(resources, &mut policy.request);
            policy.others.iter_mut().for_each(|other| need(resources, &mut other.request));
        }
    }
}

fn need(resources: &Resources, request: &mut Request) {
    if let Some(cpu) = &resources.requests.cpu {
        request.cpu_milli = cpu.value.0;
    }
    if let Some(memory) = &resources.requests.memory {
        request.memory_bytes = memory.value.0;
    }
    if let Some(gpus) = &resources.requests.gpu {
        request.devices = gpus.value.0.clone();
    }
    if resources.requests.custom.is_empty() {
        return;
    }
    let mut custom: Vec<(Box<str>, u64)> = std::mem::take(&mut request.custom).into_vec();
    for (name, amount) in &resources.requests.custom {
        custom.retain(|(known, _)| **known != *name.value);
        if *amount > 0 {
            custom.push((name.value.as_str().into(), *amount));
        }
    }
    custom.sort_unstable();
    request.custom = custom.into();
}

/// What a change sets, read as the task of a file that has this key alone.
fn read(edit: &Edit) -> Result<(Wanted, Key), Diagnostics> {
    let key = match edit.key.as_str() {
        "concurrency" => "max_parallel",
        key => key,
    };
    let is_resource = key.strip_prefix("resources.").is_some_and(|name| !name.is_empty());
    if !KEYS.contains(&key) && !is_resource {
        let message = format!("`{}` cannot be changed in a run", edit.key);
        let all = format!("what can be changed: {}, resources.NAME", KEYS.join(", "));
        let hint = did_you_mean(key, KEYS).unwrap_or(all);
        let unknown = Diagnostic { hint: Some(hint), ..fault(code::UNKNOWN_KEY, message) };
        return Err(alone(unknown));
    }
    let mut faults = Faults::default();
    let task = parse(&edit.value, &mut faults).and_then(|value| {
        let extent = value.extent;
        let entry = |key: &str, value| Entry {
            key: key.to_owned().into(),
            key_extent: Extent::default(),
            value,
        };
        let mapping = |entry| Node { extent, content: Content::Map(vec![entry]) };
        let node = match key.split_once('.') {
            Some((outer, inner)) => mapping(entry(outer, mapping(entry(inner, value)))),
            None => mapping(entry(key, value)),
        };
        let task = TaskFile::read(&node, key, &mut faults);
        if let Some(task) = &task {
            crate::check::time_limit(task.timeout.as_ref(), &mut faults);
            crate::check::expected(task, &mut faults);
        }
        task
    });
    match task {
        Some(task) if faults.is_empty() => {
            let key = match key {
                "priority" => Key::Always,
                "max_parallel" => Key::Items,
                _ => Key::Work,
            };
            Ok((Wanted(task), key))
        }
        _ => {
            if faults.is_empty() {
                faults.push(Fault::nowhere(code::EMPTY, format!("`{}` has no value", edit.key)));
            }
            Err(faults.into_diagnostics(&edit.key, &edit.value))
        }
    }
}

fn alone(diagnostic: Diagnostic) -> Diagnostics {
    Diagnostics { file: String::new(), diagnostics: vec![diagnostic], omitted: 0 }
}

/// The same graph with some policies changed, equal ones shared.
fn interned(graph: &GraphParts, changed: Vec<Option<Policy>>) -> GraphParts {
    let mut parts = graph.clone();
    let mut numbers: HashMap<Policy, u32> =
        (0..).zip(&graph.policies).map(|(number, policy)| (policy.clone(), number)).collect();
    for (index, policy) in changed.into_iter().enumerate() {
        let Some(policy) = policy else { continue };
        let next = u32::try_from(parts.policies.len()).expect("no more policies than tasks");
        parts.policy_of[index] = *numbers.entry(policy).or_insert_with_key(|policy| {
            parts.policies.push(policy.clone());
            next
        });
    }
    let mut used = vec![None; parts.policies.len()];
    let mut policies = Vec::new();
    for number in &mut parts.policy_of {
        let old = *number as usize;
        *number = *used[old].get_or_insert_with(|| {
            policies.push(parts.policies[old].clone());
            u32::try_from(policies.len() - 1).expect("no more policies than tasks")
        });
    }
    parts.policies = policies;
    parts
}
