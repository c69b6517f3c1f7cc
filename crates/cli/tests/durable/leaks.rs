//! No secret of a whole run is anywhere: not in the state folder, not in what the API answers, not
//! in what commands say, also when processes crash and are killed. That it would be found is shown
//! by a marker that stands wherever a secret stands, and must be found there.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;

use crate::marks::Marks;

mod api;
mod places;
mod scene;
#[path = "../real/network/server.rs"]
#[expect(dead_code, reason = "the tests of the real binary use more of it")]
mod server;

use places::Place;
use scene::{MARK, ODD_MARK, Scene};

/// How the tasks end, in their order.
const ENDS: [(&str, &str); 41] = [
    ("say", "succeeded"),
    ("each", "succeeded"),
    ("cached", "succeeded"),
    ("fails", "failed"),
    ("killed", "failed"),
    ("slow", "timed_out"),
    ("pairs", "failed"),
    ("writes", "failed"),
    ("named", "failed"),
    ("unreadable", "failed"),
    ("kept", "succeeded"),
    ("inherits", "succeeded"),
    ("reads", "succeeded"),
    ("when", "failed"),
    ("decides", "succeeded"),
    ("gate", "succeeded"),
    ("ask", "succeeded"),
    ("basic", "succeeded"),
    ("refused", "failed"),
    ("edge", "failed"),
    ("led", "failed"),
    ("hook", "failed"),
    ("unreached", "failed"),
    ("teach", "succeeded"),
    ("taught", "failed"),
    ("untaught", "failed"),
    ("embeds", "failed"),
    ("returns", "succeeded"),
    ("raises", "failed"),
    ("overflows", "failed"),
    ("misses", "failed"),
    ("unfit", "failed"),
    ("batch", "failed"),
    ("crashes", "failed"),
    ("begins", "failed"),
    ("imports", "failed"),
    ("hang", "succeeded"),
    ("hangs", "succeeded"),
    ("held", "succeeded"),
    ("alert", "succeeded"),
    ("last", "succeeded"),
];
/// Those that are open when the holder is killed.
const OPEN: [&str; 6] = ["gate", "hang", "hangs", "held", "alert", "last"];
/// Those that write nothing with the marker in it.
const SILENT: [&str; 5] = ["kept", "when", "decides", "gate", "unreached"];
/// Those that leave something with the marker in it, or whose failure says it.
const LEAVING: [&str; 15] = [
    "say", "each", "cached", "kept", "decides", "gate", "ask", "basic", "teach", "returns",
    "unfit", "hang", "held", "alert", "last",
];
/// What tools write, and must be masked: all of these are printed.
const FORMS: [&str; 12] = [
    "itself",
    "base64",
    "base64 for addresses",
    "hexadecimal",
    "hexadecimal, in capitals",
    "percent-encoded where needed",
    "percent-encoded in a path",
    "a field of a form",
    "a text of JSON",
    "a text of JSON in ASCII",
    "a text of Python",
    "a text of HTML",
];
/// From this length a line of a secret must not be found alone.
const LINE_BYTES_MIN: usize = 8;
/// Nor must so much of its beginning or its end.
const HALF_BYTES: usize = 14;

/// What is looked for, and where it was looked for.
struct Search {
    marks: Marks,
    /// In which forms the two markers were found, by place.
    found: BTreeMap<String, BTreeSet<(String, &'static str)>>,
}

impl Search {
    fn new(scene: &Scene) -> Self {
        let texts = scene.hidden.iter().map(|one| one.text.as_str());
        // Of a secret with several lines each is one, and half of one is too much.
        let lines = scene.hidden.iter().flat_map(|one| one.text.lines());
        let lines = lines.filter(|line| line.len() >= LINE_BYTES_MIN);
        let begins = lines.clone().filter_map(|line| line.get(..HALF_BYTES));
        let ends = lines.clone().filter_map(|line| line.get(line.len().checked_sub(HALF_BYTES)?..));
        let marks = texts.chain(lines).chain(begins).chain(ends).chain([MARK, ODD_MARK]);
        let marks = Marks::new(marks);
        Self { marks, found: BTreeMap::new() }
    }

    fn through(&mut self, places: impl IntoIterator<Item = Place>) {
        for (place, bytes) in places {
            let found = self.marks.found(&bytes);
            let secret = found.iter().find(|(name, _)| ![MARK, ODD_MARK].contains(name));
            assert_eq!(secret, None, "a secret in {place}");
            let found = found.into_iter().map(|(name, form)| (name.to_owned(), form));
            self.found.entry(place).or_default().extend(found);
        }
    }

    /// The marker was found in a place whose name has this in it.
    fn assert_marked(&self, part: &str) {
        let mut places = self.found.iter().filter(|(place, _)| place.contains(part));
        let is_marked = places.any(|(_, found)| found.iter().any(|(name, _)| name == MARK));
        assert!(is_marked, "the marker should be in {part}");
    }

