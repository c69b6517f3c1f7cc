//! When what waits is expected to start, and how far that is to be trusted.

use model::Timestamp;
use model::wait::Blocker;
use protocol::api::{Confidence, ExpectedStart, Time};

use super::Text;

impl Text<'_, '_> {
    /// When it is expected to start, as the planner says it.
    pub(super) fn expected(&self, blockers: &[Blocker]) -> Option<ExpectedStart> {
        let outlook = self.subject.engine.outlook(self.key, blockers)?;
        let (now, at) = (self.subject.now.0, outlook.at.0.max(self.subject.now.0));
        let scaled = |thousandths: u64| {
            let span = u128::from(at - now) * u128::from(thousandths) / 1_000;
            let span = u64::try_from(span).unwrap_or(u64::MAX);
            Time(Timestamp(now.saturating_add(span)))
        };
        let confidence = outlook.spread.map(|spread| Confidence {
            earliest: scaled(spread.least.min(1_000)),
            latest: scaled(spread.most.max(1_000)),
            least_percent: spread.least / 10,
            most_percent: spread.most / 10,
            attempts: spread.ends as u64,
        });
        Some(ExpectedStart {
            at: Time(Timestamp(at)),
            at_least: outlook.is_least,
            confidence,
            worker: outlook.worker.map(|worker| self.worker(worker)),
            being_made: outlook.is_made,
        })
    }
}
