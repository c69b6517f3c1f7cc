//! Workflow instances of WfCommons: `WfFormat` 1.4 and 1.5 (and 1.6, which only adds to it).
//!
//! Taken are the tasks in the order of the file, what each waits for (`parents` and `children`
//! together), its run time, cores, memory and files. A task without a number of cores has one, and
//! without an amount of memory asks for none. The file is one job. Machines, powers, priorities and
//! the makespan are passed over.
//!
//! The kind of a task is its program. Where the command is spelt out, as Nextflow does it, each
//! would be another one: then it is the category, or the name of the task.
//!
//! A mean estimate is that of the kind in the instance. It knows the instance beforehand, so it is
//! better than what a product can have at the first run, and about what it can have at the next.

use std::ops::Range;

use model::collections::HashMap;
use serde::Deserialize;

use crate::builder::{Builder, NewJob, NewTask};
use crate::code;
use crate::estimates::{Basis, Estimates};
use crate::fault::{Fault, Faults};
use crate::json::Step::{At, Key};
use crate::json::{Bytes, Cores, Seconds, Step, locate, parse};
use crate::source::Source;
use crate::units::short;
use crate::workload::Workload;

/// The versions that are read.
const VERSIONS: [&str; 3] = ["1.4", "1.5", "1.6"];

/// An instance as it stands in its file, its references followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// What it is called.
    pub name: String,
    /// What is said of it; may be empty.
    pub description: String,
    /// The version of its format.
    pub version: String,
    /// Its tasks, in the order of the file.
    pub tasks: Vec<InstanceTask>,
    /// Its files.
    pub files: Vec<InstanceFile>,
    /// How many of the files that tasks name have no size anywhere: they count as empty.
    pub files_unsized: usize,
}

/// A task of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceTask {
    /// What it is called by itself.
    pub id: String,
    /// What it is one of.
    pub kind: String,
    /// How long it ran, in microseconds.
    pub runtime_us: u64,
    /// Thousandths of a CPU.
    pub cpu_milli: u64,
    /// Bytes of memory that it had; 0 if it is not recorded.
    pub memory_bytes: u64,
    /// What it waits for, by the numbers of tasks, ascending and each once.
    pub depends_on: Vec<u32>,
    /// What it reads, by the numbers of files.
    pub reads: Vec<u32>,
    /// What it writes, by the numbers of files.
    pub writes: Vec<u32>,
}

/// A file of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceFile {
    /// What it is called.
    pub name: String,
    /// How large it is.
    pub bytes: u64,
}

/// Reads an instance as a workload of one job.
///
/// # Errors
/// As [`instance`].
pub fn read(source: &Source, estimates: Estimates) -> Result<Workload, Faults> {
    let instance = instance(source)?;
    let builder = instance.builder();
    // It was held to this when it was read.
    let mut workload = builder.finish().map_err(|defect| defect.into_faults(source, |_| 0..0))?;
    estimates.apply(&mut workload, Basis::Job, false);
    Ok(workload)
}

/// Reads an instance.
///
/// # Errors
/// It is no instance or of another version, something in it has no run time, a task waits for one
/// that is not there or for itself, two tasks have one name, or a number is none.
pub fn instance(source: &Source) -> Result<Instance, Faults> {
    let file: File = parse(source)?;
    let one = |fault| Faults::one(source.name(), fault);
    if let Some(version) = &file.schema_version
        && !VERSIONS.contains(&&**version)
    {
        let at = locate(source.text(), &[Key("schemaVersion")]);
        let message = format!("this is WfFormat {}, and 1.4 and 1.5 are read", short(version));
        let fault = Fault::at(source, at, code::UNKNOWN_FORM, message);
        return Err(one(fault.hint("wfcommons-migrate-instance.py of WfFormat brings it forward")));
    }
    let reader = Reader::new(source, &file.workflow).map_err(one)?;
    let mut instance = reader.read(&file.workflow)?;
    instance.name = file.name.unwrap_or_else(|| source.stem().to_owned());
    instance.description = file.description.unwrap_or_default();
    instance.version = file.schema_version.unwrap_or_default();
    let checked = instance.builder().finish();
    checked
        .map_err(|defect| defect.into_faults(source, |task| reader.place(task as usize, &[])))?;
    Ok(instance)
}