    /// The odd marker was found in all forms that tools write.
    fn assert_odd(&self, place: &str) {
        for form in FORMS {
            let is_found = self.found[place].contains(&(ODD_MARK.to_owned(), form));
            assert!(is_found, "it should be in {place} as {form}: {:?}", self.found[place]);
        }
    }
}

#[test]
fn no_secret_of_a_run_is_anywhere() {
    let mut scene = Scene::new();
    let mut search = Search::new(&scene);
    scene.serve();
    scene.say(&["run", "flow.yaml", "--detach"]);
    scene.wait("all that end by themselves have ended", |scene| {
        let is_there = |name: &str| scene.folder().join(name).exists();
        scene.open() == OPEN && is_there("hang.txt") && is_there("hangs.txt")
    });
    look(&mut scene, &mut search);

    // What hides secrets is gone at once, and what is left of it must hold none.
    let ended = scene.end(Signal::KILL);
    assert_eq!(ended.signal(), Some(9));
    look_at_rest(&scene, &mut search);
    scene.serve();
    scene.say(&["approve", "1", "gate", "-m", MARK]);
    scene.wait("the run has ended", |scene| {
        let run = api::get(&scene.state(), "runs/1").unwrap_or_default();
        run["run"]["status"] == "failed"
    });
    let task = |task: &serde_json::Value| {
        let word = |key: &str| task[key].as_str().unwrap_or_default().to_owned();
        (word("name"), word("status"))
    };
    let ends: Vec<_> = scene.tasks().iter().map(task).collect();
    assert_eq!(ends, ENDS.map(|(name, end)| (name.to_owned(), end.to_owned())));
    look(&mut scene, &mut search);

    // As it ends by a fault of its own.
    let ended = scene.end(Signal::ABORT);
    assert_eq!(ended.signal(), Some(6));
    look_at_rest(&scene, &mut search);
    search.through(served(&scene));
    search.through(std::mem::take(&mut scene.said));
    assert_marks(&search);
}

/// Looks at the state folder while nobody holds it.
fn look_at_rest(scene: &Scene, search: &mut Search) {
    search.through(places::files(&scene.state()));
    search.through(places::unpacked(&scene.state()));
}

/// Looks at all that is shown of the run.
fn look(scene: &mut Scene, search: &mut Search) {
    let tasks = scene.tasks();
    search.through(api::everything(&scene.state(), &tasks));
    for words in [
        "list -o wide",
        "list -o json",
        "get 1",
        "get 1 -o wide",
        "get 1 -o json",
        "get breakers",
        "get breakers -o json",
        "get budgets",
        "get budgets -o json",
        "get pools",
        "events 1",
        "events 1 -o jsonl",
        "logs 1 --all",
        "logs 1 -o jsonl",
        "artifacts 1",
        "artifacts 1 -o json",
        "retry 1 --preview",
        "edit 1 hang --set timeout=9m --preview",
        "journal export",
        "journal verify",
        "validate flow.yaml",
        "plan flow.yaml",
        "docs flow.yaml",
        "run flow.yaml --dry-run",
        "config",
    ] {
        scene.say(&words.split(' ').collect::<Vec<_>>());
    }
    for task in tasks.iter().filter_map(|task| task["name"].as_str()) {
        scene.say(&["get", "1", task]);
        scene.say(&["get", "1", task, "-o", "json"]);
        scene.say(&["explain", "1", task]);
        scene.say(&["logs", "1", task, "--all"]);
    }
}

/// What the processes that held the state have said.
fn served(scene: &Scene) -> Vec<Place> {
    let mut places = places::files(scene.folder());
    places.retain(|(place, _)| place.contains("/served-"));
    assert_eq!(places.len(), 4, "two processes, two streams each");
    places
}

/// What has been searched could be searched: the marker was there.
fn assert_marks(search: &Search) {
    for place in [
        // The state folder, as it lies there and unpacked.
        "/journal.sqlite",
        "/catalog.sqlite",
        "/logs/00000000.log",
        "/state/artifacts/",
        "the facts",
        "the records of facts",
        "the engine",
        "a snapshot",
        "the graph",
        "the definition",
        "the text of the definition",
        "the archive",
        // The API, and the commands.
        "runs?",
        "runs/1?",
        "runs/1/events",
        "runs/1/progress",
        "runs/1/artifacts",
        "artifacts/",
        "breakers",
        "budgets",
        "list -o wide",
        "list -o json",
        "get 1 -o json",
        "get breakers",
        "get budgets",
        "events 1",
        "logs 1 -o jsonl",
        "artifacts 1",
        "journal export",
        "plan flow.yaml",
        "docs flow.yaml",
        "run flow.yaml --dry-run",
    ] {
        search.assert_marked(place);
    }
    for (task, _) in ENDS.iter().filter(|(task, _)| !SILENT.contains(task)) {
        search.assert_marked(&format!("logs?task={task}&all=true, put together"));
        search.assert_marked(&format!("logs 1 {task} --all"));
    }
    for task in LEAVING {
        search.assert_marked(&format!("tasks/{task}/items"));
        search.assert_marked(&format!("get 1 {task} -o json"));
    }
    search.assert_marked("tasks/unfit/explain");
    for task in ["say", "each", "cached", "fails", "killed", "slow", "hang", "alert", "last"] {
        search.assert_odd(&format!("logs 1 {task} --all"));
    }
}
