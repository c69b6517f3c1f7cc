//! `import wfcommons`: an instance of WfCommons as a workflow that runs here, each of its tasks a
//! sleep or a busy loop of a scaled length, with its files if that is asked for.
//!
//! What the tasks do stands once, in a template of the file; each task says how long and with what.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use workload::wfcommons::{Instance, InstanceTask, instance};

use super::names::{Names, valid};
use super::text::{millionths, scalar, task};
use crate::app::Context;
use crate::commands::bad_argument;
use crate::error::{Error, FILE_EXISTS, NOT_WRITTEN, Result};
use crate::exit::Exit;
use crate::output::Format;
use crate::quantity;
use crate::recorded;
use crate::render::{plural, shell_word};
use crate::workflow::WorkflowFile;

const EXAMPLES: &str = "\
Examples:
  autoglm import wfcommons montage.json.gz --time-scale 0.01 > montage.yaml
  autoglm import wfcommons blast.json --work busy --data --to blast.yaml

A task asks for the cores and the memory that it had. With --data it reads what others have written,
and as much from /dev/zero as the files have that nobody wrote; what it writes goes into data/run-N
beside the workflow, where it stays. A file that is there already is never written over.";

/// Bytes of the list of files of one task, beside which there is room for the script.
const FILES_BYTES_MAX: usize = 100_000;
/// Dependencies that are followed to find out which files are there when they are read.
const ANCESTOR_STEPS_MAX: usize = 50_000_000;

/// Make a workflow of an instance of WfCommons.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WfCommons {
    /// The instance: WfFormat 1.4 or 1.5, as JSON, which may be packed by gzip
    pub file: PathBuf,

    /// How long tasks take, and with --data how large files are, by what was recorded
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = quantity::millionths)]
    pub time_scale: u64,

    /// What tasks do meanwhile: sleep, or busy, which keeps their cores at work
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Work::Sleep)]
    #[arg(hide_possible_values = true)]
    pub work: Work,

    /// Read and write the files, too, at scaled sizes
    #[arg(long)]
    pub data: bool,

    /// Write the workflow here, and not to standard output
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

/// What tasks do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// Nothing, for as long.
    #[default]
    Sleep,
    /// Keep their cores at work.
    Busy,
}

