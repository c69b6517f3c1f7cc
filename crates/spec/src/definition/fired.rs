//! Which rule of a decision has fired, told from the outputs that are recorded of it.
//!
//! The outputs of a decision are a function of its rule, so that a hash of them tells the rule.

use model::TaskId;
use serde_json::Value as Json;

use super::{Action, Definition};

/// The rule of a decision that fired.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fired<'d> {
    /// Its number, from 1.
    pub number: u32,
    /// The expression that held; nothing if it always holds.
    pub when: Option<&'d str>,
    /// The name of its route, if it has one.
    pub route: Option<&'d str>,
    /// The value that it gives; null if it gives none.
    pub value: &'d Json,
}

impl Definition {
    /// Whether a task decides by rules.
    #[must_use]
    pub fn is_decision(&self, task: TaskId) -> bool {
        self.get(task).is_some_and(|defined| matches!(defined.action, Action::Decision(_)))
    }

    /// The rule of a decision whose outputs are those that `is_it` knows; `None` if there is none,
    /// as where no rule held.
    pub fn fired(&self, task: TaskId, is_it: impl Fn(&[u8]) -> bool) -> Option<Fired<'_>> {
        let Action::Decision(decision) = &self.get(task)?.action else { return None };
        let mut rules = (1..).zip(&decision.rules);
        let (number, rule) =
            rules.find(|&(number, rule)| is_it(rule.output(number).to_string().as_bytes()))?;
        let (when, route) = (rule.when.as_deref(), rule.name.as_deref());
        Some(Fired { number, when, route, value: &rule.value })
    }
}
