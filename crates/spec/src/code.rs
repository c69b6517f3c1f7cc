//! The error codes of workflow files, E0101 onwards. Each has a heading of the same name in
//! `docs/reference/errors.md`. A code never changes its meaning.

use model::code::Code;

/// The text is not YAML or JSON.
pub const SYNTAX: Code = Code("E0101");
/// The text is not UTF-8.
pub const ENCODING: Code = Code("E0102");
/// There is nothing in the file.
pub const EMPTY: Code = Code("E0103");
/// More of something than the limit allows.
pub const TOO_LARGE: Code = Code("E0104");
/// Aliases unfold to too much, or values lie too deep in each other.
pub const ALIASES: Code = Code("E0105");
/// A key stands twice in one mapping.
pub const DUPLICATE_KEY: Code = Code("E0106");
/// A key that the language does not have.
pub const UNKNOWN_KEY: Code = Code("E0107");
/// A value of another type than the key takes.
pub const WRONG_TYPE: Code = Code("E0108");
/// A value of the right type that is not allowed.
pub const BAD_VALUE: Code = Code("E0109");
/// A duration that cannot be read.
pub const BAD_DURATION: Code = Code("E0110");
/// A quantity that cannot be read.
pub const BAD_QUANTITY: Code = Code("E0111");
/// A key that must be there is missing.
pub const MISSING_KEY: Code = Code("E0112");
/// Keys that exclude each other.
pub const CONFLICT: Code = Code("E0113");
/// The workflow has no tasks.
pub const NO_TASKS: Code = Code("E0114");
/// A name that is not allowed.
pub const BAD_NAME: Code = Code("E0115");
/// Two tasks of one name.
pub const DUPLICATE_TASK: Code = Code("E0116");
/// A dependency on a task that does not exist.
pub const UNKNOWN_TASK: Code = Code("E0117");
/// A task that depends on itself.
pub const SELF_DEPENDENCY: Code = Code("E0118");
/// Tasks that wait for each other in a circle.
pub const CYCLE: Code = Code("E0119");
/// An ordinary task that depends on a handler.
pub const HANDLER_DEPENDENCY: Code = Code("E0120");
/// Something of a later version of the language.
pub const NOT_AVAILABLE: Code = Code("E0121");
/// A template that cannot be read.
pub const TEMPLATE_SYNTAX: Code = Code("E0122");
/// A template that refers to something that does not exist.
pub const TEMPLATE_NAME: Code = Code("E0123");
/// A template that refers to a task that does not exist.
pub const TEMPLATE_TASK: Code = Code("E0124");
/// A template that refers to a task that need not have ended before.
pub const TEMPLATE_ORDER: Code = Code("E0125");
/// A parameter without a value.
pub const MISSING_PARAMETER: Code = Code("E0126");
/// A value for a parameter that the workflow does not have.
pub const UNKNOWN_PARAMETER: Code = Code("E0127");
/// A value that a parameter does not take.
pub const WRONG_PARAMETER: Code = Code("E0128");
/// A `foreach` expression that gives no list.
pub const BAD_ITEMS: Code = Code("E0129");
/// A text could not be rendered.
pub const RENDER: Code = Code("E0130");
/// A rendered text is too large.
pub const RENDERED_TOO_LARGE: Code = Code("E0131");
/// An environment that the workflow does not have.
pub const UNKNOWN_ENVIRONMENT: Code = Code("E0161");
/// A task extends a template that the file does not have.
pub const UNKNOWN_TEMPLATE: Code = Code("E0162");
/// Templates that extend each other in a circle.
pub const TEMPLATE_CYCLE: Code = Code("E0163");
/// An argument that a template does not take, lacks, or cannot use.
pub const TEMPLATE_ARGUMENT: Code = Code("E0164");
/// A secret in a text that is rendered, kept and shown.
pub const SECRET_PLACE: Code = Code("E0165");
/// A secret that the workflow does not have.
pub const UNKNOWN_SECRET: Code = Code("E0166");
/// An expression that can never be worked out, whatever its names stand for.
pub const EXPRESSION_TYPE: Code = Code("E0167");
/// A model that the workflow does not have.
pub const UNKNOWN_MODEL: Code = Code("E0168");
/// A task asks for more than any node of the cluster has.
pub const FITS_NO_NODE: Code = Code("E0170");
