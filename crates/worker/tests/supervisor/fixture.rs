//! A supervisor under test, and what it is asked for.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use artifacts::logs::Ticket;
use model::outcome::Usage;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use worker::supervisor::{
    Config, Event, EventReader, Exit, Limits, Start, Step, Stream, Supervisor,
};

pub const PATIENCE: Duration = Duration::from_secs(30);
pub const CAP: u64 = 1 << 20;

/// A supervisor and what it said.
pub struct Fixture {
    pub supervisor: Supervisor,
    pub events: Receiver<Event>,
    pub seen: Vec<Event>,
}

impl Fixture {
    pub fn new(state: &Path) -> Self {
        let (supervisor, reader) = Supervisor::launch(&Config::new(state.into())).unwrap();
        Self { supervisor, events: listen(reader), seen: Vec::new() }
    }

    pub fn start(&mut self, start: Start) {
        self.supervisor.start(start);
        self.supervisor.flush().unwrap();
    }

    /// Waits for the first event that answers, those already seen included.
    pub fn wait<T>(&mut self, mut answer: impl FnMut(&Event) -> Option<T>) -> T {
        if let Some(answer) = self.seen.iter().find_map(&mut answer) {
            return answer;
        }
        loop {
            let event = self.events.recv_timeout(PATIENCE).expect("the event never came");
            self.seen.push(event);
            if let Some(answer) = self.seen.last().and_then(&mut answer) {
                return answer;
            }
        }
    }

    pub fn ended(&mut self, ticket: u64) -> Ended {
        self.wait(|event| match event.clone() {
            Event::Exited { ticket: of, how, oom, forks_refused, usage, .. } if of.0 == ticket => {
                let Event::Exited { stopped_by, has_output_file, .. } = *event else {
                    unreachable!("it was one")
                };
                Some(Ended { how, oom, forks_refused, usage, stopped_by, has_output_file })
            }
            _ => None,
        })
    }

    /// What a process has written to a stream so far.
    pub fn output(&self, ticket: u64, stream: Stream) -> Vec<u8> {
        let mut all = Vec::new();
        for event in &self.seen {
            match event {
                Event::Output { ticket: of, stream: to, bytes, .. }
                    if of.0 == ticket && *to == stream =>
                {
                    all.extend(bytes);
                }
                _ => {}
            }
        }
        all
    }

    pub fn stdout(&self, ticket: u64) -> String {
        String::from_utf8(self.output(ticket, Stream::Out)).unwrap()
    }

    /// Waits until a process has written `count` lines.
    pub fn lines(&mut self, ticket: u64, count: usize) -> Vec<String> {
        while self.stdout(ticket).lines().count() < count {
            let event = self.events.recv_timeout(PATIENCE).expect("the lines never came");
            self.seen.push(event);
        }
        self.stdout(ticket).lines().map(str::to_owned).collect()
    }

    pub fn dropped(&mut self, ticket: u64) -> (u64, u64) {
        self.wait(|event| match event {
            Event::Dropped { ticket: of, over_cap_bytes, stalled_bytes } if of.0 == ticket => {
                Some((*over_cap_bytes, *stalled_bytes))
            }
            _ => None,
        })
    }

    pub fn children(&self) -> usize {
        let pid = self.supervisor.pid();
        let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        list.split_whitespace().count()
    }
}

#[derive(Debug)]
pub struct Ended {
    pub how: Exit,
    pub oom: bool,
    pub forks_refused: u64,
    pub usage: Usage,
    pub stopped_by: Option<Step>,
    pub has_output_file: bool,
}

pub fn listen(mut reader: EventReader) -> Receiver<Event> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut batch = Vec::new();
        while reader.read(&mut batch).unwrap() {
            for event in batch.drain(..) {
                if sender.send(event).is_err() {
                    return;
                }
            }
        }
    });
    receiver
}

pub fn script(ticket: u64, script: &str) -> Start {
    Start {
        ticket: Ticket(ticket),
        argv: ["sh", "-eu", "-c", script].map(Into::into).to_vec(),
        env: vec![],
        cwd: "/".into(),
        withheld: vec![],
        work_dir: None,
        output_file: "/nowhere".into(),
        output_cap_bytes: CAP,
        limits: Limits::default(),
    }
}

pub fn state() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub fn another_state() -> TempDir {
    state()
}

pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never happened: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Gone or a zombie that its parent has yet to reap.
pub fn is_gone(pid: &str) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit(") ").next().unwrap().starts_with(['Z', 'X'])
}

pub fn all_gone(pids: &[String]) {
    for pid in pids {
        until(&format!("the end of {pid}"), || is_gone(pid));
    }
}

pub fn signal(pid: u32, signal: Signal) {
    rustix::process::kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}
