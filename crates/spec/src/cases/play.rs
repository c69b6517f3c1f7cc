//! What is played instead of what is real: how attempts end, and what people say.

use std::collections::BTreeMap;

use model::Span;
use serde_json::Value as Json;

use super::Object;
use super::keys::NONE;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::{Duration, Whole};
use crate::node::{Content, Node};
use crate::read::{Placed, Read, mapping, not_a_choice, read_text, record, wrong_type};

/// How the attempts of a task end.
#[derive(Clone, Debug, PartialEq)]
pub enum Mock {
    /// One after the other; the last stands for all that follow.
    Attempts(Vec<Attempt>),
    /// In each round of a loop; the last stands for all that follow.
    Rounds(Vec<Mock>),
    /// For each item by its number; others succeed at once.
    Items(BTreeMap<u32, Mock>),
}

/// How one attempt ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempt {
    /// How.
    pub end: End,
    /// What it leaves.
    pub outputs: Object,
    /// After how long.
    pub duration: Span,
}

/// The end of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Well.
    #[default]
    Succeeds,
    /// With this exit code.
    Exits(i32),
    /// Its worker is lost.
    IsLost,
    /// Never, unless it is ended.
    Hangs,
}

/// What somebody says to a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What.
    pub say: Say,
    /// How long after the task has begun to wait.
    pub after: Span,
    /// Who.
    pub by: Option<String>,
    /// Why.
    pub comment: Option<String>,
    /// What comes with a signal.
    pub value: Object,
}

/// What somebody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// What is waited for has happened.
    Signal,
    /// Nothing.
    Never,
}

const MOCK_TAKES: &str =
    "`succeeds`, `fails`, `lost`, `hangs`, a mapping such as `{outputs: {rows: 3}}`, or a list";

record! {
    /// How attempts end, in full.
    struct MockKeys("a mock", "a mapping such as `{outputs: {rows: 3}, duration: 10m}`") {
        /// What an attempt leaves.
        outputs: Outputs,
        /// The exit code of each attempt, or of as many as `fails` says.
        exit: Placed<Whole<0, 255>>,
        /// How many attempts fail before one succeeds.
        fails: Whole<0, 1_000>,
        /// How many attempts are lost with their worker before one is not.
        lost: Whole<0, 1_000>,
        /// How long each attempt takes.
        duration: Duration,
        /// For each item of a fan-out: a list, or a mapping from number.
        items: Placed<Items>,
        /// For each round of a loop.
        rounds: Placed<Vec<Mock>>,
    }
    foreign: NONE
}

record! {
    /// What is said, in full.
    struct AnswerKeys("an answer", "a mapping such as `{say: approve, after: 2h}`") {
        /// What.
        say: Say,
        /// How long after the task has begun to wait.
        after: Duration,
        /// Who.
        by: String,
        /// Why.
        comment: String,
        /// What comes with a signal.
        value: Outputs,
    }
    foreign: NONE
}

/// An object.
#[derive(Debug)]
pub(super) struct Outputs(Object);

/// Mocks by the number of the item.
#[derive(Debug)]
pub(super) struct Items(BTreeMap<u32, Mock>);

impl Read for Outputs {
    const TAKES: &'static str = "a mapping such as `{rows: 3}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match node.to_json() {
            Json::Object(object) => Some(Self(object)),
            _ => wrong_type(node, key, faults),
        }
    }
}

impl Read for Items {
    const TAKES: &'static str = "a list, or a mapping from the number of an item";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        if let Content::List(_) = node.content {
            let list = Vec::<Mock>::read(node, key, faults)?;
            return Some(Self((0..).zip(list).collect()));
        }
        let mut items = BTreeMap::new();
        for entry in mapping::<Self>(node, key, faults)? {
            let mock = Mock::read(&entry.value, key, faults);
            match (entry.key.parse::<u32>(), mock) {
                (Ok(number), Some(mock)) => {
                    items.insert(number, mock);
                }
                (Err(_), _) => {
                    let message = format!("`{}` is not the number of an item", entry.key);
                    let fault = Fault::new(code::BAD_VALUE, entry.key_extent, message);
                    faults.push(fault.hint("items are counted from 0"));
                }
                (Ok(_), None) => {}
            }
        }
        Some(Self(items))
    }
}

impl Read for Mock {
    const TAKES: &'static str = MOCK_TAKES;

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Scalar(_) => {
                Attempt::word(node, key, faults).map(|it| Self::Attempts(vec![it]))
            }
            Content::Map(_) => MockKeys::read(node, key, faults)?.into_mock(faults),
            Content::List(list) if list.is_empty() => wrong_type(node, key, faults),
            Content::List(list) => {
                let mut attempts = Vec::new();
                for one in list {
                    match Self::read(one, key, faults)? {
                        Self::Attempts(of_one) if of_one.len() == 1 => attempts.extend(of_one),
                        _ => {
                            let message = "each entry of this list is one attempt";
                            let fault = Fault::new(code::CONFLICT, one.extent, message);
                            faults.push(fault.hint(
                                "write `rounds:` or `items:` around the list, \
                                 or an entry for each attempt",
                            ));
                            return None;
                        }
                    }
                }
                Some(Self::Attempts(attempts))
            }
        }
    }
}

