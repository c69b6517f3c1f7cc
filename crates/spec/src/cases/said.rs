//! What is said of texts and durations: equal to this, containing that, at most so long.

use model::Span;

use super::keys::NONE;
use crate::code;
use crate::diagnostic::Faults;
use crate::node::{Content, Node};
use crate::read::{Read, read_text, record, wrong_type};
use crate::units;

/// What is expected of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextMatch {
    /// It is this, white space at its ends aside.
    pub equals: Option<String>,
    /// It has each of these in it.
    pub contains: Vec<String>,
    /// It has none of these in it.
    pub lacks: Vec<String>,
}

/// What is expected of a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How it is compared.
    pub how: Compare,
    /// With what.
    pub with: Span,
}

/// How two lengths of time are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// At most.
    AtMost,
    /// Less than.
    Less,
    /// At least.
    AtLeast,
    /// More than.
    More,
    /// Exactly.
    Exactly,
}

impl TextMatch {
    /// Whether a text is as expected.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        self.equals.as_ref().is_none_or(|equals| equals.trim() == text.trim())
            && self.contains.iter().all(|part| text.contains(part))
            && !self.lacks.iter().any(|part| text.contains(part))
    }
}

impl std::fmt::Display for TextMatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let equals = self.equals.iter().map(|text| format!("`{}`", text.trim()));
        let contains = self.contains.iter().map(|part| format!("`{part}` in it"));
        let lacks = self.lacks.iter().map(|part| format!("no `{part}` in it"));
        let all: Vec<String> = equals.chain(contains).chain(lacks).collect();
        f.write_str(&all.join(", "))
    }
}

impl Comparison {
    /// Whether a length of time is as expected.
    #[must_use]
    pub fn holds(self, span: Span) -> bool {
        match self.how {
            Compare::AtMost => span <= self.with,
            Compare::Less => span < self.with,
            Compare::AtLeast => span >= self.with,
            Compare::More => span > self.with,
            Compare::Exactly => span == self.with,
        }
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.how {
            Compare::AtMost => "<= ",
            Compare::Less => "< ",
            Compare::AtLeast => ">= ",
            Compare::More => "> ",
            Compare::Exactly => "",
        };
        write!(f, "{sign}{}", self.with)
    }
}

record! {
    /// What is expected of a text, in full.
    struct TextKeys("an expected text", "a text, or a mapping such as `{contains: --fast}`") {
        /// It is this.
        equals: Words,
        /// It has this in it.
        contains: Parts,
        /// It does not have this in it.
        lacks: Parts,
    }
    foreign: NONE
}

/// A text, or a list of words with blanks between them.
#[derive(Debug)]
pub(super) struct Words(String);

/// Parts of a text.
#[derive(Debug)]
pub(super) struct Parts(Vec<String>);

impl Read for Words {
    const TAKES: &'static str = "a text, or a list of words";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match node.content {
            Content::List(_) => {
                Vec::<String>::read(node, key, faults).map(|words| Self(words.join(" ")))
            }
            Content::Scalar(_) => String::read(node, key, faults).map(Self),
            Content::Map(_) => wrong_type(node, key, faults),
        }
    }
}

impl Read for Parts {
    const TAKES: &'static str = "a text, or a list of texts";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match node.content {
            Content::List(_) => Vec::read(node, key, faults).map(Self),
            _ => String::read(node, key, faults).map(|one| Self(vec![one])),
        }
    }
}

impl Read for TextMatch {
    const TAKES: &'static str = TextKeys::TAKES;

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        if !matches!(node.content, Content::Map(_)) {
            let equals = Words::read(node, key, faults)?.0;
            return Some(Self { equals: Some(equals), ..Self::default() });
        }
        let keys = TextKeys::read(node, key, faults)?;
        Some(Self {
            equals: keys.equals.map(|words| words.0),
            contains: keys.contains.map(|parts| parts.0).unwrap_or_default(),
            lacks: keys.lacks.map(|parts| parts.0).unwrap_or_default(),
        })
    }
}

impl Read for Comparison {
    const TAKES: &'static str = "a duration such as `10m`, or a bound such as `<= 3h`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        const SIGNS: [(&str, Compare); 4] = [
            ("<=", Compare::AtMost),
            ("<", Compare::Less),
            (">=", Compare::AtLeast),
            (">", Compare::More),
        ];
        let parse = |text: &str| {
            let text = text.trim();
            let sign = SIGNS.iter().find(|(sign, _)| text.starts_with(sign));
            let (how, rest) = match sign {
                Some((sign, how)) => (*how, &text[sign.len()..]),
                None => (Compare::Exactly, text),
            };
            units::duration(rest).map(|with| Self { how, with })
        };
        read_text(node, key, faults, (code::BAD_DURATION, parse))
    }
}
