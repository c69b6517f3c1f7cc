//! A state folder that is held by this process, with the real server and the real worker, so that a
//! test can look at the engine itself; and the real binary as its client.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use model::Offers;
use model::bounds::Enforcement;
use model::message::LeaseId;
use model::outcome::LogRef;
use model::queue::QueueTree;
use model::work::{Delivery, Dispatch, Pool};
use server::{Config, Handle, Holder, Keep, Mode, Policy, View};
use worker::{Node, NodeConfig, Station, supervisor};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that is held, and a folder for workflows.
pub(crate) struct House {
    // The worker ends before the server, which then records what it still hears.
    node: Option<Node>,
    server: Option<Holder>,
    folder: tempfile::TempDir,
}

/// A command that has ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

struct ToServer(server::Mailbox);

impl worker::Outbox for ToServer {
    fn deliver(&self, delivery: Delivery) {
        self.0.deliver(delivery);
    }

    fn logs_grew(&self, logs: Vec<(LeaseId, LogRef)>) {
        self.0.logs_grew(logs);
    }

    fn enforces(&self, enforcement: Enforcement) {
        self.0.enforces("local", enforcement);
    }

    fn pools(&self, pools: Vec<Pool>) {
        self.0.pools(pools);
    }
}

struct ToWorker(worker::Orders);

impl server::Link for ToWorker {
    fn send(&mut self, dispatch: Dispatch) {
        self.0.send(dispatch);
    }
}

impl House {
    /// Holds a new folder, with a worker of four CPUs.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        let config = Config {
            home: state.clone(),
            version: "test",
            mode: Mode::Lead,
            keep: Keep::default(),
            policy: Policy::default(),
            queues: QueueTree::default(),
        };
        let server = Holder::start(&config).expect("nobody else holds it");
        let program = PathBuf::from(env!("CARGO_BIN_EXE_autoglm"));
        let offers = Offers { cpu_milli: 4_000, memory_bytes: 1 << 30, ..Offers::default() };
        let node = NodeConfig {
            stations: vec![Station { name: "local".into(), offers }],
            instance: 1,
            binds_devices: false,
            lease: None,
            home: state.clone(),
            supervisor: supervisor::Config { program, ..supervisor::Config::new(state) },
        };
        let node = Node::launch(node, |mut ways| {
            let orders = ways.pop().expect("there is one node");
            server.connect("local", Box::new(ToWorker(orders)));
            Box::new(ToServer(server.mailbox()))
        });
        let node = node.expect("the worker starts");
        Self { node: Some(node), server: Some(server), folder }
    }

    /// Ends worker and server; the folder stays.
    pub(crate) fn close(&mut self) {
        drop(self.node.take());
        let server = self.server.take().expect("it was open");
        server.stop().expect("nothing has gone wrong");
    }

    /// The state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Where workflows lie.
    pub(crate) fn desk(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file beside the workflows.
    pub(crate) fn put(&self, name: &str, text: &str) {
        fs::write(self.desk().join(name), text).expect("written");
    }

    fn handle(&self) -> &Handle {
        self.server.as_ref().expect("it is open").handle()
    }

    /// Looks at the live state.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(self.handle().ask(question)).expect("the driver lives")
    }

    /// The binary as a client of this holder.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoglm"));
        command.args(words).current_dir(self.desk()).stdin(Stdio::null());
        command.env("AUTOGLM_HOME", self.state()).env("HOME", self.desk());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn say(&self, words: &[&str]) -> Said {
        let output = self.command(words).output().expect("it starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Said { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a command until it succeeds.
    pub(crate) fn insist(&self, words: &[&str]) {
        let end = Instant::now() + PATIENCE;
        loop {
            let said = self.say(words);
            if said.code == 0 {
                return;
            }
            assert!(Instant::now() < end, "{words:?}: {}", said.stderr);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop(self.node.take());
    }
}