impl Instance {
    /// The instance as a job of tasks.
    fn builder(&self) -> Builder {
        let mut builder = Builder::new(&self.name);
        if self.files_unsized > 0 {
            let count = self.files_unsized;
            builder.note(format!("{count} files have no size, and count as empty"));
        }
        builder.job(&NewJob { name: &self.name, ..NewJob::default() });
        let bytes = |files: &[u32]| {
            let sizes = files.iter().filter_map(|&file| self.files.get(file as usize));
            sizes.map(|file| file.bytes).fold(0, u64::saturating_add)
        };
        for task in &self.tasks {
            builder.task(&NewTask {
                name: &task.id,
                kind: &task.kind,
                duration_us: task.runtime_us,
                cpu_milli: task.cpu_milli,
                memory_bytes: task.memory_bytes,
                input_bytes: bytes(&task.reads),
                output_bytes: bytes(&task.writes),
                ..NewTask::default()
            });
        }
        for (number, task) in (0..).zip(&self.tasks) {
            task.depends_on.iter().for_each(|&on| builder.depend(number, on));
        }
        builder
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    name: Option<String>,
    description: Option<String>,
    schema_version: Option<String>,
    workflow: WorkflowFile,
}

#[derive(Deserialize)]
struct WorkflowFile {
    specification: Option<Specification>,
    execution: Option<Execution>,
    /// Version 1.4: all of a task in one place.
    tasks: Option<Vec<TaskFile>>,
}

#[derive(Deserialize)]
struct Specification {
    tasks: Vec<TaskFile>,
    files: Option<Vec<SizedFile>>,
}

#[derive(Deserialize)]
struct Execution {
    tasks: Vec<TaskFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SizedFile {
    id: String,
    size_in_bytes: Option<Bytes>,
}

/// What is said of a task; since version 1.5 what was measured of it stands apart from the rest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskFile {
    name: Option<String>,
    id: Option<String>,
    category: Option<String>,
    parents: Option<Vec<String>>,
    children: Option<Vec<String>>,
    input_files: Option<Vec<String>>,
    output_files: Option<Vec<String>>,
    files: Option<Vec<LinkedFile>>,
    runtime_in_seconds: Option<Seconds>,
    #[serde(alias = "cores")]
    core_count: Option<Cores>,
    memory_in_bytes: Option<Bytes>,
    command: Option<Command>,
}

#[derive(Deserialize)]
struct Command {
    program: Option<String>,
}

/// A file of version 1.4, at the task that reads or writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LinkedFile {
    link: Option<String>,
    name: String,
    path: Option<String>,
    size_in_bytes: Option<Bytes>,
}

impl TaskFile {
    /// What it is called by itself. In version 1.4 a number of its own need not be a part of its
    /// name, and may be missing.
    fn own_id(&self, is_split: bool) -> Option<String> {
        match (&self.name, &self.id) {
            (Some(name), Some(id)) if !is_split && !name.contains(&**id) => {
                Some(format!("{name}_{id}"))
            }
            (Some(name), Some(_)) if !is_split => Some(name.clone()),
            (_, Some(id)) => Some(id.clone()),
            (name, None) => name.clone(),
        }
    }
}

/// Follows the references of an instance.
struct Reader<'s, 'f> {
    source: &'s Source,
    tasks: &'f [TaskFile],
    /// Whether what was measured stands apart, as since version 1.5.
    is_split: bool,
    ids: Vec<String>,
    /// The number of each task, by whatever it is referred to.
    number_of: HashMap<String, u32>,
}

