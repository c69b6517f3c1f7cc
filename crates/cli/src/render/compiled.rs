//! What the compiler makes of a graph: how small it becomes by which way, and what is alike in it.

use serde::Serialize;

use super::plural;
use crate::style::{Paint, Tone};
use crate::table::{Cell, Table, printable};

/// Classes that are shown.
const CLASSES_SHOWN: usize = 10;
/// Members of a class that are named.
const NAMES_SHOWN: usize = 3;
/// Kinds of the tasks of a member that are named.
const KINDS_SHOWN: usize = 3;

/// A graph before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Compilation {
    /// The name of the workflow.
    pub name: String,
    /// All of it.
    pub before: Form,
    /// What is left by each way.
    pub after: Vec<Form>,
    /// The way that the classes are of.
    pub classes_of: &'static str,
    /// What is left by it, the most tasks first.
    pub classes: Vec<Class>,
}

/// A graph as it is, or what is left of it by one way to make it small.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Form {
    /// The layout, or the way.
    pub form: &'static str,
    /// Tasks; parts or classes of parts, if it was made small.
    pub tasks: u64,
    /// Edges; one for each rule between two classes and each that no rule says, if it was made
    /// small.
    pub edges: u64,
    /// All that is kept, the table of which task is which member included.
    pub bytes: u64,
    /// The same for each task that there was, with two decimals.
    pub bytes_a_task: f64,
}

/// The layout of a graph as it is: compressed sparse rows of 32-bit numbers.
const ROWS: &str = "CSR with u32";

impl Form {
    /// A graph as it is.
    pub(crate) fn before((tasks, edges): (u64, u64), bytes: u64) -> Self {
        Self::new(ROWS, (tasks, edges), (bytes, tasks))
    }

    /// What is left of a graph; `of` is how many bytes for how many tasks that there were.
    pub(crate) fn new(
        form: &'static str,
        (tasks, edges): (u64, u64),
        (bytes, of): (u64, u64),
    ) -> Self {
        let hundredths = (bytes * 100 + of / 2).checked_div(of).unwrap_or(0);
        Self { form, tasks, edges, bytes, bytes_a_task: hundredths as f64 / 100.0 }
    }
}

/// Parts that look the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Class {
    /// How many there are.
    pub members: u64,
    /// How many tasks each is made of.
    pub tasks_each: u64,
    /// What these are, in the order of a member; of equal neighbours one.
    pub kinds: Vec<String>,
    /// The names of the tasks of each member.
    pub names: Vec<Vec<String>>,
}

/// The numbers as a table, and below it the largest classes; `wide` names everything.
pub(crate) fn render(compilation: &Compilation, wide: bool, tone: Tone) -> String {
    let Compilation { name, before, after, .. } = compilation;
    let mut text = format!(
        "{}: {}, {}\n\n",
        tone.paint(Paint::Head, &printable(name)),
        plural(before.tasks, "task"),
        plural(before.edges, "edge"),
    );
    let mut table = Table::new(&["FORM", ">TASKS", ">EDGES", ">BYTES", ">A TASK"]);
    for (at, form) in std::iter::once(before).chain(after).enumerate() {
        let name = if at == 0 { format!("before: {}", form.form) } else { form.form.to_owned() };
        table.row([
            Cell::from(name),
            Cell::from(form.tasks.to_string()),
            Cell::from(form.edges.to_string()),
            Cell::from(form.bytes.to_string()),
            Cell::from(format!("{:.2}", form.bytes_a_task)),
        ]);
    }
    text.push_str(&table.render(tone));
    text.push_str("Each was expanded again and is the same graph, edge by edge.\n");
    text.push_str(&classes(compilation, wide, tone));
    text
}

fn classes(compilation: &Compilation, wide: bool, tone: Tone) -> String {
    let Compilation { classes_of, classes, .. } = compilation;
    let shown = if wide { usize::MAX } else { CLASSES_SHOWN };
    let head = format!("Largest of the {} left by {classes_of}", plural_classes(classes.len()));
    let mut text = format!("\n{}:\n", tone.paint(Paint::Head, &head));
    let mut table = Table::new(&[">MEMBERS", ">TASKS EACH", "WHAT", "NAMES"]);
    for class in classes.iter().take(shown) {
        table.row([
            Cell::from(class.members.to_string()),
            Cell::from(class.tasks_each.to_string()),
            Cell::from(some(class.kinds.iter(), if wide { usize::MAX } else { KINDS_SHOWN })),
            Cell::whole(&members(class, wide)),
        ]);
    }
    text.push_str(&table.render(tone));
    if classes.len() > shown {
        text.push_str(&format!("… {} more\n", classes.len() - shown));
    }
    text
}

fn plural_classes(count: usize) -> String {
    if count == 1 { "1 class".to_owned() } else { format!("{count} classes") }
}

/// The names of the members; of one with several tasks, its tasks in brackets.
fn members(class: &Class, wide: bool) -> String {
    let shown = if wide { usize::MAX } else { NAMES_SHOWN };
    let member = |tasks: &Vec<String>| match tasks.as_slice() {
        [one] => printable(one),
        several => format!("({})", some(several.iter(), shown)),
    };
    // Of large members one is enough to see what they are like.
    let few = if class.tasks_each > 1 && !wide { 2 } else { shown };
    some(class.names.iter().map(member), few)
}

/// The first of some texts, and how many more there are.
fn some<T: AsRef<str>>(texts: impl ExactSizeIterator<Item = T>, shown: usize) -> String {
    let more = texts.len().saturating_sub(shown);
    let mut list: Vec<String> = texts.take(shown).map(|text| printable(text.as_ref())).collect();
    if more > 0 {
        list.push(format!("… {more} more"));
    }
    list.join(", ")
}
