//! Plans as text: one line a thing, `kind key=value ..`, so that a failing plan can be read, edited
//! and kept.
//!
//! Unknown keys and kinds are errors: a plan that is half understood would be another plan.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

use model::Span;
use model::policy::FailurePolicy;

use super::features::Features;
use super::{Boundary, DiskPlan, Fault, FaultKind, NetPlan, NodePlan, Plan, RunPlan, Shape, Tail};

const SHAPES: [(&str, Shape); 5] = [
    ("chain", Shape::Chain),
    ("fan_out", Shape::FanOut),
    ("diamond", Shape::Diamond),
    ("layers", Shape::Layers),
    ("random", Shape::Random),
];
const BOUNDARIES: [(&str, Boundary); 4] = [
    ("decided", Boundary::Decided),
    ("appended", Boundary::Appended),
    ("acknowledged", Boundary::Acknowledged),
    ("effects", Boundary::Effects),
];
const TAILS: [(&str, Tail); 3] = [("kept", Tail::Kept), ("lost", Tail::Lost), ("torn", Tail::Torn)];

/// Writes a plan down. Lengths of time are in microseconds.
#[must_use]
pub fn write(plan: &Plan) -> String {
    let mut text = String::new();
    let Plan { seed, length, net, disk, .. } = plan;
    line(&mut text, format_args!("plan seed={seed} length={}", length.0));
    let NetPlan { loss, duplicate, reorder, delay_max } = net;
    line(
        &mut text,
        format_args!(
            "net loss={loss} duplicate={duplicate} reorder={reorder} delay_max={}",
            delay_max.0
        ),
    );
    let DiskPlan { latency_max, unknown } = disk;
    line(&mut text, format_args!("disk latency_max={} unknown={unknown}", latency_max.0));
    for NodePlan { cpu_milli, slots, gpus, site, local } in &plan.nodes {
        let gpus = if *gpus > 0 { format!(" gpus={gpus}") } else { String::new() };
        let site = if *site > 0 { format!(" site={site}") } else { String::new() };
        line(
            &mut text,
            format_args!("node cpu_milli={cpu_milli} slots={slots} local={local}{gpus}{site}"),
        );
    }
    plan.runs.iter().for_each(|run| write_run(&mut text, run));
    plan.faults.iter().for_each(|fault| write_fault(&mut text, fault));
    text
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("a string takes every line");
}

fn write_run(text: &mut String, run: &RunPlan) {
    let shape = word(&SHAPES, run.shape);
    let fail_fast = run.failure == FailurePolicy::FailFast;
    let mut content = format!(
        "run seed={} at={} shape={shape} size={} wall_min={} wall_max={} trouble={} retries={} \
         losses={} fail_fast={fail_fast} priority={} handlers={} submissions={}",
        run.seed,
        run.at.0,
        run.size,
        run.wall_min.0,
        run.wall_max.0,
        run.trouble,
        run.retries,
        run.losses,
        run.priority,
        run.handlers,
        run.submissions,
    );
    let concurrency = run.concurrency.map(|limit| Span(u64::from(limit)));
    let options = [
        ("timeout", run.timeout),
        ("concurrency", concurrency),
        ("stop", run.stop),
        ("terminate", run.terminate),
        ("retry", run.retry),
        ("fork", run.fork),
    ];
    for (key, value) in options {
        if let Some(value) = value {
            write!(content, " {key}={}", value.0).expect("a string takes every word");
        }
    }
    if run.flow > 0 {
        write!(content, " flow={} features={}", run.flow, run.features.to_word())
            .expect("a string takes every word");
    }
    line(text, format_args!("{content}"));
}

fn write_fault(text: &mut String, fault: &Fault) {
    let what = match fault.kind {
        FaultKind::NodeCrash { node } => format!("node_crash node={node}"),
        FaultKind::NodeGone { node } => format!("node_gone node={node}"),
        FaultKind::NodePause { node } => format!("node_pause node={node}"),
        FaultKind::NodeSlow { node } => format!("node_slow node={node}"),
        FaultKind::CutTo { node } => format!("cut_to node={node}"),
        FaultKind::CutFrom { node } => format!("cut_from node={node}"),
        FaultKind::CoordinatorCrash { boundary, tail } => {
            let (boundary, tail) = (word(&BOUNDARIES, boundary), word(&TAILS, tail));
            format!("coordinator_crash boundary={boundary} tail={tail}")
        }
        FaultKind::Takeover => "takeover".to_owned(),
        FaultKind::SyncError => "sync_error".to_owned(),
        FaultKind::DiskFull => "disk_full".to_owned(),
    };
    line(text, format_args!("{what} at={} length={}", fault.at.0, fault.length.0));
}

/// Reads a plan back. Empty lines and lines that begin with `#` are skipped.
///
/// # Errors
/// The first line that is not understood, with its number and the reason.
pub fn read(text: &str) -> Result<Plan, String> {
    let mut plan = Plan {
        seed: 0,
        length: Span::ZERO,
        nodes: Vec::new(),
        runs: Vec::new(),
        net: NetPlan::default(),
        disk: DiskPlan::default(),
        faults: Vec::new(),
    };
    for (number, line) in (1..).zip(text.lines()) {
        if !line.is_empty() && !line.starts_with('#') {
            read_line(&mut plan, line).map_err(|reason| format!("line {number}: {reason}"))?;
        }
    }
    Ok(plan)
}