impl<'s, 'f> Reader<'s, 'f> {
    fn new(source: &'s Source, file: &'f WorkflowFile) -> Result<Self, Fault> {
        let (tasks, is_split) = match (&file.specification, &file.tasks) {
            (Some(specification), _) => (&specification.tasks, true),
            (None, Some(tasks)) => (tasks, false),
            (None, None) => {
                let at = locate(source.text(), &[Key("workflow")]);
                let message = "this workflow has neither `specification` nor `tasks`";
                let fault = Fault::at(source, at, code::MISSING, message);
                return Err(fault.hint("is it an instance of WfCommons?"));
            }
        };
        let (ids, number_of) = (Vec::new(), HashMap::default());
        let mut reader = Self { source, tasks, is_split, ids, number_of };
        for (number, task) in (0_u32..).zip(tasks) {
            let at = number as usize;
            let Some(id) = task.own_id(is_split) else {
                let message = "this task has neither an `id` nor a `name`";
                return Err(reader.at(at, &[], code::MISSING, message));
            };
            if reader.number_of.insert(id.clone(), number).is_some() {
                let message = format!("there are two tasks called `{}`", short(&id));
                let key = if task.id.is_some() { "id" } else { "name" };
                return Err(reader.at(at, &[Key(key)], code::DUPLICATE, message));
            }
            reader.ids.push(id);
        }
        reader.learn_names();
        Ok(reader)
    }

    /// Tasks may also be referred to by a name or a number that is no other's.
    fn learn_names(&mut self) {
        let mut others = HashMap::<&str, Option<u32>>::default();
        for (number, task) in (0..).zip(self.tasks) {
            let (name, id) = (task.name.as_deref(), task.id.as_deref());
            for text in [name, id.filter(|&id| name != Some(id))].into_iter().flatten() {
                others.entry(text).and_modify(|known| *known = None).or_insert(Some(number));
            }
        }
        for (text, number) in others {
            if let Some(number) = number {
                self.number_of.entry(text.to_owned()).or_insert(number);
            }
        }
    }

    /// Where a value of a task stands, or the task.
    fn place(&self, task: usize, steps: &[Step<'_>]) -> Range<usize> {
        let mut way = match self.is_split {
            true => vec![Key("workflow"), Key("specification"), Key("tasks"), At(task)],
            false => vec![Key("workflow"), Key("tasks"), At(task)],
        };
        way.extend(steps);
        locate(self.source.text(), &way)
    }

    /// A fault at a value of a task, or at the task.
    fn at(
        &self,
        task: usize,
        steps: &[Step<'_>],
        code: model::code::Code,
        message: impl Into<String>,
    ) -> Fault {
        Fault::at(self.source, self.place(task, steps), code, message)
    }

    fn read(&self, file: &WorkflowFile) -> Result<Instance, Faults> {
        let mut faults = Faults::of(self.source.name());
        let mut files = Files::default();
        let listed = file.specification.as_ref().and_then(|it| it.files.as_deref());
        for listed in listed.unwrap_or_default() {
            files.add(&listed.id, listed.size_in_bytes);
        }
        let runs = self.runs(file, &mut faults);
        let mut tasks: Vec<InstanceTask> = Vec::with_capacity(self.tasks.len());
        for (number, (task, id)) in self.tasks.iter().zip(&self.ids).enumerate() {
            let run = runs.get(number).copied().flatten().unwrap_or(task);
            let Some(Seconds(runtime_us)) = run.runtime_in_seconds else {
                let message = format!("task `{}` has no `runtimeInSeconds`", short(id));
                let fault = self.at(number, &[], code::MISSING, message);
                faults.push(fault.hint("only instances of runs can be read, no descriptions"));
                continue;
            };
            let [reads, writes] = files.of(task);
            tasks.push(InstanceTask {
                id: id.clone(),
                kind: kind(task, run),
                runtime_us,
                // A task that was given no core ran on one all the same.
                cpu_milli: run.core_count.map(|it| it.0).filter(|&it| it > 0).unwrap_or(1_000),
                memory_bytes: run.memory_in_bytes.map_or(0, |it| it.0),
                depends_on: Vec::new(),
                reads,
                writes,
            });
        }
        if tasks.len() == self.tasks.len() {
            self.edges(&mut tasks, &mut faults);
        }
        let files_unsized = files.sizes.iter().filter(|size| size.is_none()).count();
        let named = files.names.into_iter().zip(files.sizes);
        let files = named.map(|(name, size)| InstanceFile { name, bytes: size.unwrap_or(0) });
        let files = files.collect();
        faults.unless(Some(Instance { tasks, files, files_unsized, ..Instance::default() }))
    }

    /// What was measured of each task, where that stands apart.
    fn runs<'r>(&self, file: &'r WorkflowFile, faults: &mut Faults) -> Vec<Option<&'r TaskFile>> {
        let mut found = vec![None; self.tasks.len()];
        let runs = file.execution.as_ref().map_or(&[][..], |execution| &execution.tasks);
        for (at, run) in runs.iter().enumerate() {
            let id = run.id.as_deref().unwrap_or_default();
            let slot = self.number_of.get(id).and_then(|&it| found.get_mut(it as usize));
            let way = [Key("workflow"), Key("execution"), Key("tasks"), At(at), Key("id")];
            let told = |code, message| {
                Fault::at(self.source, locate(self.source.text(), &way), code, message)
            };
            match slot {
                Some(slot) if slot.is_none() => *slot = Some(run),
                Some(_) => {
                    let message = format!("`{}` was measured twice", short(id));
                    faults.push(told(code::DUPLICATE, message));
                }
                None => {
                    let message = format!("there is no task `{}`", short(id));
                    faults.push(told(code::NO_SUCH_TASK, message));
                }
            }
        }
        found
    }

