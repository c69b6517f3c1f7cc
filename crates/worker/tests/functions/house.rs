//! A worker with a stand-in for its coordinator, for functions in real Python.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use artifacts::logs::{self, Content};
use model::bounds::Enforcement;
use model::message::{AttemptEvent, FromWorker, Grant, LeaseId, News, Order, StopKind, ToWorker};
use model::outcome::{AttemptEnd, LogRef, Outcome};
use model::work::{Assignment, Call, Delivery, Dispatch, Does, Pool, Work};
use model::{
    Attempt, AttemptId, Device, DeviceRequest, DeviceSet, Epoch, ItemId, ItemKey, Offers, Request,
    Round, RunId, Span, TaskId, Token, VariantId, Vendor, WorkerId,
};
use tempfile::TempDir;
use worker::supervisor::Config;
use worker::{Node, NodeConfig, Orders, Outbox, Station};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long a call has between being asked to end and being killed.
const GRACE: Span = Span::millis(500);

/// A worker, and what it said.
pub struct House {
    node: Option<Node>,
    orders: Orders,
    said: Receiver<Delivery>,
    session: u64,
    number: u64,
    next: u32,
    /// How long a call may be silent.
    pub heartbeat: Option<Span>,
    /// How the processes fare, as it was told last.
    pub pools: Arc<Mutex<Vec<Pool>>>,
    pub ended: HashMap<u32, Ended>,
    pub started: Vec<u32>,
    pub home: TempDir,
    pub folder: PathBuf,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub outcome: Outcome,
    pub end: AttemptEnd,
    pub outputs: Option<String>,
    pub log: String,
}

struct Post(Sender<Delivery>, Arc<Mutex<Vec<Pool>>>);

impl Outbox for Post {
    fn enforces(&self, _: Enforcement) {}

    fn deliver(&self, delivery: Delivery) {
        let _ = self.0.send(delivery);
    }

    fn logs_grew(&self, _: Vec<(LeaseId, LogRef)>) {}

    fn pools(&self, pools: Vec<Pool>) {
        *self.1.lock().expect("nobody panics with it") = pools;
    }
}

impl House {
    /// A worker with so many cores, and a folder with these functions.
    pub fn new(cores: u64, functions: &str) -> Self {
        Self::with_devices(0, cores, functions)
    }

