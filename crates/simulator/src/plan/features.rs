//! Which parts of the language a run uses: a set, so that each run can leave most of them out.

/// A part of the language that a run's tasks may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Edges that wait for a failure, an end or a skip.
    Conditions,
    /// Joins that need fewer than all, or only the end of all.
    Joins,
    /// Starts that are asked for.
    Asks,
    /// Tasks that choose a route.
    Decisions,
    /// Bodies that run in turns.
    Loops,
    /// Tasks that wait for time.
    Timers,
    /// Tasks that wait for a person.
    Signals,
    /// Tasks that say themselves what their failure means.
    Failures,
    /// Tasks that are undone.
    Compensation,
    /// Tasks that come last.
    Finally,
    /// Tasks that may have few items leased at a time.
    Limits,
    /// Attempts that write further tasks.
    Generation,
    /// People who change what has been submitted.
    Edits,
    /// People who say that tasks have ended.
    Marks,
    /// People who let some items run again.
    Items,
    /// Locks that all runs share.
    Locks,
    /// Budgets that all runs share.
    Budgets,
    /// Times by which tasks must have ended.
    Deadlines,
    /// Items that were done before.
    Cache,
    /// Calls of what others offer: breakers, budgets that settle, costs, rules for retries.
    Calls,
    /// Attempts that ask for more memory than those before.
    Growth,
    /// Runs that pause.
    Pauses,
    /// Calls that may be made in several ways.
    Ways,
    /// Attempts that ask for devices, or parts of them.
    Devices,
    /// Attempts that ask for labels of machines, and items that spread or stay together.
    Sites,
    /// Attempts that save their work, and that are made to leave their places.
    Preemption,
    /// Runs that stand in queues with limits and guarantees.
    Queues,
    /// Attempts that can be made with other amounts.
    Alternatives,
    /// Attempts that go before all others, and have room kept for them.
    Critical,
    /// Tasks of one run that are not as urgent as each other.
    Urgency,
    /// Fan-outs whose items begin together.
    Gangs,
}

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(pub u32);

impl Feature {
    /// All of them, with the words that plans are written in.
    pub const ALL: [(&'static str, Self); 31] = [
        ("conditions", Self::Conditions),
        ("joins", Self::Joins),
        ("asks", Self::Asks),
        ("decisions", Self::Decisions),
        ("loops", Self::Loops),
        ("timers", Self::Timers),
        ("signals", Self::Signals),
        ("failures", Self::Failures),
        ("compensation", Self::Compensation),
        ("finally", Self::Finally),
        ("limits", Self::Limits),
        ("generation", Self::Generation),
        ("edits", Self::Edits),
        ("marks", Self::Marks),
        ("items", Self::Items),
        ("locks", Self::Locks),
        ("budgets", Self::Budgets),
        ("deadlines", Self::Deadlines),
        ("cache", Self::Cache),
        ("calls", Self::Calls),
        ("growth", Self::Growth),
        ("pauses", Self::Pauses),
        ("ways", Self::Ways),
        ("devices", Self::Devices),
        ("sites", Self::Sites),
        ("preemption", Self::Preemption),
        ("queues", Self::Queues),
        ("alternatives", Self::Alternatives),
        ("critical", Self::Critical),
        ("urgency", Self::Urgency),
        ("gangs", Self::Gangs),
    ];
}

impl Features {
    /// Whether a feature is used.
    #[must_use]
    pub const fn has(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u32) != 0
    }

    /// The same set with one more.
    #[must_use]
    pub const fn with(self, feature: Feature) -> Self {
        Self(self.0 | 1 << feature as u32)
    }

    /// The same set without one.
    #[must_use]
    pub const fn without(self, feature: Feature) -> Self {
        Self(self.0 & !(1 << feature as u32))
    }

    /// The set as a word: names with `+` between them, or `none`.
    #[must_use]
    pub fn to_word(self) -> String {
        let used = Feature::ALL.iter().filter(|(_, feature)| self.has(*feature));
        let words: Vec<&str> = used.map(|(word, _)| *word).collect();
        if words.is_empty() { "none".to_owned() } else { words.join("+") }
    }

    /// Reads the word back.
    ///
    /// # Errors
    /// A name that is not known.
    pub fn from_word(word: &str) -> Result<Self, String> {
        if word == "none" {
            return Ok(Self::default());
        }
        word.split('+').try_fold(Self::default(), |set, name| {
            let found = Feature::ALL.iter().find(|(known, _)| *known == name);
            found.map(|(_, feature)| set.with(*feature)).ok_or(format!("there is no `{name}`"))
        })
    }
}
