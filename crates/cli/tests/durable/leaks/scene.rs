//! A state folder with the real binary, a workflow that gives its secrets away, and a server that
//! does so, too. Secrets are drawn for each test: none stands in a file of the project.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use super::api;
use super::server::{Reserved, Server, header, say};

/// What is no secret, and stands wherever a secret stands.
pub(crate) const MARK: &str = "Mark-CTRL-V8K2W";
/// Another one, of letters that are written in many ways.
pub(crate) const ODD_MARK: &str = "Odd-CTRL-V8K2Wü \"q\" \\b/+=&<x>%'";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Letters that are written in many ways, and those of them that can stand in a header.
const ODD: &str = "ü \"q\" \\b/+=&<x>%'";
const FIT: &str = "\"q\"\\b/+=&<x>%'";
/// The files of the workflow, beside those that have addresses or secrets in them.
const FILES: [(&str, &str); 4] = [
    ("say.py", include_str!("say.py")),
    ("leaks.py", include_str!("leaks.py")),
    ("leaks_at_import.py", include_str!("leaks_at_import.py")),
    ("liar.sh", include_str!("liar.sh")),
];

/// A secret.
pub(crate) struct Hidden {
    /// The variable of the worker that has it, or what its file is called.
    place: &'static str,
    value: String,
    /// What must not be found: all of it, but for what everybody knows.
    pub(crate) text: String,
}

/// The folder, and what runs in it.
pub(crate) struct Scene {
    folder: tempfile::TempDir,
    _server: Server,
    /// Nobody else is to be found where nobody is.
    _nobody: Reserved,
    pub(crate) hidden: Vec<Hidden>,
    serving: Option<Child>,
    served: u32,
    /// What each command has said.
    pub(crate) said: Vec<(String, Vec<u8>)>,
}

impl Scene {
    /// Everything is there, and nothing runs yet.
    pub(crate) fn new() -> Self {
        let is_held = AtomicBool::new(false);
        let server = Server::start(move |number, request, stream| {
            answer((number, &is_held), request, stream);
        });
        let nobody = Reserved::new();
        let folder = tempfile::tempdir().expect("a folder");
        let hidden = hidden(&server.url(""), &nobody.url(""));
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text);
        for (name, text) in FILES {
            put(name, text).expect("written");
        }
        let liar = folder.path().join("liar.sh");
        fs::set_permissions(liar, fs::Permissions::from_mode(0o700)).expect("it is there");
        let flow = include_str!("flow.yaml").replace("SERVER", &server.url(""));
        let flow = flow.replace("NOBODY", &nobody.url(""));
        // What JSON takes for a text YAML does, too.
        let odd = Value::from(ODD_MARK).to_string();
        put("flow.yaml", &flow.replace("ODDITY}", &format!("{odd}}}"))).expect("written");
        for one in hidden.iter().filter(|one| !one.place.starts_with("S_")) {
            put(one.place, &one.value).expect("written");
        }
        let (serving, served, said) = (None, 0, Vec::new());
        Self { folder, _server: server, _nobody: nobody, hidden, serving, served, said }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder().join("state")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoglm"));
        command.args(words).current_dir(self.folder()).stdin(Stdio::null()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("AUTOGLM_HOME", self.state()).env("HOME", self.folder());
        command.env("AUTOGLM_CPU", "4").env("CREDENTIALS_DIRECTORY", self.folder());
        command
    }

    /// Begins to hold the state: this process has the secrets. What it says goes into a file.
    pub(crate) fn serve(&mut self) {
        let file = |what: &str| {
            let path = self.folder().join(format!("served-{}.{what}", self.served));
            File::create(path).expect("made")
        };
        let mut command = self.command(&["serve"]);
        command.stdout(file("out")).stderr(file("err"));
        for one in self.hidden.iter().filter(|one| one.place.starts_with("S_")) {
            command.env(one.place, &one.value);
        }
        self.serving = Some(command.spawn().expect("it starts"));
        self.served += 1;
        self.wait("it serves", |scene| api::get(&scene.state(), "health").is_some());
    }

    /// Ends what holds the state, and waits until nothing of it is left.
    pub(crate) fn end(&mut self, signal: Signal) -> ExitStatus {
        let mut serving = self.serving.take().expect("it serves");
        let pid = i32::try_from(serving.id()).ok().and_then(Pid::from_raw).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("it runs");
        let ended = serving.wait().expect("it is a child");
        let path = self.state().join("supervisor.lock");
        self.wait("its supervisor has ended", |_| {
            let lock = FlockOperation::NonBlockingLockShared;
            File::open(&path).is_ok_and(|file| rustix::fs::flock(&file, lock).is_ok())
        });
        ended
    }

