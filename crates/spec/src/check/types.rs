//! Kinds of values in expressions: what is known of names before the run, and what can never hold.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::parameters::declared_kind;
use super::texts::{Checker, User};
use crate::code;
use crate::diagnostic::Fault;
use crate::expression::bare;
use crate::file::{AxisFile, Foreach, MatrixFile, SourceFile, WorkflowFile};
use crate::params::ParameterType;
use crate::read::Placed;
use crate::source::Extent;
use crate::template::{Mistake, Shape, is_template, mistakes, normalised, single_expression};

/// Of longer lists in a file it is not known what their items are.
const LOOKED_AT_MAX: usize = 10_000;

/// What the parameters of a file are.
#[derive(Default)]
pub(crate) struct Shapes {
    params: BTreeMap<String, Shape>,
    /// The defaults of those that are texts.
    texts: BTreeMap<String, String>,
}

impl Shapes {
    pub(super) fn of(file: &WorkflowFile) -> Self {
        let mut shapes = Self::default();
        for declaration in file.params.iter().flat_map(|params| &params.0) {
            let name = &declaration.name.value;
            let shape = match declared_kind(declaration) {
                ParameterType::String | ParameterType::File => Shape::Text,
                ParameterType::Int | ParameterType::Float => Shape::Number,
                ParameterType::Bool => Shape::Bool,
                ParameterType::List => Shape::List,
                ParameterType::Object => Shape::Mapping(None),
                ParameterType::Secret => Shape::Unknown,
            };
            let default = declaration.default.as_ref().and_then(|default| default.value.as_str());
            if let (Shape::Text, Some(default)) = (&shape, default) {
                shapes.texts.insert(name.clone(), default.to_owned());
            }
            shapes.params.insert(name.clone(), shape);
        }
        shapes
    }

    /// The default of a parameter that is a text, if an expression is that parameter alone.
    fn default_of(&self, expression: &str) -> Option<&str> {
        self.texts.get(expression.trim().strip_prefix("params.")?).map(String::as_str)
    }
}

impl<'f> Checker<'f, '_> {
    /// Tells what of a text can never be worked out. `content` has the marks of the engine.
    pub(super) fn check_types(&mut self, text: &Placed<String>, content: &str, user: User) {
        let mistakes = self.looked_at(content, user).0;
        for mistake in mistakes {
            let code = match mistake.is_name {
                true => code::TEMPLATE_NAME,
                false => code::EXPRESSION_TYPE,
            };
            let extent = self.locate(text.extent, content, mistake.range);
            self.faults.push(Fault::new(code, extent, mistake.message).hint_if(mistake.hint));
        }
    }

    fn looked_at(&self, content: &str, user: User) -> (Vec<Mistake>, Shape) {
        let item = || {
            let step = self.steps.list.get(user.step? as usize)?;
            step.task.items().map(|foreach| item_shape(&foreach.value))
        };
        let known = |name: &str| match name {
            "params" => Shape::Mapping(Some(self.shapes.params.clone())),
            "run" => {
                Shape::Mapping(Some(["id", "name"].map(|key| (key.to_owned(), Shape::Text)).into()))
            }
            "index" | "round" => Shape::Number,
            "items" => Shape::List,
            "item" => item().unwrap_or_default(),
            name if user.has_bare_parameters => {
                self.shapes.params.get(name).cloned().unwrap_or_default()
            }
            _ => Shape::Unknown,
        };
        mistakes(&self.environment, content, &known)
    }

    /// Tells of a `foreach` whose expressions give no items.
    pub(super) fn check_items(&mut self, foreach: &Foreach, user: User) {
        match &foreach.source {
            SourceFile::Expression(text) => self.check_list(&text.value.0, text.extent, user),
            SourceFile::Matrix(matrix) => {
                for (_, axis) in &matrix.axes {
                    if let AxisFile::Expression(text) = axis {
                        self.check_list(&text.value.0, text.extent, user);
                    }
                }
            }
            SourceFile::Range(bounds) => {
                bounds.iter().for_each(|bound| self.check_bound(("a range", bound), user));
            }
            SourceFile::Members(count) => self.check_bound(("a gang", count), user),
            SourceFile::Values(_) | SourceFile::Lines(_) => {}
        }
    }

    fn check_list(&mut self, text: &str, extent: Extent, user: User) {
        let expression = bare(text);
        let shape = self.looked_at(&format!("{{{{ {expression} }}}}"), user).1;
        let noun = match &shape {
            Shape::Unknown | Shape::List => return,
            // A text may be a list, written as JSON.
            Shape::Text => match self.shapes.default_of(&expression) {
                Some(default) if serde_json::from_str::<Vec<Json>>(default).is_err() => {
                    format!("a text, by default `{default}`")
                }
                _ => return,
            },
            shape => shape.noun().unwrap_or_default().to_owned(),
        };
        let message = format!("`foreach` takes a list, and `{expression}` is {noun}");
        let hint = match &shape {
            Shape::Number => {
                format!("for the numbers below it write `{{range: \"{{{{ {expression} }}}}\"}}`")
            }
            Shape::Mapping(_) => {
                format!("write `{expression} | items` for its keys, each with its value")
            }
            _ if expression.starts_with("params.") => {
                "declare the parameter as `type: list`".to_owned()
            }
            _ => format!("a list of one is `[{expression}]`"),
        };
        self.faults.push(Fault::new(code::BAD_ITEMS, extent, message).hint(hint));
    }

    fn check_bound(&mut self, (what, bound): (&str, &Placed<String>), user: User) {
        if !is_template(&bound.value) {
            return;
        }
        let Some(expression) = single_expression(&normalised(&bound.value)) else { return };
        let shape = self.looked_at(&format!("{{{{ {expression} }}}}"), user).1;
        let noun = match &shape {
            Shape::Unknown | Shape::Number => return,
            Shape::Text => match self.shapes.default_of(&expression) {
                Some(default) if default.trim().parse::<i64>().is_err() => {
                    format!("a text, by default `{default}`")
                }
                _ => return,
            },
            shape => shape.noun().unwrap_or_default().to_owned(),
        };
        let message = format!("{what} takes whole numbers, and `{expression}` is {noun}");
        let fault = Fault::new(code::BAD_ITEMS, bound.extent, message);
        self.faults.push(fault.hint("declare the parameter as `type: int`"));
    }
}

/// What each item of a fan-out is.
fn item_shape(foreach: &Foreach) -> Shape {
    if foreach.batch.is_some() {
        return Shape::List;
    }
    match &foreach.source {
        SourceFile::Values(values) if values.len() > LOOKED_AT_MAX => Shape::Unknown,
        SourceFile::Values(values) => Shape::of_each(values),
        SourceFile::Range(_) | SourceFile::Members(_) => Shape::Number,
        // Lines may be JSON.
        SourceFile::Lines(_) => Shape::Unknown,
        SourceFile::Matrix(matrix) => combination(matrix),
        SourceFile::Expression(_) => Shape::Unknown,
    }
}

fn combination(matrix: &MatrixFile) -> Shape {
    let axes = matrix.axes.iter().map(|(name, axis)| {
        let shape = match axis {
            AxisFile::Values(values) => Shape::of_each(values),
            AxisFile::Expression(_) => Shape::Unknown,
        };
        (name.value.clone(), shape)
    });
    let combined = Shape::Mapping(Some(axes.collect()));
    let others = matrix.include.iter().map(|item| Shape::of(&item.value));
    others.fold(combined, Shape::either)
}
