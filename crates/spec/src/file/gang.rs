//! How many members a gang has. To the rest of the language it is a fan-out whose items are the
//! numbers of its members.

use std::borrow::Cow;

use model::limits::GANG_MEMBERS_MAX;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::TaskFile;
use super::loops::{Foreach, SourceFile};
use super::values::{Whole, inline_schema};
use crate::diagnostic::Faults;
use crate::node::Node;
use crate::read::{Placed, Read, wrong_type};
use crate::template::is_template;

/// How many members a gang may have.
pub(crate) type Members = Whole<1, { GANG_MEMBERS_MAX as u64 }>;

/// The value of `gang`.
#[derive(Clone, Debug)]
pub(crate) struct Gang(pub Placed<Foreach>);

inline_schema!(Gang, |_generator| json_schema!({
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": GANG_MEMBERS_MAX},
        {"type": "string", "examples": ["{{ params.nodes }}"]}
    ]
}));

impl Read for Gang {
    const TAKES: &'static str = "a number of members, or a template such as `{{ params.nodes }}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let Some(text) = node.scalar().map(|scalar| scalar.text.to_string()) else {
            return wrong_type(node, key, faults);
        };
        if !is_template(&text) {
            Members::read(node, key, faults)?;
        }
        let extent = node.extent;
        let source = SourceFile::Members(Placed { value: text, extent });
        let max_items = Some(Whole(GANG_MEMBERS_MAX.into()));
        let items = Foreach { source, max_items, max_parallel: None, batch: None };
        Some(Self(Placed { value: items, extent }))
    }
}

impl TaskFile {
    /// Where its items come from: those of its fan-out, or the members of its gang.
    pub(crate) fn items(&self) -> Option<&Placed<Foreach>> {
        self.foreach.as_deref().or_else(|| Some(&self.gang.as_ref()?.0))
    }
}
