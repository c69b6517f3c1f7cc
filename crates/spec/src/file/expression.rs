//! An expression as it stands in a file: bare, or between `{{` and `}}`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::values::inline_schema;
use crate::diagnostic::Faults;
use crate::node::Node;
use crate::read::Read;

/// The text of an expression, marks and all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExpressionText(pub String);

inline_schema!(ExpressionText, |_generator| json_schema!({
    "type": ["string", "boolean", "number"],
    "examples": ["tasks.fetch.outputs.rows > 10", "{{ params.report }}"]
}));

impl Read for ExpressionText {
    const TAKES: &'static str = "an expression such as `tasks.fetch.outputs.rows > 10`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        if node.scalar().is_none() || node.is_null() {
            return crate::read::wrong_type(node, key, faults);
        }
        String::read(node, key, faults).map(Self)
    }
}
