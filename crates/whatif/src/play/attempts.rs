//! Attempts: granted, started, ended, and what follows for the tasks behind.

use model::message::{AttemptEvent, Grant, LeaseId, StopKind};
use model::outcome::{AttemptEnd, Failure, Outcome, Usage};

use super::{Attempt, End, Event, Play, Running};
use crate::node::Waiting;
use crate::paths::number;

impl Play<'_> {
    pub(super) fn grant(&mut self, node: u32, grant: &Grant) {
        let key = grant.attempt.key;
        let job = self.job_of_run[key.run.0 as usize - 1];
        let task = self.setup.work.workload.jobs[job as usize].tasks.start + key.task.0;
        let attempt = grant.attempt.attempt.0;
        self.nodes[node as usize].take(Waiting { lease: grant.lease(), task, attempt });
    }

    /// Starts what has room.
    pub(super) fn start(&mut self, node: u32) {
        let tasks = self.setup.work.workload.tasks();
        while let Some(grant) = self.nodes[node as usize].next(tasks) {
            let it = &mut self.nodes[node as usize];
            let Waiting { lease, task, attempt } = grant;
            let draw =
                u64::from(task) << 32 ^ u64::from(lease.item.item.0) << 16 ^ u64::from(attempt);
            let fails = self.chance.part(draw) < self.setup.failures;
            let mut takes_us = (tasks[task as usize].duration_us * 1_000 / it.speed).max(1);
            if fails {
                takes_us = ((takes_us as f64 * self.chance.part(!draw)) as u64).max(1);
            }
            let attempt = number(self.played.attempts.len());
            let running = Running { lease, attempt, node, fails, is_over: false };
            let slot = match self.free_slots.pop() {
                Some(slot) => {
                    self.slots[slot as usize] = running;
                    slot
                }
                None => {
                    self.slots.push(running);
                    number(self.slots.len() - 1)
                }
            };
            it.run(slot, lease);
            self.played.attempts.push(Attempt {
                task,
                node,
                began_us: self.now,
                ended_us: self.now,
                end: End::Failed,
            });
            self.schedule(self.now.saturating_add(takes_us), Event::Ends { slot });
            self.report(node, lease, AttemptEvent::Started);
        }
    }

    /// What runs in a slot comes to its end.
    pub(super) fn end(&mut self, slot: u32) {
        let running = self.slots[slot as usize];
        self.free_slots.push(slot);
        if running.is_over {
            return;
        }
        let outcome = match running.fails {
            true => Outcome::Failed(Failure::Exit(1)),
            false => Outcome::Succeeded,
        };
        self.finish(slot, outcome);
        self.start(running.node);
    }

    fn finish(&mut self, slot: u32, outcome: Outcome) {
        let Running { lease, attempt, node, .. } = self.slots[slot as usize];
        let attempt = &mut self.played.attempts[attempt as usize];
        attempt.ended_us = self.now;
        attempt.end = match outcome {
            Outcome::Succeeded => End::Succeeded,
            // Nobody stops a run here: whoever is asked to end makes room.
            Outcome::Cancelled => End::Preempted,
            _ => End::Failed,
        };
        let (task, wall_us) = (attempt.task, self.now - attempt.began_us);
        self.nodes[node as usize].end(slot, &self.setup.work.workload.tasks()[task as usize]);
        let end = AttemptEnd { usage: Usage { wall_us, ..Usage::default() }, ..Default::default() };
        if outcome == Outcome::Succeeded {
            self.succeed(task);
        }
        let event = AttemptEvent::Ended { outcome, end, tasks: None, retry_after: None };
        self.report(node, lease, event);
    }

    /// A member of a task has done its work.
    fn succeed(&mut self, task: u32) {
        let open = &mut self.open[task as usize];
        open.1 = open.1.saturating_sub(1);
        if open.1 > 0 {
            return;
        }
        for &next in self.behind.of_task(task) {
            let open = &mut self.open[next as usize];
            open.0 = open.0.saturating_sub(1);
            if open.0 == 0 {
                self.played.ready_us[next as usize] = self.now;
            }
        }
    }

    pub(super) fn stop(&mut self, node: u32, lease: LeaseId, how: StopKind) {
        let outcome = match how {
            StopKind::Retract | StopKind::Revoke => None,
            StopKind::Cancel => Some(Outcome::Cancelled),
            StopKind::TimeOut => Some(Outcome::TimedOut),
            StopKind::Terminate => Some(Outcome::Terminated),
        };
        if self.nodes[node as usize].give_up(lease) {
            if how != StopKind::Revoke {
                self.has_given_back = true;
                self.report(node, lease, AttemptEvent::Returned);
            }
        } else if let Some(outcome) = outcome
            && let Some(slot) = self.nodes[node as usize].slot(lease)
        {
            self.slots[slot as usize].is_over = true;
            self.has_given_back = true;
            self.finish(slot, outcome);
        }
    }
}