impl Attempt {
    fn word(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        const WORDS: &[&str] = &["succeeds", "fails", "lost", "hangs"];
        let parse = |text: &str| match text {
            "succeeds" => Ok(End::Succeeds),
            "fails" => Ok(End::Exits(1)),
            "lost" => Ok(End::IsLost),
            "hangs" => Ok(End::Hangs),
            _ => Err(not_a_choice(text, WORDS)),
        };
        let end = read_text::<Word>(
            node,
            key,
            faults,
            (code::BAD_VALUE, |text: &str| parse(text).map(Word)),
        )?;
        Some(Self { end: end.0, ..Self::default() })
    }
}

/// The end of an attempt as one word.
struct Word(End);

impl Read for Word {
    const TAKES: &'static str = MOCK_TAKES;

    fn read(_: &Node<'_>, _: &str, _: &mut Faults) -> Option<Self> {
        None
    }
}

impl MockKeys {
    fn into_mock(self, faults: &mut Faults) -> Option<Mock> {
        let nested = [
            self.items.as_ref().map(|items| items.extent),
            self.rounds.as_ref().map(|rounds| rounds.extent),
        ];
        let is_plain = self.outputs.is_none()
            && self.exit.is_none()
            && self.duration.is_none()
            && self.fails.is_none()
            && self.lost.is_none();
        if let Some(extent) = nested.into_iter().flatten().next()
            && (!is_plain || nested.iter().all(Option::is_some))
        {
            let message = "`items` and `rounds` stand alone in a mock";
            let fault = Fault::new(code::CONFLICT, extent, message);
            faults.push(fault.hint("put the other keys into each of their entries"));
            return None;
        }
        match (self.items, self.rounds) {
            (Some(items), _) => return Some(Mock::Items(items.value.0)),
            (_, Some(rounds)) if !rounds.value.is_empty() => {
                return Some(Mock::Rounds(rounds.value));
            }
            _ => {}
        }
        let duration = self.duration.map(|duration| duration.0).unwrap_or_default();
        let bad = |end| Attempt { end, duration, outputs: Object::new() };
        let exit = self.exit.as_ref().map(|exit| i32::try_from(exit.value.0).unwrap_or(1));
        let count = |whole: Option<Whole<0, 1_000>>| {
            whole.map_or(0, |count| usize::try_from(count.0).unwrap_or(usize::MAX))
        };
        let always_fails = self.fails.is_none() && exit.is_some_and(|exit| exit != 0);
        let mut attempts = vec![bad(End::IsLost); count(self.lost)];
        attempts.resize(attempts.len() + count(self.fails), bad(End::Exits(exit.unwrap_or(1))));
        let outputs = self.outputs.map(|outputs| outputs.0).unwrap_or_default();
        let end = if always_fails { End::Exits(exit.unwrap_or(1)) } else { End::Succeeds };
        attempts.push(Attempt { end, outputs, duration });
        Some(Mock::Attempts(attempts))
    }
}

impl Read for Say {
    const TAKES: &'static str = "`approve`, `reject`, `signal` or `never`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        const WORDS: &[&str] = &["approve", "reject", "signal", "never"];
        let parse = |text: &str| match text {
            "approve" => Ok(Self::Approve),
            "reject" => Ok(Self::Reject),
            "signal" => Ok(Self::Signal),
            "never" => Ok(Self::Never),
            _ => Err(not_a_choice(text, WORDS)),
        };
        read_text(node, key, faults, (code::BAD_VALUE, parse))
    }
}

impl Read for Answer {
    const TAKES: &'static str =
        "`approve`, `reject`, `signal`, `never`, or a mapping such as `{say: approve, after: 2h}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let plain = Self {
            say: Say::Never,
            after: Span::ZERO,
            by: None,
            comment: None,
            value: Object::new(),
        };
        if let Content::Scalar(_) = node.content {
            return Some(Self { say: Say::read(node, key, faults)?, ..plain });
        }
        let keys = AnswerKeys::read(node, key, faults)?;
        let Some(say) = keys.say else {
            if faults.is_empty() {
                let fault = Fault::new(code::MISSING_KEY, node.extent, "the answer says nothing");
                faults.push(fault.hint("write `say: approve`"));
            }
            return None;
        };
        Some(Self {
            say,
            after: keys.after.map(|after| after.0).unwrap_or_default(),
            by: keys.by,
            comment: keys.comment,
            value: keys.value.map(|value| value.0).unwrap_or_default(),
        })
    }
}