impl WfCommons {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let file = WorkflowFile::read(&self.file)?;
        let source = recorded::source(file, context.tone)?;
        let read = instance(&source);
        let instance = read.map_err(|faults| recorded::invalid(&faults, context.tone))?;
        let text = self.workflow(&instance)?;
        if let Some(to) = &self.to {
            write(to, &text)?;
        }
        let output = context.output;
        match (output.format, &self.to) {
            (Format::Json | Format::Jsonl, to) => output.json(&json!({
                "name": instance.name,
                "tasks": instance.tasks.len(),
                "dependencies": edges(&instance),
                "time_scale": self.time_scale as f64 / 1e6,
                "written": to,
                "workflow": to.is_none().then_some(&text),
            }))?,
            (Format::Name, Some(to)) => output.text(&format!("{}\n", to.display()))?,
            (_, None) => output.text(&text)?,
            (_, Some(to)) => {
                let tasks = plural(instance.tasks.len() as u64, "task");
                let run = format!("autoglm run {}", shell_word(&to.display().to_string()));
                output.text(&format!("{}: {tasks}. To run it: {run}\n", to.display()))?;
            }
        }
        Ok(Exit::Ok)
    }

    /// The text of the workflow.
    fn workflow(&self, instance: &Instance) -> Result<String> {
        let mut names = Names::default();
        let names: Vec<String> = instance.tasks.iter().map(|task| names.take(&task.id)).collect();
        let mut text = self.header(instance);
        text.push_str(&format!("version: 1\nname: {}\n", scalar(&valid(&instance.name))));
        if !instance.description.is_empty() {
            text.push_str(&format!("description: {}\n", quoted(&instance.description)));
        }
        text.push_str(&format!("templates:\n  work:\n{}tasks:\n", self.template()));
        let written = written(instance);
        for (recorded, name) in instance.tasks.iter().zip(&names) {
            let mut keys = Vec::new();
            if *name != recorded.id {
                keys.push(("description", quoted(&recorded.id)));
            }
            keys.push(("work", self.arguments(instance, recorded, &written)?));
            keys.extend(resources(recorded).map(|resources| ("resources", resources)));
            let on: Vec<&str> =
                recorded.depends_on.iter().map(|&on| names[on as usize].as_str()).collect();
            text.push_str(&task(name, &keys, &on));
        }
        Ok(text)
    }

    /// What the file is, for whoever opens it.
    fn header(&self, instance: &Instance) -> String {
        let Instance { version, tasks, .. } = instance;
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        let scale = millionths(self.time_scale);
        let (all, longest) = lengths(instance);
        let [all, longest] = [all, longest].map(|us| self.seconds(us));
        let work = match self.work {
            Work::Sleep => "sleeps",
            Work::Busy => "keeps its cores at work",
        };
        let data = match self.data {
            true => format!("# Its files have {scale} times their size.\n"),
            false => String::new(),
        };
        let version = match version.as_str() {
            "" => String::new(),
            version => format!(" (WfFormat {version})"),
        };
        format!(
            "# Made of {} by `autoglm import wfcommons`.\n\
             # {}{}: {}, {} dependencies.\n\
             # Each task {work} {scale} times as long as it ran.\n{data}\
             # That is {all} s of work, of which {longest} s on the longest way.\n",
            one_line(&file),
            one_line(&instance.name),
            one_line(&version),
            plural(tasks.len() as u64, "task"),
            edges(instance),
        )
    }

    /// The template that all tasks extend.
    fn template(&self) -> &'static str {
        match (self.work, self.data) {
            (Work::Sleep, false) => SLEEP,
            (Work::Busy, false) => BUSY,
            (Work::Sleep, true) => SLEEP_DATA,
            (Work::Busy, true) => BUSY_DATA,
        }
    }

    /// What the template needs to know of a task.
    fn arguments(
        &self,
        instance: &Instance,
        task: &InstanceTask,
        written: &[bool],
    ) -> Result<String> {
        let mut arguments = vec![format!("seconds: {}", self.seconds(task.runtime_us))];
        let cores = task.cpu_milli.div_ceil(1_000);
        if self.work == Work::Busy && cores != 1 {
            arguments.push(format!("cores: {cores}"));
        }
        if self.data {
            let size = |file: u32| self.scaled(instance.files[file as usize].bytes);
            let is_written = |file: &u32| written[*file as usize];
            let reads = task.reads.iter().copied().filter(is_written);
            let reads: Vec<String> = reads.map(|file| format!("f{file}")).collect();
            let zeros: u64 =
                task.reads.iter().copied().filter(|file| !is_written(file)).map(size).sum();
            let writes: Vec<String> =
                task.writes.iter().map(|&file| format!("f{file}:{}", size(file))).collect();
            let [reads, writes] = [reads, writes].map(|list| list.join(" "));
            if reads.len() + writes.len() > FILES_BYTES_MAX {
                let message = format!("task `{}` has too many files for --data", task.id);
                return Err(bad_argument(message).hint("leave --data out"));
            }
            let texts = [("reads", &reads), ("writes", &writes)];
            let texts = texts.into_iter().filter(|(_, list)| !list.is_empty());
            arguments.extend(texts.map(|(key, list)| format!("{key}: \"{list}\"")));
            if zeros > 0 {
                arguments.push(format!("zeros: {zeros}"));
            }
        }
        Ok(format!("{{{}}}", arguments.join(", ")))
    }

    /// A scaled length in seconds, to the nearest thousandth: less than that is nothing to a sleep.
    fn seconds(&self, us: u64) -> String {
        millionths(self.scaled(us).saturating_add(500) / 1_000 * 1_000)
    }

    /// A length or a size, as much smaller as was asked for.
    fn scaled(&self, number: u64) -> u64 {
        let scaled = u128::from(number) * u128::from(self.time_scale) / 1_000_000;
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

// A node of twice the usual speed does the work in half the time.
const SLEEP: &str = "    params: {seconds: {type: float, min: 0}}
    script: exec sleep \"$(awk \"BEGIN {print {{ with.seconds }} / $AUTOGLM_NODE_SPEED}\")\"
";

const BUSY: &str = "    params:
      seconds: {type: float, min: 0}
      cores: 1
    script: |
      busy=
      for core in $(seq {{ with.cores }}); do
        while :; do :; done &
        busy=\"$busy $!\"
      done
      sleep \"$(awk \"BEGIN {print {{ with.seconds }} / $AUTOGLM_NODE_SPEED}\")\"
      kill $busy
      wait
";

const SLEEP_DATA: &str = "    params:
      seconds: {type: float, min: 0}
      reads: \"\"   # files that other tasks have written
      zeros: 0    # bytes of files that nobody wrote
      writes: \"\"  # files, and how many bytes each has
    env: {DATA: \"data/run-{{ run.id }}\"}
    script: |
      mkdir -p \"$DATA\"
      for file in {{ with.reads }}; do cat \"$DATA/$file\" > /dev/null; done
      head -c {{ with.zeros }} /dev/zero > /dev/null
      sleep \"$(awk \"BEGIN {print {{ with.seconds }} / $AUTOGLM_NODE_SPEED}\")\"
      for file in {{ with.writes }}; do
        head -c \"${file#*:}\" /dev/zero > \"$DATA/${file%:*}\"
      done
";

const BUSY_DATA: &str = "    params:
      seconds: {type: float, min: 0}
      cores: 1
      reads: \"\"   # files that other tasks have written
      zeros: 0    # bytes of files that nobody wrote
      writes: \"\"  # files, and how many bytes each has
    env: {DATA: \"data/run-{{ run.id }}\"}
    script: |
      mkdir -p \"$DATA\"
      for file in {{ with.reads }}; do cat \"$DATA/$file\" > /dev/null; done
      head -c {{ with.zeros }} /dev/zero > /dev/null
      busy=
      for core in $(seq {{ with.cores }}); do
        while :; do :; done &
        busy=\"$busy $!\"
      done
      sleep \"$(awk \"BEGIN {print {{ with.seconds }} / $AUTOGLM_NODE_SPEED}\")\"
      kill $busy
      wait
      for file in {{ with.writes }}; do
        head -c \"${file#*:}\" /dev/zero > \"$DATA/${file%:*}\"
      done
";

/// Cores and memory of a task, as far as they are not what every task asks for.
fn resources(task: &InstanceTask) -> Option<String> {
    let cpu = match (task.cpu_milli / 1_000, task.cpu_milli % 1_000) {
        (1, 0) => None,
        (whole, 0) => Some(format!("cpu: {whole}")),
        _ => Some(format!("cpu: {}m", task.cpu_milli)),
    };
    let memory = (task.memory_bytes > 0).then(|| match task.memory_bytes.is_multiple_of(1 << 20) {
        true => format!("memory: {}Mi", task.memory_bytes >> 20),
        false => format!("memory: {}", task.memory_bytes),
    });
    let amounts: Vec<String> = cpu.into_iter().chain(memory).collect();
    (!amounts.is_empty()).then(|| format!("{{{}}}", amounts.join(", ")))
}

/// Of each file whether a task writes it that is before all that read it. One that is read by
/// somebody who does not wait for its writer may not be there yet.
fn written(instance: &Instance) -> Vec<bool> {
    let mut writer = vec![None; instance.files.len()];
    for (number, task) in (0_u32..).zip(&instance.tasks) {
        task.writes.iter().for_each(|&file| writer[file as usize] = Some(number));
    }
    let mut is_written: Vec<bool> = writer.iter().map(Option::is_some).collect();
    let mut ancestors =
        Ancestors { instance, seen: vec![u32::MAX; instance.tasks.len()], steps: 0 };
    for (number, task) in (0_u32..).zip(&instance.tasks) {
        for &file in &task.reads {
            let Some(writer) = writer[file as usize] else { continue };
            is_written[file as usize] &= ancestors.has(number, writer);
        }
    }
    is_written
}

/// Who comes before whom.
struct Ancestors<'i> {
    instance: &'i Instance,
    /// By whom each task was last found to come before.
    seen: Vec<u32>,
    /// How many dependencies were followed.
    steps: usize,
}

impl Ancestors<'_> {
    /// Whether a task waits for another, directly or through others; no, if finding out takes long.
    fn has(&mut self, task: u32, wanted: u32) -> bool {
        let depends_on = |task: u32| &self.instance.tasks[task as usize].depends_on;
        if depends_on(task).contains(&wanted) {
            return true;
        }
        if self.seen[task as usize] != task {
            self.seen[task as usize] = task;
            let mut rest = vec![task];
            while let Some(at) = rest.pop().filter(|_| self.steps < ANCESTOR_STEPS_MAX) {
                self.steps += depends_on(at).len();
                for &on in depends_on(at) {
                    if std::mem::replace(&mut self.seen[on as usize], task) != task {
                        rest.push(on);
                    }
                }
            }
        }
        wanted != task && self.seen[wanted as usize] == task
    }
}

fn edges(instance: &Instance) -> usize {
    instance.tasks.iter().map(|task| task.depends_on.len()).sum()
}

/// How long all tasks ran, and those on the longest way through them, in microseconds.
fn lengths(instance: &Instance) -> (u64, u64) {
    let tasks = &instance.tasks;
    let mut waiting: Vec<usize> = tasks.iter().map(|task| task.depends_on.len()).collect();
    let mut dependents = vec![Vec::new(); tasks.len()];
    for (number, task) in tasks.iter().enumerate() {
        task.depends_on.iter().for_each(|&on| dependents[on as usize].push(number));
    }
    let mut free: Vec<usize> = (0..tasks.len()).filter(|&task| waiting[task] == 0).collect();
    let mut begins = vec![0_u64; tasks.len()];
    let mut longest = 0;
    while let Some(task) = free.pop() {
        let end = begins[task].saturating_add(tasks[task].runtime_us);
        longest = longest.max(end);
        for &next in &dependents[task] {
            begins[next] = begins[next].max(end);
            waiting[next] -= 1;
            if waiting[next] == 0 {
                free.push(next);
            }
        }
    }
    (tasks.iter().map(|task| task.runtime_us).fold(0, u64::saturating_add), longest)
}

/// A text in quotes that is no template.
fn quoted(text: &str) -> String {
    json!(text.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #")).to_string()
}

fn one_line(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

/// Writes a new file; one that cannot be written whole is taken away again.
fn write(to: &Path, text: &str) -> Result<()> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(to) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let message = format!("{} is there already; nothing was written", to.display());
            let error = Error::new(Exit::Conflict, FILE_EXISTS, message);
            return Err(error.hint("name another file, or take it away first"));
        }
        Err(error) => return Err(not_written(to, &error)),
    };
    file.write_all(text.as_bytes()).map_err(|error| {
        // The first error is the one to be told.
        let _ = std::fs::remove_file(to);
        not_written(to, &error)
    })
}

fn not_written(to: &Path, error: &io::Error) -> Error {
    let message = format!("cannot write {}: {error}", to.display());
    Error::new(Exit::Storage, NOT_WRITTEN, message)
}

#[cfg(test)]
mod tests;
