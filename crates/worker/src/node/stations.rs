//! The nodes that a worker stands for: an agent each, and which of them holds which lease.
//!
//! Mostly there is one. Where there are several they share the machine, and know nothing of each
//! other. Nothing here decides what starts: each agent does, as if it were alone.

use std::collections::HashMap;

use agent::{Agent, AgentConfig, AgentOutput};
use model::Timestamp;
use model::message::{Grant, LeaseId};

use super::{NodeConfig, Station};

/// The agents, by the number of their node.
pub(super) struct Stations {
    agents: Vec<Agent>,
    /// The node of each lease that one has been granted, and knows.
    holders: HashMap<LeaseId, usize>,
}

impl Stations {
    /// Agents that hold nothing and have yet to say hello.
    pub(super) fn new(config: &NodeConfig) -> Self {
        let agent = |Station { name, offers }: &Station| {
            Agent::new(AgentConfig {
                name: name.clone(),
                instance: config.instance,
                offers: offers.clone(),
                lease: config.lease,
            })
        };
        Self { agents: config.stations.iter().map(agent).collect(), holders: HashMap::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.agents.len()
    }

    /// The agent of a node.
    pub(super) fn agent(&mut self, station: usize) -> &mut Agent {
        &mut self.agents[station]
    }

    /// Notes to which node these grants go, before it is told of them.
    pub(super) fn take(&mut self, station: usize, grants: &[Grant]) {
        self.holders.extend(grants.iter().map(|grant| (grant.lease(), station)));
    }

    /// The node that holds a lease, if one does.
    pub(super) fn holder(&self, lease: LeaseId) -> Option<usize> {
        self.holders.get(&lease).copied()
    }

    /// Whether the node that was granted a lease holds it, or has yet to hear that its end is kept.
    pub(super) fn remembers(&self, lease: LeaseId) -> bool {
        self.holder(lease).is_some_and(|station| self.agents[station].remembers(lease))
    }

    /// Forgets the leases of which no node knows any more. One that was revoked is known until its
    /// process has ended: its room is free only then.
    pub(super) fn forget(&mut self) {
        let Self { agents, holders } = self;
        holders.retain(|lease, station| agents[*station].knows(*lease));
    }

    /// When the first of them wants to look at something.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.agents.iter().filter_map(Agent::next_deadline).min()
    }

    /// What they have to say.
    pub(super) fn flush(&mut self, now: Timestamp, out: &mut Vec<AgentOutput>) {
        self.agents.iter_mut().for_each(|agent| agent.flush(now, out));
    }
}

#[cfg(test)]
mod tests {
    use agent::AgentInput;
    use model::message::{Order, StopKind, ToWorker};
    use model::outcome::{AttemptEnd, Failure, Outcome};
    use model::{
        Attempt, AttemptId, DeviceSet, Epoch, ItemId, ItemKey, Offers, Request, Round, RunId, Span,
        TaskId, Token, VariantId, WorkerId,
    };

    use super::*;

    fn config() -> NodeConfig {
        let offers = Offers { cpu_milli: 1_000, ..Offers::default() };
        let station = |name: &str| Station { name: name.into(), offers: offers.clone() };
        NodeConfig {
            stations: vec![station("a"), station("b")],
            instance: 1,
            binds_devices: true,
            lease: None,
            home: "/".into(),
            supervisor: crate::supervisor::Config::new("/".into()),
        }
    }

    fn grant() -> Grant {
        let key = ItemKey { run: RunId(1), task: TaskId(0), item: ItemId(0) };
        Grant {
            attempt: AttemptId { key, round: Round(0), attempt: Attempt(1) },
            token: Token(7),
            request: Request { cpu_milli: 1_000, ..Request::default() },
            devices: DeviceSet::default(),
            grace: Span::secs(1),
            variant: VariantId::default(),
        }
    }

    #[test]
    fn the_end_of_what_was_revoked_still_reaches_its_node() {
        let (mut stations, mut out) = (Stations::new(&config()), Vec::new());
        let lease = grant().lease();
        let mut number = 0;
        let mut hear = |stations: &mut Stations, order: Order| {
            number += 1;
            let message = ToWorker { epoch: Epoch(1), session: 1, number, order };
            stations.agent(1).step(Timestamp(1), AgentInput::Order(message), &mut out);
        };
        stations.flush(Timestamp(1), &mut Vec::new());
        hear(&mut stations, Order::Welcome { worker: WorkerId(1), lease: None });
        stations.take(1, &[grant()]);
        hear(&mut stations, Order::Assign(vec![grant()]));
        stations.agent(1).step(Timestamp(1), AgentInput::Started(lease), &mut Vec::new());
        assert!(stations.remembers(lease), "it runs");
        hear(&mut stations, Order::Stop { leases: vec![lease], how: StopKind::Revoke });
        stations.forget();
        assert!(!stations.remembers(lease), "nothing will be told of it");
        assert_eq!(stations.holder(lease), Some(1), "its process has still to end");
        let ended = AgentInput::Ended {
            lease,
            outcome: Outcome::Failed(Failure::Exit(1)),
            end: AttemptEnd::default(),
            tasks: None,
            retry_after: None,
        };
        stations.agent(1).step(Timestamp(2), ended, &mut Vec::new());
        stations.forget();
        assert_eq!(stations.holder(lease), None);
    }
}
