//! A queues file: who shares a place, what each is guaranteed and may have.
//!
//! It is read as workflow files are: everything that is wrong with it is told at once, with its
//! place. Nothing here knows how much there is, or who has how much.

use std::collections::HashMap;

use model::Span;
use model::quantity::scaled;
use model::queue::{DEFAULT_QUEUE, QueueSpec, QueueTree, Quota, SEPARATOR};

use crate::check::check_name;
use crate::code;
use crate::diagnostic::{Diagnostics, Fault, Faults};
use crate::file::{AMOUNT_MAX, Cpu, Duration, Memory, Whole, YesNo};
use crate::limits::{NAME_BYTES_MAX, QUEUES_MAX};
use crate::node::{Content, Node as Value};
use crate::parse::{decode, parse};
use crate::read::{Foreign, Instead, Placed, Read, mapping, read_text, record};
use crate::source::{Extent, Source};
use crate::suggest::did_you_mean;

/// A queue may weigh so much more than one that weighs 1.
const WEIGHT_MAX: u64 = 1_000_000;
/// Nobody can be let forward sooner.
const WAIT_MIN: Span = Span::secs(1);
/// Devices that a quota may name.
const DEVICES_MAX: u64 = 1_000_000;

const FOREIGN: &[Foreign] = &[
    Foreign { key: "tenants", what: Instead::Write("queues") },
    Foreign { key: "quota", what: Instead::Write("guarantee") },
    Foreign { key: "min", what: Instead::Write("guarantee") },
    Foreign { key: "nominalQuota", what: Instead::Write("guarantee") },
    Foreign { key: "max", what: Instead::Write("limit") },
    Foreign { key: "limits", what: Instead::Write("limit") },
    Foreign { key: "share", what: Instead::Write("weight") },
    Foreign { key: "children", what: Instead::Write("queues") },
    Foreign { key: "x-", what: Instead::Ignored },
];

const CRITICAL: &[Foreign] = &[
    Foreign { key: "reserve", what: Instead::Write("keep") },
    Foreign { key: "guarantee", what: Instead::Write("keep") },
];

record! {
    /// All queues of a place.
    struct QueuesFile("a queues file", "a mapping with `queues`") {
        /// Those at the top.
        queues: Placed<Vec<QueueFile>>,
        /// What is kept free of work that is not critical.
        critical: Placed<CriticalFile>,
        /// Whether parts of one GPU may be given to queues that have nothing above them in common.
        share_gpus: YesNo,
        /// How long anyone may be made to wait for others.
        max_wait: Placed<Duration>,
    }
    foreign: FOREIGN
}

record! {
    /// What is there for critical work.
    struct CriticalFile("what is there for critical work", "a mapping such as `{keep: {cpu: 4}}`") {
        /// What is kept free of other work.
        keep: QuotaFile,
    }
    foreign: CRITICAL
}

record! {
    /// A queue.
    struct QueueFile("a queue", "a queue such as `{name: research, guarantee: {gpu: 4}}`") {
        /// What it is called.
        name: Placed<String>,
        /// How much more than others beside it it gets of what is guaranteed to nobody.
        weight: Placed<Whole<1, WEIGHT_MAX>>,
        /// What it gets whenever it wants it.
        guarantee: QuotaFile,
        /// What it never gets more than.
        limit: QuotaFile,
        /// The policy by which those in it are ordered.
        policy: Placed<String>,
        /// How long those in it may be made to wait for others.
        max_wait: Placed<Duration>,
        /// Those below it.
        queues: Placed<Vec<QueueFile>>,
    }
    foreign: FOREIGN
}

/// What a queue is guaranteed or may have: `{cpu: 64, memory: 256Gi, gpu: 4}`.
#[derive(Debug, Default)]
pub(crate) struct QuotaFile {
    quota: Quota,
    extent: Extent,
}

// The schema is made for workflow files alone; `record!` asks for one of each type.
impl schemars::JsonSchema for QuotaFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quota".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object"})
    }
}

impl Read for QuotaFile {
    const TAKES: &'static str = "a mapping such as `{cpu: 64, gpu: 4}`";

