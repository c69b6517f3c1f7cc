//! Workflow files: read, checked, bound to parameters, compiled, and rendered task by task.
//!
//! The way of a file: [`check`] reads YAML or JSON and tells everything that is wrong with it at
//! once; [`Workflow::bind`] takes the parameters; [`Bound::compile`] gives a graph of numbers for
//! the engine and a [`Definition`], which turns a number back into what a worker starts.
//!
//! Nothing here touches a file, a clock or the network, decides when a task runs, or panics on
//! what a person wrote.

mod ask;
pub mod cases;
mod check;
pub mod code;
mod compile;
mod decision;
mod definition;
pub mod diagnostic;
mod expression;
mod file;
mod instant;
mod items;
pub mod limits;
mod node;
mod params;
mod parse;
mod read;
mod schema;
mod source;
mod suggest;
mod template;
mod terminal;
mod units;

pub use ask::{Question, Reply};
pub use check::check;
pub use compile::{Compiled, RunOptions};
pub use definition::{
    Awaited, Definition, DefinitionError, RenderError, Rendered, TaskOutputs, Upstream, label,
};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use params::{Bound, Parameter, ParameterType, Workflow};
pub use schema::schema;
pub use source::Source;
