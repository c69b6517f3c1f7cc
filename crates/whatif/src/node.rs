//! A node: it starts what it is granted in the order of the grants, as soon as there is room, and
//! tells when that ends. It is never slow, never lies and never breaks.

use std::collections::VecDeque;

use model::message::{FromWorker, LeaseId, News, Report};
use workload::{NodeKind, Task};

use crate::bound::{has, takes};
use crate::house;

/// A grant that waits for room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) lease: LeaseId,
    /// The task, by its number in the workload.
    pub(crate) task: u32,
    pub(crate) attempt: u16,
}

/// A node as a worker.
#[derive(Debug)]
pub(crate) struct Node {
    name: Box<str>,
    /// Which of its kind it is.
    number_of_kind: u32,
    /// In thousandths of the common speed.
    pub(crate) speed: u64,
    free: [u64; 3],
    waiting: VecDeque<Waiting>,
    /// What runs, by its slot in the play.
    running: Vec<(u32, LeaseId)>,
    /// What it will say.
    said: Vec<Report>,
    number: u64,
    reports: u64,
    beats: u64,
}

impl Node {
    pub(crate) fn new(kind: &NodeKind, number: u32) -> Self {
        Self {
            name: kind.name_of(number).into(),
            number_of_kind: number,
            speed: u64::from(kind.speed_milli.max(1)),
            free: has(kind),
            waiting: VecDeque::new(),
            running: Vec::new(),
            said: Vec::new(),
            number: 0,
            reports: 0,
            beats: 0,
        }
    }

    /// Its first message.
    pub(crate) fn hello(&mut self, kind: &NodeKind) -> FromWorker {
        let offers = house::offers(kind, self.number_of_kind);
        self.say(News::Hello { offers, lease: None, reports_from: 1 })
    }

    /// A sign of life.
    pub(crate) fn beat(&mut self) -> FromWorker {
        self.beats += 1;
        let waiting = self.waiting.iter().map(|waiting| waiting.lease);
        let held = waiting.chain(self.running.iter().map(|&(_, lease)| lease)).collect();
        self.say(News::Beat { beat: self.beats, held })
    }

    /// Notes what it will say.
    pub(crate) fn note(&mut self, report: Report) {
        self.said.push(report);
    }

    /// What it has to say, if it has.
    pub(crate) fn tell(&mut self) -> Option<FromWorker> {
        let reports = std::mem::take(&mut self.said);
        let first = self.reports + 1;
        self.reports += reports.len() as u64;
        (!reports.is_empty()).then(|| self.say(News::Reports { first, reports }))
    }

    fn say(&mut self, news: News) -> FromWorker {
        self.number += 1;
        let name = self.name.clone();
        FromWorker { name, instance: 1, session: 1, number: self.number, news }
    }

    /// Takes a grant, behind those that wait for room. One that it has already is passed over.
    pub(crate) fn take(&mut self, grant: Waiting) {
        self.waiting.push_back(grant);
    }

    /// The next grant, if there is room for it.
    pub(crate) fn next(&mut self, tasks: &[Task]) -> Option<Waiting> {
        let asked = takes(&tasks[self.waiting.front()?.task as usize]);
        let fits = asked.iter().zip(self.free).all(|(&asked, free)| asked <= free);
        let grant = self.waiting.pop_front_if(|_| fits)?;
        self.free.iter_mut().zip(asked).for_each(|(free, asked)| *free -= asked);
        Some(grant)
    }

    /// Something runs in a slot of the play.
    pub(crate) fn run(&mut self, slot: u32, lease: LeaseId) {
        self.running.push((slot, lease));
    }

    /// What ran in a slot has ended.
    pub(crate) fn end(&mut self, slot: u32, task: &Task) {
        if let Some(at) = self.running.iter().position(|&(running, _)| running == slot) {
            self.running.swap_remove(at);
            self.free.iter_mut().zip(takes(task)).for_each(|(free, asked)| *free += asked);
        }
    }

    /// The slot in which something runs under a lease.
    pub(crate) fn slot(&self, lease: LeaseId) -> Option<u32> {
        self.running.iter().find(|(_, running)| *running == lease).map(|&(slot, _)| slot)
    }

    /// Gives up a grant that has not started.
    pub(crate) fn give_up(&mut self, lease: LeaseId) -> bool {
        let at = self.waiting.iter().position(|waiting| waiting.lease == lease);
        at.is_some_and(|at| self.waiting.remove(at).is_some())
    }
}
