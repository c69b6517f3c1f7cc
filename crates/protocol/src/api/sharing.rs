//! What all runs share, as it is shown: circuit breakers, budgets, and what was spent.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Seconds, Time};

/// An amount of money in millionths, sent as a number with up to six decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(pub u64);

/// Millionths of one.
const MICRO: f64 = 1_000_000.0;

/// What attempts spent of what others sell and count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// How many requests they made.
    pub requests: u64,
    /// How many tokens they sent.
    pub tokens_in: u64,
    /// How many tokens came back.
    pub tokens_out: u64,
    /// What that cost, in the currency of the price table.
    pub cost: Money,
}

/// What the runs of a tenant spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSpent {
    /// The tenant.
    pub tenant: String,
    /// How much.
    #[serde(flatten)]
    pub spent: Spent,
}

/// All circuit breakers that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerList {
    /// The breakers, by name.
    pub breakers: Vec<BreakerSummary>,
}

/// A circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerSummary {
    /// Its name.
    pub name: String,
    /// `closed`, `open` or `half_open`.
    pub state: String,
    /// How many attempts have failed in a row.
    pub failures: u32,
    /// The last of these failures, in a few words.
    #[serde(default)]
    pub last: Option<String>,
    /// Until when it is open.
    #[serde(default)]
    pub until: Option<Time>,
    /// How often it has been opened since it was last closed.
    pub openings: u8,
    /// How many attempts are trying whether it may close again.
    pub trials: u32,
}

/// All budgets that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetList {
    /// The budgets, by name.
    pub budgets: Vec<BudgetSummary>,
}

/// A budget that fills up again evenly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetSummary {
    /// Its name.
    pub name: String,
    /// What it counts: `attempts`, `requests` or `tokens`.
    pub unit: String,
    /// How much there is at most.
    pub limit: u32,
    /// The time in which an empty one fills up.
    pub per_seconds: Seconds,
    /// How much there is now; below zero when attempts spent more than was reserved for them.
    pub available: i64,
    /// How long it needs to be full.
    pub full_in_seconds: Seconds,
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / MICRO)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = f64::deserialize(deserializer)?;
        if !amount.is_finite() || amount < 0.0 {
            return Err(de::Error::custom("an amount of money is not negative"));
        }
        Ok(Self((amount * MICRO).round() as u64))
    }
}
