//! Workflow files: read, checked, bound to parameters, compiled, and rendered task by task.
//!
//! The way of a file: [`check()`] reads YAML or JSON and tells everything that is wrong with it at
//! once; [`Workflow::bind`] takes the parameters; [`Bound::compile`] gives a graph of numbers for
//! the engine and a [`Definition`], which turns a number back into what a worker starts.
//!
//! Nothing here touches a clock or the network, decides when a task runs, or panics on what a
//! person wrote; of files it looks only whether one that a parameter names is there.

mod amend;
mod ask;
mod call;
pub mod cases;
mod check;
mod cluster;
pub mod code;
mod compile;
mod decision;
mod definition;
pub mod diagnostic;
mod environment;
mod expression;
mod extend;
mod file;
mod fragment;
mod instant;
mod items;
pub mod limits;
mod link;
mod node;
mod params;
mod parse;
mod queues;
mod read;
mod schema;
mod secret;
mod source;
mod suggest;
mod template;
mod terminal;
mod units;

pub use amend::Edit;
pub use ask::{Question, Reply};
pub use call::CallKind;
pub use check::{check, check_with};
pub use cluster::{Cluster, Node, NodeKind, can_hold, cluster};
pub use compile::{Compiled, RunOptions};
pub use definition::{
    ARTIFACTS_KEY, Artifact, AttemptArtifacts, Awaited, CacheRule, Definition, DefinitionError,
    Does, Fired, Limits, Looked, RenderError, Rendered, Sameness, Sketch, SketchedItems,
    SketchedRule, SketchedText, TaskOutputs, Upstream, Written, label,
};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use environment::EnvironmentSnapshot;
pub use file::labels::check_label;
pub use fragment::{Extended, Fragment};
pub use params::{Bound, Parameter, ParameterType, Pattern, Rules, Workflow, params_file};
pub use queues::queues;
pub use schema::{schema, tests_schema};
pub use source::Source;
pub use units::{duration, money_micro};