    fn edges(&self, tasks: &mut [InstanceTask], faults: &mut Faults) {
        let mut edges: Vec<(u32, u32)> = Vec::new();
        for (number, task) in (0..).zip(self.tasks) {
            for (key, list) in [("parents", &task.parents), ("children", &task.children)] {
                for (place, other) in list.iter().flatten().enumerate() {
                    let Some(&other_number) = self.number_of.get(other) else {
                        let steps = [Key(key), At(place)];
                        let message = format!("there is no task `{}`", short(other));
                        let at = number as usize;
                        faults.push(self.at(at, &steps, code::NO_SUCH_TASK, message));
                        continue;
                    };
                    edges.push(match key {
                        "parents" => (number, other_number),
                        _ => (other_number, number),
                    });
                }
            }
        }
        edges.sort_unstable();
        edges.dedup();
        for (task, on) in edges {
            tasks[task as usize].depends_on.push(on);
        }
    }
}

/// What a task is one of.
fn kind(task: &TaskFile, run: &TaskFile) -> String {
    let program = run.command.as_ref().and_then(|command| command.program.as_deref());
    let is_word = |program: &&str| !program.is_empty() && !program.contains(char::is_whitespace);
    let category = task.category.as_deref().filter(|category| !category.is_empty());
    let name = task.name.as_deref().or(task.id.as_deref()).unwrap_or_default();
    program.filter(is_word).or(category).unwrap_or_else(|| without_number(name)).to_owned()
}

/// A name without the number that Pegasus puts behind it: `mProject_ID0000001`.
fn without_number(name: &str) -> &str {
    match name.rsplit_once("_ID") {
        Some((before, number))
            if !before.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            before
        }
        _ => name,
    }
}

/// The files of an instance, each once.
#[derive(Default)]
struct Files {
    number_of: HashMap<String, u32>,
    names: Vec<String>,
    sizes: Vec<Option<u64>>,
}