    fn read(node: &Value<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let mut quota = Quota::default();
        let mut custom: Vec<(Box<str>, u64)> = Vec::new();
        for entry in mapping::<Self>(node, key, faults)? {
            let (name, value) = (&*entry.key, &entry.value);
            match name {
                "cpu" => quota.cpu_milli = Cpu::read(value, name, faults).map(|cpu| cpu.0),
                "memory" => {
                    quota.memory_bytes = Memory::read(value, name, faults).map(|memory| memory.0);
                }
                "gpu" => quota.devices_milli = Devices::read(value, name, faults).map(|it| it.0),
                "cpus" | "mem" | "ram" | "gpus" => {
                    let ours = match name {
                        "cpus" => "cpu",
                        "gpus" => "gpu",
                        _ => "memory",
                    };
                    let message = format!("`{key}` has no key `{name}`");
                    let fault = Fault::new(code::UNKNOWN_KEY, entry.key_extent, message);
                    faults.push(fault.hint(format!("write `{ours}`")));
                }
                _ if name.is_empty() || name.len() > NAME_BYTES_MAX => {
                    let message = "the name of a resource has 1 to 200 bytes";
                    faults.push(Fault::new(code::BAD_NAME, entry.key_extent, message));
                }
                _ => {
                    let amount = Whole::<0, AMOUNT_MAX>::read(value, name, faults);
                    custom.extend(amount.map(|amount| (name.into(), amount.0)));
                }
            }
        }
        custom.sort_unstable();
        quota.custom = custom.into();
        Some(Self { quota, extent: node.extent })
    }
}

/// GPUs in thousandths: `4`, or `0.5`.
struct Devices(u64);

impl Read for Devices {
    const TAKES: &'static str = "a number of GPUs such as `4` or `0.5`";

    fn read(node: &Value<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let parse = |text: &str| {
            let milli = scaled(text.trim(), 1_000).and_then(|milli| u64::try_from(milli).ok());
            let milli = milli.filter(|&milli| milli <= DEVICES_MAX * 1_000);
            milli.map(Self).ok_or_else(|| format!("`{}` is no number of GPUs", text.trim()))
        };
        read_text(node, key, faults, (code::BAD_VALUE, parse))
    }
}

/// Reads a queues file. `policies` are the names of the policies that there are.
///
/// # Errors
/// Everything that is wrong with it; after a fault of syntax, that alone.
pub fn queues(source: &Source, policies: &[&'static str]) -> Result<QueueTree, Diagnostics> {
    let mut faults = Faults::default();
    let text = decode(&source.text, &mut faults);
    let read = text.and_then(|text| read(&parse(text, &mut faults)?, policies, &mut faults));
    match read {
        Some(tree) if faults.is_empty() => Ok(tree),
        _ => Err(faults.into_diagnostics(&source.name, text.unwrap_or_default())),
    }
}

fn read(root: &Value<'_>, policies: &[&'static str], faults: &mut Faults) -> Option<QueueTree> {
    let hint = "write `queues: [{name: research, guarantee: {gpu: 4}}]`";
    if let Content::List(_) | Content::Scalar(_) = root.content {
        let message = format!("a queues file is a mapping, and this is {}", root.describe());
        faults.push(Fault::new(code::WRONG_TYPE, root.extent, message).hint(hint));
        return None;
    }
    let before = faults.count();
    let file = QueuesFile::read(root, "", faults)?;
    let queues = file.queues.map(|queues| queues.value).unwrap_or_default();
    let kept = file.critical.map(|critical| kept(critical, faults));
    if queues.is_empty() && kept.is_none() && faults.count() == before {
        let fault = Fault::new(code::MISSING_KEY, root.extent, "there are no queues in it");
        faults.push(fault.hint(hint));
    }
    let mut collected = Collected { tree: QueueTree::default(), policies, faults };
    collected.add(None, queues, root.extent);
    let mut tree = collected.tree;
    tree.max_wait = file.max_wait.and_then(|wait| max_wait(wait, faults));
    tree.kept = kept.unwrap_or_default();
    tree.shares_devices = file.share_gpus.is_some_and(|shares| shares.0);
    if tree.queues.len() > QUEUES_MAX {
        let message = format!("there are {} queues, and at most {QUEUES_MAX}", tree.queues.len());
        faults.push(Fault::new(code::TOO_LARGE, root.extent, message));
        return None;
    }
    Some(tree)
}

/// How long anyone may be made to wait.
fn max_wait(wait: Placed<Duration>, faults: &mut Faults) -> Option<Span> {
    if wait.value.0 >= WAIT_MIN {
        return Some(wait.value.0);
    }
    let message = "`max_wait` is at least 1s: all would have to go before all others";
    let fault = Fault::new(code::BAD_VALUE, wait.extent, message);
    faults.push(fault.hint("leave it out, and it is as long as what comes makes it"));
    None
}