fn read_line(plan: &mut Plan, line: &str) -> Result<(), String> {
    let mut words = line.split_whitespace();
    let kind = words.next().ok_or("the line has no kind")?;
    let mut keys = Keys::read(words)?;
    match kind {
        "plan" => (plan.seed, plan.length) = (keys.take("seed")?, keys.span("length")?),
        "net" => {
            plan.net = NetPlan {
                loss: keys.take("loss")?,
                duplicate: keys.take("duplicate")?,
                reorder: keys.take("reorder")?,
                delay_max: keys.span("delay_max")?,
            };
        }
        "disk" => {
            plan.disk =
                DiskPlan { latency_max: keys.span("latency_max")?, unknown: keys.take("unknown")? };
        }
        "node" => plan.nodes.push(NodePlan {
            cpu_milli: keys.take("cpu_milli")?,
            slots: keys.take("slots")?,
            gpus: keys.option("gpus")?.unwrap_or(0),
            site: keys.option("site")?.unwrap_or(0),
            local: keys.take("local")?,
        }),
        "run" => plan.runs.push(read_run(&mut keys)?),
        _ => plan.faults.push(Fault {
            kind: read_fault(kind, &mut keys)?,
            at: keys.span("at")?,
            length: keys.span("length")?,
        }),
    }
    keys.finish()
}

fn read_run(keys: &mut Keys<'_>) -> Result<RunPlan, String> {
    let fail_fast: bool = keys.take("fail_fast")?;
    let features: Option<String> = keys.option("features")?;
    Ok(RunPlan {
        seed: keys.take("seed")?,
        at: keys.span("at")?,
        shape: keys.word("shape", &SHAPES)?,
        size: keys.take("size")?,
        wall_min: keys.span("wall_min")?,
        wall_max: keys.span("wall_max")?,
        trouble: keys.take("trouble")?,
        retries: keys.take("retries")?,
        losses: keys.take("losses")?,
        failure: if fail_fast { FailurePolicy::FailFast } else { FailurePolicy::Continue },
        priority: keys.take("priority")?,
        handlers: keys.take("handlers")?,
        flow: keys.option("flow")?.unwrap_or(0),
        features: features.map_or(Ok(Features::default()), |word| Features::from_word(&word))?,
        submissions: keys.take("submissions")?,
        timeout: keys.option("timeout")?.map(Span),
        concurrency: keys.option("concurrency")?,
        stop: keys.option("stop")?.map(Span),
        terminate: keys.option("terminate")?.map(Span),
        retry: keys.option("retry")?.map(Span),
        fork: keys.option("fork")?.map(Span),
    })
}

fn read_fault(kind: &str, keys: &mut Keys<'_>) -> Result<FaultKind, String> {
    Ok(match kind {
        "node_crash" => FaultKind::NodeCrash { node: keys.take("node")? },
        "node_gone" => FaultKind::NodeGone { node: keys.take("node")? },
        "node_pause" => FaultKind::NodePause { node: keys.take("node")? },
        "node_slow" => FaultKind::NodeSlow { node: keys.take("node")? },
        "cut_to" => FaultKind::CutTo { node: keys.take("node")? },
        "cut_from" => FaultKind::CutFrom { node: keys.take("node")? },
        "coordinator_crash" => FaultKind::CoordinatorCrash {
            boundary: keys.word("boundary", &BOUNDARIES)?,
            tail: keys.word("tail", &TAILS)?,
        },
        "takeover" => FaultKind::Takeover,
        "sync_error" => FaultKind::SyncError,
        "disk_full" => FaultKind::DiskFull,
        _ => return Err(format!("`{kind}` is not a kind of line")),
    })
}

fn word<T: PartialEq + Copy>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("?", |(word, _)| word)
}

/// The `key=value` words of a line.
struct Keys<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Keys<'a> {
    fn read(words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let pairs = words.map(|word| word.split_once('=').ok_or(format!("`{word}` has no `=`")));
        Ok(Self(pairs.collect::<Result<_, _>>()?))
    }

    fn option<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        let Some(value) = self.0.remove(key) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| format!("`{key}={value}` cannot be read"))
    }

    fn take<T: FromStr>(&mut self, key: &str) -> Result<T, String> {
        self.option(key)?.ok_or(format!("`{key}` is missing"))
    }

    fn span(&mut self, key: &str) -> Result<Span, String> {
        self.take(key).map(Span)
    }

    fn word<T: Copy>(&mut self, key: &str, words: &[(&'static str, T)]) -> Result<T, String> {
        let value: String = self.take(key)?;
        let found = words.iter().find(|(word, _)| *word == value);
        found.map(|(_, value)| *value).ok_or(format!("`{key}` cannot be `{value}`"))
    }

    fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            Some(key) => Err(format!("`{key}` is not known here")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::draw;

    #[test]
    fn drawn_plans_go_both_ways() {
        for seed in 0..50 {
            let plan = draw(seed, Span::secs(3_600));
            assert_eq!(read(&write(&plan)), Ok(plan));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert_eq!(read("plan seed=1"), Err("line 1: `length` is missing".to_owned()));
        assert_eq!(
            read("# x\nfire at=1 length=2").unwrap_err(),
            "line 2: `fire` is not a kind of line"
        );
        assert!(read("takeover at=1 length=2 node=3").unwrap_err().contains("`node`"));
    }
}
