//! `simulate`: what a workload would do on a described cluster. Nothing is run; time is virtual.
//!
//! The workload is read from files, or from the history of the system that the state is of.

mod asked;
mod files;
mod history;
mod rehearse;

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use model::queue::QueueTree;
use protocol::api::Time;
use whatif::report::{Page, Shown};
use whatif::{Cluster, Coming, Load, Policy, Recorded, Seen, Setup, Trouble, Work, Workload};

use crate::app::Context;
use crate::error::{Error, FILE_EXISTS, NOT_WRITTEN, Result};
use crate::exit::Exit;
use crate::inputs::Inputs;
use crate::moment;
use crate::output::Format;
use crate::quantity;
use crate::queues;
use crate::render::history::Found;
use crate::render::simulate::{Outcome, REAL, SIMULATED, Simulated, Simulation, render};
use asked::Estimates;
use history::History;
use rehearse::Rehearsal;

const EXAMPLES: &str = "\
Examples:
  autoglm simulate jobs.csv --cluster nodes.yaml
  autoglm simulate jobs.csv --cluster nodes.yaml --compare fifo,heft,autoglm --report out.html
  autoglm simulate jobs.csv --cluster nodes.yaml --what-if 'nodes.gpu += 2'
  autoglm simulate montage.json.gz --cluster nodes.yaml --arrivals closed:8 --estimates noise:1
  autoglm simulate train.yaml --cluster nodes.yaml --duration 'train=2h' --failures 0.05
  autoglm simulate jobs.csv --cluster nodes.yaml --compare fifo,autoglm --rehearse 0.01
  autoglm simulate --history --since 30d --what-if 'nodes.local += 1'

FILE is a trace of jobs as comma-separated values, a scenario, an instance of WfCommons, a file of
the Philly or the Alibaba traces, packed by gzip or not, or a workflow. CLUSTER lists nodes:
`nodes: [{name: gpu, count: 4, cpu: 32, memory: 128Gi, gpus: 8}]`.
A change is `nodes.NAME += 2`, `-= 1` or `= 10`, or `nodes.NAME.speed = 2`; so are `cpu`, `memory`
and `gpus`.";

/// Simulate a workload on a cluster that is described, and compare policies.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Simulate {
    /// The workload; several are simulated together
    #[arg(required_unless_present = "history", value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Simulate the work that this system has really done, instead of files
    #[arg(long, conflicts_with = "files")]
    pub history: bool,

    /// The runs that were submitted from then on: a time, or how long ago
    #[arg(long, value_name = "WHEN", default_value = "7d", value_parser = moment::time)]
    #[arg(requires = "history", allow_hyphen_values = true)]
    pub since: Time,

    /// The runs that were submitted before then [default: now]
    #[arg(long, value_name = "WHEN", value_parser = moment::time)]
    #[arg(requires = "history", allow_hyphen_values = true)]
    pub until: Option<Time>,

    /// The nodes [default: those of the scenario, or of the history]
    #[arg(long, value_name = "CLUSTER")]
    pub cluster: Option<PathBuf>,

    /// The file that says who shares the nodes [default: all is one queue]
    #[arg(long, value_name = "FILE")]
    pub queues: Option<PathBuf>,

    /// The policies, such as fifo,heft,autoglm
    #[arg(long, value_name = "POLICY", value_delimiter = ',', default_value = "autoglm")]
    pub compare: Vec<String>,

    /// Compare with another cluster, such as 'nodes.gpu += 2'; may be given again
    #[arg(long, value_name = "CHANGE")]
    pub what_if: Vec<String>,

    /// When jobs come: recorded, poisson:LOAD (such as 0.8) or closed:JOBS
    #[arg(long, value_name = "WHEN", default_value = "recorded", value_parser = asked::coming)]
    pub arrivals: Coming,

    /// What is expected of tasks: recorded, exact, kind (the mean of the kind), noise:SIGMA, none
    #[arg(long, value_name = "HOW", default_value = "recorded", value_parser = asked::estimates)]
    pub estimates: Estimates,

    /// The part of all attempts that fail and are tried again, such as 0.05
    #[arg(long, value_name = "RATE", default_value = "0", value_parser = asked::rate)]
    pub failures: f64,

    /// How long a task of a workflow takes; may be given again
    #[arg(long = "duration", value_name = "TASK=TIME", value_parser = asked::duration)]
    pub durations: Vec<(String, u64)>,

    /// Run it really, too, in so many times its time, such as 0.01: its tasks sleep, on nodes that
    /// are made up on this machine
    #[arg(long, value_name = "SCALE", value_parser = quantity::millionths)]
    #[arg(conflicts_with_all = ["history", "what_if", "failures"])]
    pub rehearse: Option<u64>,

    /// What is drawn follows from this number
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Write a page with drawings here, for a browser
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    #[command(flatten)]
    pub inputs: Inputs,
}