/// What is kept for critical work: something, and of GPUs whole ones.
fn kept(file: Placed<CriticalFile>, faults: &mut Faults) -> Quota {
    let Some(keep) = file.value.keep else {
        let fault = Fault::new(code::MISSING_KEY, file.extent, "nothing is kept in it");
        faults.push(fault.hint("write `critical: {keep: {cpu: 4}}`, or leave `critical` out"));
        return Quota::default();
    };
    if keep.quota.devices_milli.is_some_and(|milli| !milli.is_multiple_of(1_000)) {
        let message = "parts of a GPU cannot be kept";
        let fault = Fault::new(code::BAD_VALUE, keep.extent, message);
        faults.push(fault.hint("keep a whole number of GPUs: work may take parts of them"));
    }
    keep.quota
}

/// The tree as it grows.
struct Collected<'a> {
    tree: QueueTree,
    policies: &'a [&'static str],
    faults: &'a mut Faults,
}

impl Collected<'_> {
    /// Takes in the queues below one, each before those below it.
    fn add(&mut self, parent: Option<usize>, queues: Vec<QueueFile>, within: Extent) {
        let mut known: HashMap<String, Extent> = HashMap::new();
        for file in queues {
            let Some(name) = file.name else {
                let fault = Fault::new(code::MISSING_KEY, within, "a queue has no `name`");
                self.faults.push(fault.hint("write `name: ...` in it"));
                continue;
            };
            check_name("a queue", &name, self.faults);
            if let Some(&first) = known.get(&name.value) {
                let message = format!("there are two queues named `{}`", name.value);
                let fault = Fault::new(code::CONFLICT, name.extent, message);
                self.faults.push(fault.related(first, "the first one"));
                continue;
            }
            known.insert(name.value.clone(), name.extent);
            let (guarantee, limit) =
                (file.guarantee.unwrap_or_default(), file.limit.unwrap_or_default());
            self.check_quotas(&guarantee, &limit.quota);
            let above = parent.map(|at| format!("{}{SEPARATOR}", self.tree.queues[at].path));
            let path = format!("{}{}", above.unwrap_or_default(), name.value);
            let policy = file.policy.and_then(|name| self.policy(name));
            let max_wait = file.max_wait.and_then(|wait| max_wait(wait, self.faults));
            self.tree.queues.push(QueueSpec {
                path: path.into(),
                parent,
                weight: file.weight.map_or(1, |it| u32::try_from(it.value.0).unwrap_or(u32::MAX)),
                guarantee: guarantee.quota,
                limit: limit.quota,
                policy,
                max_wait,
            });
            let at = self.tree.queues.len() - 1;
            if let Some(below) = file.queues {
                if parent.is_none() && *name.value == *DEFAULT_QUEUE {
                    let message =
                        "runs that name no queue stand in `default`: it has none below it";
                    let fault = Fault::new(code::CONFLICT, name.extent, message);
                    self.faults.push(fault.hint("give it another name"));
                }
                self.add(Some(at), below.value, below.extent);
            }
        }
    }

    /// Nobody is guaranteed more than it may have.
    fn check_quotas(&mut self, guarantee: &QuotaFile, limit: &Quota) {
        let is_above = |guaranteed: Option<u64>, limit: Option<u64>| {
            guaranteed.zip(limit).is_some_and(|(guaranteed, limit)| guaranteed > limit)
        };
        let quota = &guarantee.quota;
        let fixed = [
            ("cpu", quota.cpu_milli, limit.cpu_milli),
            ("memory", quota.memory_bytes, limit.memory_bytes),
            ("gpu", quota.devices_milli, limit.devices_milli),
        ];
        let custom = quota.custom.iter().map(|(name, amount)| {
            let limit = limit.custom.iter().find(|(known, _)| known == name);
            (&**name, Some(*amount), limit.map(|&(_, limit)| limit))
        });
        for (name, ..) in
            fixed.into_iter().chain(custom).filter(|&(_, more, less)| is_above(more, less))
        {
            let message = format!("more `{name}` is guaranteed than the limit allows");
            let fault = Fault::new(code::CONFLICT, guarantee.extent, message);
            self.faults
                .push(fault.hint(format!("raise `limit: {{{name}: ...}}`, or leave it out")));
        }
    }

    fn policy(&mut self, name: Placed<String>) -> Option<Box<str>> {
        if self.policies.contains(&&*name.value) {
            return Some(name.value.into());
        }
        let message = format!("there is no policy `{}`", name.value);
        let fault = Fault::new(code::BAD_VALUE, name.extent, message);
        let meant = did_you_mean(&name.value, self.policies.iter().copied());
        let all = Some(format!("the policies are {}", self.policies.join(", ")));
        self.faults.push(fault.hint_if(meant).hint_if(all));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICIES: &[&str] = &["fifo", "autoglm"];

    fn of(text: &str) -> Result<QueueTree, Diagnostics> {
        let text = text.as_bytes().to_vec();
        queues(&Source { name: "q.yaml".into(), folder: "/".into(), text }, POLICIES)
    }

    #[test]
    fn a_tree_is_read_with_each_queue_after_the_one_above_it() {
        let text = "
queues:
  - name: research
    weight: 2
    guarantee: {cpu: 1.5, memory: 1Gi, gpu: 2.5, license: 3}
    limit: {gpu: 8}
    queues:
      - {name: vision, policy: fifo, max_wait: 90s}
      - {name: text}
  - name: serving
max_wait: 2h
";
        let tree = of(text).expect("it is valid");
        let paths: Vec<&str> = tree.queues.iter().map(|queue| &*queue.path).collect();
        assert_eq!(paths, ["research", "research/vision", "research/text", "serving"]);
        let parents: Vec<_> = tree.queues.iter().map(|queue| queue.parent).collect();
        assert_eq!(parents, [None, Some(0), Some(0), None]);
        assert!(!tree.shares_devices);
        assert_eq!(tree.max_wait, Some(Span::secs(7_200)));
        let waits: Vec<_> = tree.queues.iter().map(|queue| queue.max_wait).collect();
        assert_eq!(waits, [None, Some(Span::secs(90)), None, None]);
        let research = &tree.queues[0];
        assert_eq!((research.weight, tree.queues[3].weight), (2, 1));
        assert_eq!(research.guarantee.cpu_milli, Some(1_500));
        assert_eq!(research.guarantee.memory_bytes, Some(1 << 30));
        assert_eq!(research.guarantee.devices_milli, Some(2_500));
        assert_eq!(*research.guarantee.custom, [("license".into(), 3)]);
        assert_eq!(research.limit.devices_milli, Some(8_000));
        assert_eq!(tree.queues[1].policy.as_deref(), Some("fifo"));
        assert!(tree.takes_runs("research/text") && tree.takes_runs("default"));
        assert!(!tree.takes_runs("research") && !tree.takes_runs("text"));
    }

    #[test]
    fn what_is_kept_for_critical_work_may_stand_alone() {
        let tree = of("critical: {keep: {cpu: 4, memory: 8Gi, gpu: 1}}").expect("it is valid");
        assert_eq!((tree.queues.len(), tree.takes_runs("default")), (0, true));
        assert_eq!((tree.kept.cpu_milli, tree.kept.devices_milli), (Some(4_000), Some(1_000)));
        assert!(of("queues: [{name: a}]").expect("it is valid").kept.is_empty());
        let wrong = |text: &str| of(text).expect_err("wrong").to_string();
        assert!(wrong("critical: {}").contains("nothing is kept in it"));
        assert!(wrong("critical: {keep: {gpu: 0.5}}").contains("parts of a GPU cannot be kept"));
        assert!(wrong("critical: {keep: {gpus: 1}}").contains("write `gpu`"));
        assert!(wrong("critical: {reserve: {gpu: 1}}").contains("write `keep`"));
    }

    #[test]
    fn a_wrong_queues_file_is_told_with_its_places() {
        let wrong = |text: &str| of(text).expect_err("wrong").to_string();
        assert!(wrong("queues: []").contains("there are no queues in it"));
        assert!(wrong("[1]").contains("a queues file is a mapping"));
        assert!(wrong("tenants: []").contains("write `queues`"));
        assert!(wrong("{queues: [{name: a}], share_gpus: 1}").contains("`true` or `false`"));
        assert!(wrong("{queues: [{name: a, max_wait: 10ms}]}").contains("at least 1s"));
        assert!(wrong("queues: [{weight: 1}]").contains("a queue has no `name`"));
        assert!(wrong("queues: [{name: a/b}]").contains("has a `/` in it"));
        assert!(wrong("queues: [{name: a, min: {gpu: 1}}]").contains("write `guarantee`"));
        assert!(wrong("queues: [{name: a, limit: {gpus: 1}}]").contains("write `gpu`"));
        assert!(wrong("queues: [{name: a, limit: {gpu: x}}]").contains("no number of GPUs"));
        assert!(wrong("queues: [{name: a, weight: 0}]").contains("from 1 to"));
        let told = wrong("queues:\n  - {name: a}\n  - {name: a}\n");
        assert!(told.contains("q.yaml:3:12") && told.contains("two queues named `a`"), "{told}");
        let told = wrong("queues: [{name: a, guarantee: {gpu: 2}, limit: {gpu: 1}}]");
        assert!(told.contains("more `gpu` is guaranteed than the limit allows"), "{told}");
        let told = wrong("queues: [{name: default, queues: [{name: a}]}]");
        assert!(told.contains("it has none below it"), "{told}");
        let told = wrong("queues: [{name: a, policy: fif}]");
        assert!(told.contains("did you mean `fifo`?"), "{told}");
    }
}