    /// The same with so many devices, `gpu-0` the first.
    pub fn with_devices(devices: u16, cores: u64, functions: &str) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("flow");
        std::fs::create_dir(&folder).expect("it is new");
        std::fs::write(folder.join("functions.py"), functions).expect("it can be written");
        let state = home.path().join("state");
        let offers = Offers {
            cpu_milli: cores * 1_000,
            memory_bytes: 1 << 40,
            devices: (0..devices).map(device).collect(),
            ..Offers::default()
        };
        let config = NodeConfig {
            stations: vec![Station { name: "here".into(), offers }],
            instance: 1,
            binds_devices: devices > 0,
            lease: None,
            home: state.clone(),
            supervisor: Config::new(state),
        };
        let (post, said) = channel();
        let pools = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&pools);
        let mut orders = None;
        let node = Node::launch(config, |mut ways| {
            orders = ways.pop();
            Box::new(Post(post, Arc::clone(&told)))
        });
        let mut house = Self {
            node: Some(node.expect("a worker")),
            orders: orders.expect("it was given"),
            said,
            session: 0,
            number: 0,
            next: 0,
            heartbeat: None,
            pools,
            ended: HashMap::new(),
            started: Vec::new(),
            home,
            folder,
        };
        house.wait(|house| house.session > 0);
        let welcome = Order::Welcome { worker: WorkerId(1), lease: None };
        house.order(welcome, Vec::new());
        house
    }

    fn order(&mut self, order: Order, work: Vec<Work>) {
        self.number += 1;
        let (session, number) = (self.session, self.number);
        let message = ToWorker { epoch: Epoch(1), session, number, order };
        self.orders.send(Dispatch { message, work });
    }

    /// Calls functions, one for each; the numbers of the attempts.
    pub fn call(&mut self, calls: Vec<Call>) -> Vec<u32> {
        self.call_in(1, 1_000, calls)
    }

    /// The same in a run, each asking for so much of a core.
    pub fn call_in(&mut self, run: u64, cpu_milli: u64, calls: Vec<Call>) -> Vec<u32> {
        let request = Request { cpu_milli, ..Request::default() };
        self.grant(run, (request, DeviceSet::EMPTY), calls)
    }

    /// Calls one function with some devices, and waits for its end.
    pub fn one_on(&mut self, devices: &[u8], call: Call) -> Ended {
        let devices: DeviceSet = devices.iter().copied().collect();
        let count = u16::try_from(devices.len()).expect("few");
        let asked = DeviceRequest::whole(count);
        let request = Request { cpu_milli: 1_000, devices: asked, ..Request::default() };
        let number = self.grant(1, (request, devices), vec![call])[0];
        self.end(number)
    }

    fn grant(
        &mut self,
        run: u64,
        (request, devices): (Request, DeviceSet),
        calls: Vec<Call>,
    ) -> Vec<u32> {
        let first = self.next;
        let count = u32::try_from(calls.len()).expect("few");
        self.next += count;
        let numbers = first..first + count;
        let grants = numbers.clone().map(|number| Grant {
            attempt: AttemptId { key: key(run, number), round: Round(1), attempt: Attempt(1) },
            token: Token(u64::from(number) + 1),
            request: request.clone(),
            devices,
            grace: GRACE,
            variant: VariantId(0),
        });
        let work = numbers.clone().zip(calls).map(|(number, call)| {
            Work::Assignment(Box::new(Assignment {
                does: Does::Call(Box::new(call)),
                env: vec![
                    ("AUTOGLM_RUN_ID".to_owned(), run.to_string()),
                    ("AUTOGLM_ITEM".to_owned(), number.to_string()),
                ],
                working_dir: self.folder.to_string_lossy().into_owned(),
                heartbeat: self.heartbeat,
                ..Assignment::default()
            }))
        });
        let work = work.collect();
        self.order(Order::Assign(grants.collect()), work);
        numbers.collect()
    }

    pub fn stop(&mut self, number: u32, how: StopKind) {
        let leases = vec![LeaseId { item: key(1, number), token: Token(u64::from(number) + 1) }];
        self.order(Order::Stop { leases, how }, Vec::new());
    }

    /// Calls one function, and waits for its end.
    pub fn one(&mut self, call: Call) -> Ended {
        let number = self.call(vec![call])[0];
        self.end(number)
    }

    pub fn end(&mut self, number: u32) -> Ended {
        self.wait(|house| house.ended.contains_key(&number));
        self.ended[&number].clone()
    }

    pub fn wait(&mut self, is_so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(self) {
            let left = until.saturating_duration_since(Instant::now());
            let delivery = self.said.recv_timeout(left).expect("it never came");
            self.take(delivery);
        }
    }

    fn take(&mut self, delivery: Delivery) {
        let Delivery { message: FromWorker { session, news, .. }, outputs, .. } = delivery;
        match news {
            News::Hello { .. } => self.session = session,
            News::Beat { beat, .. } => self.order(Order::Renew { beat }, Vec::new()),
            News::Reports { first, reports } => {
                let last = first + reports.len() as u64 - 1;
                for report in reports {
                    let number = report.lease.item.item.0;
                    match report.event {
                        AttemptEvent::Started => self.started.push(number),
                        AttemptEvent::Ended { outcome, end, .. } => {
                            let found = outputs.iter().find(|(lease, _)| *lease == report.lease);
                            let outputs =
                                found.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
                            let log = end.log.map(|log| self.text(log, report.lease));
                            let log = log.unwrap_or_default();
                            let ended = Ended { outcome, end, outputs, log };
                            assert!(self.ended.insert(number, ended).is_none(), "{number}");
                        }
                        AttemptEvent::Checkpointed { .. } => {}
                        AttemptEvent::Returned => panic!("nothing was asked back"),
                    }
                }
                self.order(Order::Acknowledge { report: last }, Vec::new());
            }
        }
    }

    fn text(&self, log: LogRef, lease: LeaseId) -> String {
        let dir = self.home.path().join("state/logs");
        let owner = logs::Owner { item: lease.item, token: Some(lease.token) };
        let read = logs::read(&dir, log, owner, 0).expect("the log is there");
        let mut bytes = Vec::new();
        for chunk in read.chunks {
            match chunk.content {
                Content::Output(_, piece) => bytes.extend(piece),
                other => bytes.extend(format!("{other:?}").into_bytes()),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The processes of functions that are there now.
    pub fn processes(&self) -> Vec<u32> {
        let runner = self.home.path().join("state/runners");
        processes_of(&runner)
    }

    /// Ends the worker.
    pub fn close(mut self) -> TempDir {
        self.node.take();
        self.home
    }
}

/// The processes whose command line names this folder.
pub fn processes_of(folder: &Path) -> Vec<u32> {
    let word = folder.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("it is there").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&word) {
            found.push(pid);
        }
    }
    found
}

fn device(number: u16) -> Device {
    Device {
        uuid: format!("gpu-{number}").into(),
        vendor: Vendor::Other,
        kind: "gpu".into(),
        memory_bytes: 0,
        address: None,
        numa_node: None,
        ordinal: Some(number),
        part: None,
    }
}

fn key(run: u64, number: u32) -> ItemKey {
    ItemKey { run: RunId(run), task: TaskId(0), item: ItemId(number) }
}

/// A call of a function with these arguments.
pub fn call(handler: &str, arguments: &str) -> Call {
    Call {
        handler: handler.to_owned(),
        arguments: arguments.as_bytes().to_vec(),
        ..Call::default()
    }
}