/// A cluster with its name in tables.
type Named = (&'static str, Cluster);

/// What really happened.
struct Past {
    /// On these nodes.
    cluster: Cluster,
    recorded: Recorded,
    found: Found,
}

impl Past {
    fn measure(&self, work: &Work, queues: &QueueTree) -> Seen {
        self.recorded.measure(whatif::RECORDED, (work, &self.cluster), queues)
    }
}

impl Simulate {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let begin = Instant::now();
        let policies = self.compare.iter().map(|name| whatif::policy(name.trim()));
        let policies = policies.collect::<std::result::Result<Vec<_>, _>>().map_err(usage)?;
        let (workloads, cluster, past) = self.read(context)?;
        let clusters = self.clusters(cluster)?;
        let queues = queues::read(self.queues.as_deref(), context.tone)?;
        let load = Load { coming: self.arrivals, noise: self.estimates.noise(), seed: self.seed };
        let each: Vec<&Cluster> = clusters.iter().map(|(_, cluster)| cluster).collect();
        let scale = |workload: Workload| match self.rehearse {
            Some(scale) => workload.scaled(scale),
            None => workload,
        };
        let workloads = workloads.into_iter().map(scale).collect();
        let work = whatif::prepare(workloads, &each, load).map_err(invalid)?;
        let mut seen = Vec::new();
        if let Some(past) = &past {
            seen.push(("", past.measure(&work, &queues)));
        }
        for &policy in &policies {
            for (name, cluster) in &clusters {
                seen.push((*name, self.simulate(&work, &queues, (cluster, policy))?));
            }
            if self.rehearse.is_some() {
                let (work, cluster, queues) = (&work, &clusters[0].1, &queues);
                let about_s = seen.last().map_or(0.0, |(_, seen)| seen.figures.makespan_s);
                let name = whatif::name_of(policy);
                context.say(&format!("Rehearsing {name}: about {about_s:.0}s."));
                let rehearsal = Rehearsal { work, cluster, queues, policy };
                seen.push((REAL, rehearsal.run(&self, context)?));
            }
        }
        let mut simulation = self.simulation(&work, &clusters, &seen);
        simulation.simulated.history = past.map(|past| past.found);
        if let Some(path) = &self.report {
            write(path, &report(&simulation, &seen))?;
        }
        self.tell(context, &simulation, begin)
    }

    /// The work and the nodes, and what really happened if that is known.
    fn read(&self, context: &Context) -> Result<(Vec<Workload>, Cluster, Option<Past>)> {
        if !self.history {
            let (workloads, cluster) = files::read(self, context.tone)?;
            return Ok((workloads, cluster, None));
        }
        let History { workload, cluster, recorded, found } = history::read(self, context)?;
        let described = match &self.cluster {
            Some(path) => files::nodes(path, context.tone)?,
            None if cluster.is_empty() => return Err(files::no_nodes("the history")),
            None => cluster.clone(),
        };
        Ok((vec![workload], described, Some(Past { cluster, recorded, found })))
    }

    /// The cluster as it is described, and as it would be.
    fn clusters(&self, cluster: Cluster) -> Result<Vec<Named>> {
        if self.what_if.is_empty() {
            let name = if self.rehearse.is_some() { SIMULATED } else { "" };
            return Ok(vec![(name, cluster)]);
        }
        let change = |cluster, change: &String| whatif::edit(&cluster, change);
        let after = self.what_if.iter().try_fold(cluster.clone(), change).map_err(usage)?;
        Ok(vec![("before", cluster), ("after", after)])
    }

    fn simulate(
        &self,
        work: &Work,
        queues: &QueueTree,
        (cluster, policy): (&Cluster, Policy),
    ) -> Result<Seen> {
        let Self { failures, seed, .. } = *self;
        let setup = Setup { work, cluster, policy, queues, failures, seed };
        let played = whatif::play(setup).map_err(|stuck| {
            let trouble = Trouble::from(stuck);
            Error { exit: Exit::Internal, ..invalid(trouble) }
        })?;
        Ok(whatif::measure(&setup, &played))
    }

    fn simulation(
        &self,
        work: &Work,
        clusters: &[Named],
        seen: &[(&'static str, Seen)],
    ) -> Simulation {
        let workload = work.workload();
        let notes = work.notes.clone();
        let outcome = |(name, seen): &(&'static str, Seen)| {
            let name = Some(*name).filter(|name| !name.is_empty());
            let (run, cluster) = if self.rehearse.is_some() { (name, None) } else { (None, name) };
            Outcome { cluster, run, figures: seen.figures.clone() }
        };
        Simulation {
            simulated: Simulated {
                history: None,
                workload: workload.name.clone(),
                tasks: workload.tasks().len(),
                jobs: workload.jobs.len(),
                nodes: clusters.iter().map(|(_, cluster)| cluster.len()).collect(),
                what_if: self.what_if.clone(),
                time_scale: self.rehearse.map(|scale| scale as f64 / 1e6),
                load: work.load,
                outstanding: work.outstanding(),
                estimates: self.estimates.to_string(),
                failures: self.failures,
                seed: self.seed,
                notes,
            },
            results: seen.iter().map(outcome).collect(),
        }
    }

    fn tell(&self, context: &Context, simulation: &Simulation, begin: Instant) -> Result<Exit> {
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json(simulation)?,
            Format::Name => {
                let names = simulation.results.iter().map(|it| it.figures.policy);
                output.text(&names.map(|name| format!("{name}\n")).collect::<String>())?;
            }
            format => {
                simulation.simulated.notes.iter().for_each(|note| {
                    context.say(&format!("note: {}", crate::table::printable(note)));
                });
                output.text(&render(simulation, format == Format::Wide, output.tone))?;
                let took = begin.elapsed().as_secs_f64();
                context.say(&format!("Simulated in {took:.1}s."));
            }
        }
        if let Some(path) = &self.report {
            context.say(&format!("The report is in {}.", path.display()));
        }
        Ok(Exit::Ok)
    }
}

/// The page for a browser.
fn report(simulation: &Simulation, seen: &[(&'static str, Seen)]) -> String {
    let names: Vec<String> = seen
        .iter()
        .map(|(cluster, seen)| format!("{} {cluster}", seen.figures.policy).trim_end().to_owned())
        .collect();
    let results: Vec<Shown<'_>> =
        names.iter().zip(seen).map(|(name, (_, seen))| Shown { name, seen }).collect();
    let mut told = vec![simulation.simulated.to_string()];
    told.extend(simulation.simulated.history.as_ref().map(ToString::to_string));
    told.extend(simulation.simulated.change());
    told.extend(simulation.simulated.notes.iter().cloned());
    let title = format!("Simulation of {}", simulation.simulated.workload);
    whatif::report::html(&Page { title: &title, told: &told, results: &results })
}

/// Writes a report, over an older one, but over nothing else.
fn write(path: &Path, text: &str) -> Result<()> {
    let not_written = |error: io::Error| {
        let message = format!("cannot write {}: {error}", path.display());
        Error::new(Exit::Storage, NOT_WRITTEN, message)
    };
    if let Ok(file) = std::fs::File::open(path) {
        let mut head = Vec::new();
        let mark = text.as_bytes().iter().position(|&byte| byte == b'\n').unwrap_or(0);
        file.take(mark as u64).read_to_end(&mut head).map_err(not_written)?;
        if !head.is_empty() && head != text.as_bytes()[..mark] {
            let message = format!("{} is there already, and is no report", path.display());
            let error = Error::new(Exit::Conflict, FILE_EXISTS, message);
            return Err(error.hint("name another file, or take it away first"));
        }
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(not_written)?;
    file.write_all(text.as_bytes()).map_err(not_written)
}

/// What is wrong with the command line.
fn usage(trouble: Trouble) -> Error {
    Error { exit: Exit::Usage, ..invalid(trouble) }
}

/// What is wrong with the files.
fn invalid(trouble: Trouble) -> Error {
    let error = Error::new(Exit::of_code(trouble.code.0), trouble.code, trouble.message);
    match trouble.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
