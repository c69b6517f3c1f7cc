//! The one machine of a rehearsal: it starts what fits in the order of its grants, at once, and
//! does what it is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::collections::HashSet;
use model::limits::HEARTBEAT;
use model::message::{FromWorker, Grant, LeaseId, News};
use model::{Device, DeviceSet, Graph, Offers, Request, Timestamp};
use serde_json::{Map, Value};
use spec::cases::{self, End};

/// What is plenty of anything.
const PLENTY: u64 = 1 << 50;

/// An attempt that goes on.
pub(super) struct Running {
    pub grant: Grant,
    pub since: Timestamp,
    /// How it ends if nobody ends it.
    pub end: End,
    pub outputs: Map<String, Value>,
}

/// What was found under a lease.
pub(super) enum Held {
    Waiting,
    Running(Box<Running>),
}

pub(super) struct Machine {
    offers: Offers,
    free: Offers,
    waiting: VecDeque<Grant>,
    running: BTreeMap<LeaseId, Box<Running>>,
    /// The number of the last message.
    number: u64,
    /// The number of the last report.
    reports: u64,
    beat: Option<(u64, Timestamp)>,
}

impl Machine {
    /// A machine of the size that is asked for; of what is not asked for it has plenty.
    pub(super) fn new(size: &cases::Machine, graph: &Graph) -> Self {
        let asked = graph.policies().iter().flat_map(|policy| &policy.request.custom);
        let mut custom: BTreeMap<Box<str>, u64> =
            asked.map(|(name, _)| (name.clone(), PLENTY)).collect();
        custom.extend(size.custom.iter().map(|(name, &amount)| (name.as_str().into(), amount)));
        let devices = devices(&mut custom, graph);
        custom.retain(|_, amount| *amount > 0);
        let offers = Offers {
            cpu_milli: size.cpu_milli.unwrap_or(PLENTY),
            memory_bytes: size.memory_bytes.unwrap_or(PLENTY),
            devices,
            custom: custom.into_iter().collect(),
            ..Offers::default()
        };
        Self {
            free: offers.clone(),
            offers,
            waiting: VecDeque::new(),
            running: BTreeMap::new(),
            number: 0,
            reports: 0,
            beat: None,
        }
    }

    /// Its first message.
    pub(super) fn hello(&mut self) -> FromWorker {
        let offers = self.offers.clone();
        self.say(News::Hello { offers, lease: None, reports_from: 1 })
    }

    /// A sign of life, if one is due.
    pub(super) fn beat(&mut self, now: Timestamp) -> Option<FromWorker> {
        let (beat, last) = self.beat.unwrap_or_default();
        if now.since(last) < HEARTBEAT {
            return None;
        }
        self.beat = Some((beat + 1, now));
        let waiting = self.waiting.iter().map(Grant::lease);
        let held = waiting.chain(self.running.keys().copied()).collect();
        Some(self.say(News::Beat { beat: beat + 1, held }))
    }

    /// What happened to an attempt.
    pub(super) fn report(&mut self, report: model::message::Report) -> FromWorker {
        self.reports += 1;
        let first = self.reports;
        self.say(News::Reports { first, reports: vec![report] })
    }

    fn say(&mut self, news: News) -> FromWorker {
        self.number += 1;
        let name = super::MACHINE.into();
        FromWorker { name, instance: 1, session: 1, number: self.number, news }
    }

    /// Takes grants, behind those that wait for room.
    pub(super) fn take(&mut self, grants: Vec<Grant>) {
        let known: HashSet<LeaseId> = self.waiting.iter().map(Grant::lease).collect();
        let is_new = |grant: &Grant| {
            !known.contains(&grant.lease()) && !self.running.contains_key(&grant.lease())
        };
        self.waiting.extend(grants.into_iter().filter(is_new));
    }

    /// The next grant, if there is room for it.
    pub(super) fn next(&mut self) -> Option<Grant> {
        let fits = fits(&self.waiting.front()?.request, &self.free);
        let grant = self.waiting.pop_front_if(|_| fits)?;
        take(&mut self.free, &grant.request, u64::saturating_sub);
        Some(grant)
    }

    /// An attempt goes on.
    pub(super) fn run(&mut self, running: Running) {
        self.running.insert(running.grant.lease(), Box::new(running));
    }

    /// Lets go of a lease, whatever has become of it.
    pub(super) fn let_go(&mut self, lease: LeaseId) -> Option<Held> {
        if let Some(running) = self.running.remove(&lease) {
            take(&mut self.free, &running.grant.request, u64::saturating_add);
            return Some(Held::Running(running));
        }
        let at = self.waiting.iter().position(|grant| grant.lease() == lease)?;
        self.waiting.remove(at).map(|_| Held::Waiting)
    }

    /// The attempt that goes on under a lease.
    pub(super) fn attempt(&self, lease: LeaseId) -> Option<&Running> {
        self.running.get(&lease).map(|running| &**running)
    }

    /// What goes on.
    pub(super) fn running(&self) -> impl Iterator<Item = &Running> {
        self.running.values().map(|running| &**running)
    }
}

/// As many devices as the machine is said to have, of all kinds that are asked for; plenty if
/// nothing is said. Which of them an attempt has is the engine's to know.
fn devices(custom: &mut BTreeMap<Box<str>, u64>, graph: &Graph) -> Box<[Device]> {
    let asked = graph.policies().iter().flat_map(|policy| policy.variants());
    let asked: Vec<_> = asked.map(|(request, _)| &request.devices).collect();
    let said = custom.remove("gpu");
    let most = u64::from(DeviceSet::DEVICES_MAX);
    let count = match asked.iter().all(|devices| devices.count == 0) {
        true => 0,
        false => said.unwrap_or(most).min(most),
    };
    let kinds: BTreeSet<&str> =
        asked.iter().flat_map(|devices| &devices.kinds).map(|kind| &**kind).collect();
    let kinds: Vec<&str> = if kinds.is_empty() { vec!["gpu"] } else { kinds.into_iter().collect() };
    let device =
        |(number, kind): (u64, &&str)| Device::described(format!("GPU-{number}"), *kind, PLENTY);
    (0..count).zip(kinds.iter().cycle()).map(device).collect()
}

fn fits(request: &Request, free: &Offers) -> bool {
    let amount = |wanted: &str| free.custom.iter().find(|(name, _)| **name == *wanted);
    request.cpu_milli <= free.cpu_milli
        && request.memory_bytes <= free.memory_bytes
        && request
            .custom
            .iter()
            .all(|(name, asked)| amount(name).is_some_and(|(_, free)| asked <= free))
}

fn take(free: &mut Offers, request: &Request, change: impl Fn(u64, u64) -> u64) {
    free.cpu_milli = change(free.cpu_milli, request.cpu_milli);
    free.memory_bytes = change(free.memory_bytes, request.memory_bytes);
    for (name, free) in &mut free.custom {
        if let Some((_, asked)) = request.custom.iter().find(|(asked, _)| asked == name) {
            *free = change(*free, *asked);
        }
    }
}
