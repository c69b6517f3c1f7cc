//! S9: no effect is seen outside without its durable fact.

use model::Seq;
use model::message::{Grant, Order};

/// Holds an effect that leaves against what is really on the disk.
///
/// # Errors
/// It rests on facts that are not.
pub fn leaves(rests_on: Seq, durable: Seq) -> Result<(), String> {
    if rests_on <= durable {
        return Ok(());
    }
    Err(format!("an effect of fact {rests_on} leaves while {durable} are durable"))
}

/// Holds an order against what is really on the disk: a grant's token is the place of its lease.
///
/// # Errors
/// A grant of a lease that is not there.
pub fn order(order: &Order, durable: Seq) -> Result<(), String> {
    let Order::Assign(grants) = order else { return Ok(()) };
    let early = |grant: &&Grant| grant.token.0 > durable.0;
    match grants.iter().find(early) {
        Some(grant) => Err(format!("lease {:?} is granted and not durable", grant.token)),
        None => Ok(()),
    }
}