    /// Runs a command to its end, and keeps what it says.
    pub(crate) fn say(&mut self, words: &[&str]) {
        let output = self.command(words).output().expect("it starts");
        self.said.push((words.join(" "), [output.stdout, output.stderr].concat()));
    }

    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < end, "not in time: {what}; open are {:?}", self.open());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The names of the tasks that have not ended.
    pub(crate) fn open(&self) -> Vec<String> {
        let tasks = self.tasks();
        let open = tasks.iter().filter(|task| task["ended"].is_null());
        open.filter_map(|task| task["name"].as_str().map(str::to_owned)).collect()
    }

    /// The tasks of the run, as the API has them.
    pub(crate) fn tasks(&self) -> Vec<Value> {
        let run = api::get(&self.state(), "runs/1?limit=1000").expect("it is there");
        run["tasks"].as_array().expect("a list").clone()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            // Only a test that failed leaves it running.
            let _ = serving.kill();
            let _ = serving.wait();
        }
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("left for you: {}", self.folder().display());
        }
    }
}

/// A word that is nowhere else.
fn word(of: &str, letters: &str) -> String {
    format!("{of}{:016x}{letters}{}", RandomState::new().hash_one(of), of.to_lowercase())
}

fn hidden(server: &str, nobody: &str) -> Vec<Hidden> {
    let whole = |place, text: String| Hidden { place, value: text.clone(), text };
    // An address is a secret for what nobody could guess of it.
    let address = |place, (before, text, after): (String, String, &str)| {
        let value = format!("{before}{text}{after}");
        Hidden { place, value, text }
    };
    let digits = RandomState::new().hash_one("pin") % 1_000_000_000;
    vec![
        whole("S_SCRIPT", word("Script", ODD)),
        whole("secret.txt", word("File", "\nof several lines\n")),
        whole("credential", word("Credential", "-_.~")),
        whole("S_PIN", format!("8{digits:09}")),
        whole("S_HEADER", word("Header", FIT)),
        whole("S_BEARER", word("Bearer", FIT)),
        whole("S_USER", word("User", "+/ü ")),
        whole("S_PASSWORD", word("Password", ODD)),
        whole("S_QUERY", word("Query", ODD)),
        whole("S_FIELD", word("Field", ODD)),
        whole("S_BODY", word("Body", ODD)),
        address("S_URL", (format!("{server}/fail/{MARK}/"), word("Hook", "-_.~"), "?key=1")),
        address("S_GONE", (format!("{nobody}/{MARK}/"), word("Gone", "-_.~"), "")),
        whole("S_KEY", word("Key", FIT)),
        whole("S_FUNCTION", word("Function", ODD)),
    ]
}

/// As pages of HTML show a text.
fn page(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<pre>{}</pre>", text.replace('"', "&quot;").replace('\'', "&#39;"))
}

/// Answers with all that it was sent, in one way or another.
fn answer((number, is_held): (usize, &AtomicBool), request: &str, stream: TcpStream) {
    let path = request.split(' ').nth(1).unwrap_or_default();
    let json_type = "content-type: application/json\r\n";
    match path.split('/').nth(1).unwrap_or_default() {
        "echo" => {
            let lines: Vec<&str> = request.lines().collect();
            say(stream, "200 OK", json_type, &json!({"said": request, "lines": lines}).to_string());
        }
        "page" => say(stream, "500 Oh", "content-type: text/html\r\n", &page(request)),
        "edge" => {
            // Behind so much an answer that is shown breaks off, within the key.
            let key = header(request, "authorization");
            say(stream, "500 Oh", "", &format!("{MARK}{}{key}", ".".repeat(1_960)));
        }
        "lead" => say(stream, "302 Found", &format!("location: /fail{path}\r\n"), request),
        "model" => teach(header(request, "authorization"), stream),
        "hold" if !is_held.swap(true, Ordering::Relaxed) => hold(stream),
        "hold" => say(stream, "200 OK", "", request),
        "fail" if number.is_multiple_of(2) => say(stream, "500 Oh", "", request),
        "fail" => say(stream, "500 Oh", "", &page(request)),
        _ => {
            let error = json!({"error": {"message": request}}).to_string();
            say(stream, "401 Unauthorized", json_type, &error);
        }
    }
}

/// Says nothing for as long as the other side waits.
fn hold(mut stream: TcpStream) {
    // It ends with the connection.
    let _ = stream.set_read_timeout(None);
    let _ = stream.read(&mut [0]);
}

/// As a model says something, piece by piece: the key that it was asked with.
fn teach(key: &str, mut stream: TcpStream) {
    let (before, behind) = key.split_at(key.len() / 2);
    let piece = |text: &str| {
        let event = json!({"choices": [{"delta": {"content": text}}]});
        format!("data: {event}\n\n")
    };
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n";
    let said = [MARK, " ", before, behind].map(piece).concat();
    // Whoever has given up does not hear it.
    let _ = stream.write_all(format!("{head}{said}data: [DONE]\n\n").as_bytes());
}
