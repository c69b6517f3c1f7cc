//! The workflow that is killed: a chain, a wide fan-out, layers, a fan-in, and a second fan-out
//! behind it. 2,000 items in all.

use std::fmt::Write;

/// Tasks one after the other.
const CHAIN: usize = 100;
/// Items of the wide fan-out.
const WIDE: u64 = 1_000;
/// Layers, each task of which depends on three of the layer before.
const LAYERS: usize = 16;
const LAYER_WIDTH: usize = 50;
/// Items of the fan-out behind the fan-in.
const AFTER: u64 = 99;

/// A task of the workflow.
pub(crate) struct Task {
    pub name: String,
    pub items: u64,
    pub depends_on: Vec<usize>,
}

/// All tasks: each depends on earlier ones only.
pub(crate) fn tasks() -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut add = |name: String, items, depends_on| {
        tasks.push(Task { name, items, depends_on });
        tasks.len() - 1
    };
    let mut chain = add("chain-0".to_owned(), 1, vec![]);
    let first = chain;
    for link in 1..CHAIN {
        chain = add(format!("chain-{link}"), 1, vec![chain]);
    }
    let wide = add("wide".to_owned(), WIDE, vec![first]);
    let mut above: Vec<usize> = Vec::new();
    for layer in 0..LAYERS {
        let one = |place: usize| {
            let three = |offset: usize| above.get((place + offset) % LAYER_WIDTH).copied();
            let depends_on = [0, 1, 7].into_iter().filter_map(three).collect();
            (format!("layer-{layer}-{place}"), depends_on)
        };
        let layer: Vec<_> = (0..LAYER_WIDTH).map(one).collect();
        above = layer.into_iter().map(|(name, depends_on)| add(name, 1, depends_on)).collect();
    }
    let join = add("join".to_owned(), 1, [vec![chain, wide], above].concat());
    add("after".to_owned(), AFTER, vec![join]);
    tasks
}

/// The file. `step.sh` is what each task does.
pub(crate) fn workflow(tasks: &[Task]) -> String {
    let mut text = "version: 1\nname: kill\ntasks:\n".to_owned();
    for task in tasks {
        let names: Vec<_> = task.depends_on.iter().map(|&at| tasks[at].name.as_str()).collect();
        let mut line = format!("  - {{name: {}, depends_on: [{}]", task.name, names.join(", "));
        if task.items > 1 {
            let _ = write!(line, ", foreach: {{range: {}}}", task.items);
        }
        let _ = writeln!(text, "{line}, retry: {{loss_limit: 255}}, script: . ./step.sh}}");
    }
    text
}

/// What a task does: says that it begins, takes a moment, says that it ends. Some start processes
/// that would outlive it by far, one of them in a session of its own.
pub(crate) const STEP: &str = r#"
say() {
    printf '%s\n' "$AUTOGLM_TASK $AUTOGLM_ITEM $AUTOGLM_ATTEMPT $AUTOGLM_TOKEN $1" >> evidence
}
say start
case "$AUTOGLM_TASK $AUTOGLM_ITEM" in
    *-*7\ 0 | wide\ *13)
        sleep 300 > /dev/null 2>&1 &
        (setsid sleep 300 > /dev/null 2>&1 &)
        ;;
esac
sleep 0.006
say end
"#;