impl Files {
    fn add(&mut self, name: &str, size: Option<Bytes>) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let number = match self.number_of.get(name) {
            Some(&known) => known,
            None => {
                self.number_of.insert(name.to_owned(), next);
                self.names.push(name.to_owned());
                self.sizes.push(None);
                next
            }
        };
        if let Some(known) = self.sizes.get_mut(number as usize) {
            *known = known.or(size.map(|size| size.0));
        }
        number
    }

    /// What a task reads and writes.
    fn of(&mut self, task: &TaskFile) -> [Vec<u32>; 2] {
        let mut found = [&task.input_files, &task.output_files].map(|list| {
            list.iter().flatten().map(|name| self.add(name, None)).collect::<Vec<u32>>()
        });
        for file in task.files.iter().flatten() {
            let name = format!("{}{}", file.path.as_deref().unwrap_or_default(), file.name);
            let number = self.add(&name, file.size_in_bytes);
            let is_read =
                file.link.as_deref().is_some_and(|link| link.eq_ignore_ascii_case("input"));
            found[usize::from(!is_read)].push(number);
        }
        for list in &mut found {
            list.sort_unstable();
            list.dedup();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two programs, two files; a command that is spelt out.
    pub(crate) const SAMPLE: &str = r#"{
  "name": "tiny", "description": "made for a test", "schemaVersion": "1.5",
  "workflow": {
    "specification": {
      "tasks": [
        {"name": "split_ID1", "id": "split_ID1", "parents": [], "children": ["run_ID2", "run_ID3"],
         "inputFiles": ["in"], "outputFiles": ["part"]},
        {"name": "run_ID2", "id": "run_ID2", "parents": ["split_ID1"],
         "inputFiles": ["part", "in"]},
        {"name": "run_ID3", "id": "run_ID3", "children": ["A.B_4"], "inputFiles": ["part"]},
        {"name": "A.B", "id": "A.B_4", "parents": ["run_ID2", "run_ID2"], "outputFiles": ["lost"]}
      ],
      "files": [{"id": "in", "sizeInBytes": 1000}, {"id": "part", "sizeInBytes": 30}]
    },
    "execution": {
      "makespanInSeconds": 9, "executedAt": "2026-01-01T00:00:00Z", "machines": [],
      "tasks": [
        {"id": "split_ID1", "runtimeInSeconds": 1.5, "command": {"program": "split"}},
        {"id": "run_ID3", "runtimeInSeconds": 4, "coreCount": 2, "memoryInBytes": 1048576,
         "command": {"program": "run", "arguments": ["3"]}},
        {"id": "run_ID2", "runtimeInSeconds": 2, "coreCount": null, "command": {"program": "run"}},
        {"id": "A.B_4", "runtimeInSeconds": 0.0, "command": {"program": "cat x | wc -l"}}
      ]
    }
  }
}"#;

    fn source(text: &str) -> Source {
        Source::new("dir/tiny.json", text.into()).unwrap()
    }

    fn told(text: &str) -> String {
        let told = read(&source(text), Estimates::Recorded).unwrap_err().to_string();
        told.lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn an_instance_is_a_job_of_tasks() {
        let workload = read(&source(SAMPLE), Estimates::Recorded).unwrap();
        let shown: Vec<_> = (0..)
            .zip(workload.tasks())
            .map(|(number, task)| {
                let estimate = task.estimate_us.map(std::num::NonZeroU64::get);
                let on = workload.depends_on(number).to_vec();
                (workload.text(task.kind), task.duration_us, estimate.unwrap(), on)
            })
            .collect();
        let expected = [
            ("split", 1_500_000, 1_500_000, vec![]),
            ("run", 2_000_000, 3_000_000, vec![0]),
            ("run", 4_000_000, 3_000_000, vec![0]),
            ("A.B", 0, 1, vec![1, 2]),
        ];
        assert_eq!(shown, expected);
        let run = workload.tasks()[2];
        assert_eq!((run.cpu_milli, run.memory_bytes), (2_000, 1 << 20));
        let bytes = |task: usize| {
            let task = workload.tasks()[task];
            (task.input_bytes, task.output_bytes)
        };
        assert_eq!([0, 1, 2, 3].map(bytes), [(1_000, 30), (1_030, 0), (30, 0), (0, 0)]);
        assert_eq!(workload.notes, ["1 files have no size, and count as empty"]);
        assert_eq!((workload.name.as_str(), workload.jobs.len()), ("tiny", 1));
    }

    #[test]
    fn version_1_4_keeps_all_of_a_task_in_one_place() {
        let text = r#"{"name": "old", "schemaVersion": "1.4", "workflow": {
            "makespanInSeconds": 3, "executedAt": "x", "machines": [], "tasks": [
            {"name": "mAdd_ID01", "id": "ID01", "category": "mAdd", "type": "compute",
             "runtimeInSeconds": 2, "cores": 4, "memoryInBytes": 7,
             "command": {"program": "mAdd", "arguments": []},
             "files": [{"link": "input", "name": "a", "path": "/d/", "sizeInBytes": 5},
                       {"link": "output", "name": "b", "sizeInBytes": 6}]},
            {"name": "apart", "id": "ID02", "category": "viewer", "runtimeInSeconds": 1,
             "parents": ["mAdd_ID01"], "files": [{"link": "input", "name": "b"}]},
            {"name": "last", "runtimeInSeconds": 1, "parents": ["ID01", "apart"]}]}}"#;
        let instance = instance(&source(text)).unwrap();
        let ids: Vec<&str> = instance.tasks.iter().map(|task| &*task.id).collect();
        assert_eq!(ids, ["mAdd_ID01", "apart_ID02", "last"]);
        let kinds: Vec<&str> = instance.tasks.iter().map(|task| &*task.kind).collect();
        assert_eq!(kinds, ["mAdd", "viewer", "last"]);
        assert_eq!((instance.tasks[0].cpu_milli, instance.tasks[2].depends_on.len()), (4_000, 2));
        assert_eq!((instance.tasks[1].reads[0], instance.tasks[0].writes[0]), (1, 1));
        let names: Vec<_> = instance.files.iter().map(|file| (&*file.name, file.bytes)).collect();
        assert_eq!(names, [("/d/a", 5), ("b", 6)]);
    }

    #[test]
    fn estimates_may_be_exact_or_none() {
        let estimate = |how| read(&source(SAMPLE), how).unwrap().tasks()[1].estimate_us;
        assert_eq!(estimate(Estimates::Exact).map(u64::from), Some(2_000_000));
        assert_eq!(estimate(Estimates::None), None);
    }

    #[test]
    fn what_would_be_wrong_without_a_word_is_refused() {
        let with = |from: &str, to: &str| told(&SAMPLE.replacen(from, to, 1));
        assert_eq!(
            with("[\"split_ID1\"]", "[\"split_ID9\"]"),
            "dir/tiny.json:8:58: error[E0606]: there is no task `split_ID9`"
        );
        assert_eq!(
            with("\"parents\": []", "\"parents\": [\"A.B_4\"]"),
            "dir/tiny.json:6:9: error[E0607]: tasks wait for each other in a circle: split_ID1, \
             A.B_4, run_ID3"
        );
        assert_eq!(
            with("\"runtimeInSeconds\": 2,", "\"runtimeInSeconds\": -2,"),
            "dir/tiny.json:21:47: error[E0605]: -2 seconds are less than none"
        );
        assert_eq!(
            with("\"runtimeInSeconds\": 1.5, ", ""),
            "dir/tiny.json:6:9: error[E0603]: task `split_ID1` has no `runtimeInSeconds`"
        );
        assert_eq!(
            with("\"id\": \"run_ID3\", \"c", "\"id\": \"run_ID2\", \"c"),
            "dir/tiny.json:10:35: error[E0608]: there are two tasks called `run_ID2`"
        );
        assert_eq!(
            with("{\"id\": \"A.B_4\"", "{\"id\": \"A.C_4\""),
            "dir/tiny.json:22:16: error[E0606]: there is no task `A.C_4`"
        );
        assert_eq!(
            with("\"1.5\"", "\"1.3\""),
            "dir/tiny.json:2:70: error[E0602]: this is WfFormat 1.3, and 1.4 and 1.5 are read"
        );
        assert_eq!(
            told(r#"{"workflow": {"specification": {"tasks": []}}}"#),
            "dir/tiny.json: error[E0610]: there is no task in it"
        );
        assert!(told(r#"{"workflow": {}}"#).contains("neither `specification` nor `tasks`"));
        assert!(told(r#"{"a": 1}"#).contains("missing field `workflow`"));
        let nothing = r#"{"workflow": {"tasks": [{"runtimeInSeconds": 1}]}}"#;
        assert!(told(nothing).contains("neither an `id` nor a `name`"));
    }
}
