//! How large the values of a text can become, seen from the text alone.
//!
//! Joining doubles what is joined with itself, and forty steps of that are more than any machine
//! has. So each expression is weighed before it is worked out: a name of the workflow counts as a
//! whole output, a literal as what it is, and an operator as what it makes of both sides. What is
//! too heavy is refused, like what cannot be parsed. Filters have their own checks, which see
//! values.

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Stmt};
use minijinja::machinery::{parse, parse_expr};
use minijinja::{Error, ErrorKind};
use model::collections::HashMap;

use super::syntax;

/// What a name of the workflow counts: the bytes that an output may have.
const LEAF: u64 = 1 << 20;
/// What numbers count, and each place of a list.
const PLACE: u64 = 32;
/// The heaviest value.
const WEIGHT_MAX: u64 = 64 << 20;
/// What a text or a list counts that is repeated an unknown number of times: two of them are too
/// heavy. The engine itself stops at a hundred million bytes or places.
const REPEATED: u64 = 33 << 20;
/// Products of which nobody can tell whether they are of numbers.
const UNKNOWN_PRODUCTS_MAX: u32 = 8;
/// How often the body of a loop is weighed while what it sets becomes heavier.
const TURNS: u32 = 40;
/// Expressions and statements that are looked at, those in loops each time.
const VISITS_MAX: u32 = 1_000_000;

/// Refuses a text with statements whose values could grow too large.
pub(crate) fn check_text(text: &str) -> Result<(), Error> {
    let parsed = parse(text, "text", syntax())?;
    Scale::default().statement(&parsed)
}

/// Refuses an expression whose value could grow too large.
pub(crate) fn check_expression(expression: &str) -> Result<(), Error> {
    let parsed = parse_expr(expression)?;
    Scale::default().weigh(&parsed).map(|_| ())
}

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Weight {
    bytes: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    /// A text, a list or a mapping.
    Sized,
    Unknown,
}

const NUMBER: Weight = Weight { bytes: PLACE, kind: Kind::Number };

/// Weighs a text from its beginning to its end.
#[derive(Default)]
struct Scale<'t> {
    /// What statements have bound.
    bound: HashMap<&'t str, Weight>,
    unknown_products: u32,
    visits: u32,
}

impl<'t> Scale<'t> {
    fn visit(&mut self) -> Result<(), Error> {
        self.visits += 1;
        if self.visits > VISITS_MAX { Err(refused("is too long")) } else { Ok(()) }
    }

    fn statements(&mut self, all: &[Stmt<'t>]) -> Result<(), Error> {
        all.iter().try_for_each(|one| self.statement(one))
    }

    fn statement(&mut self, statement: &Stmt<'t>) -> Result<(), Error> {
        self.visit()?;
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitExpr(emit) => self.weigh(&emit.expr).map(|_| ()),
            Stmt::EmitRaw(_) => Ok(()),
            Stmt::Do(call) => self.arguments(&call.call.args).map(|_| ()),
            Stmt::AutoEscape(block) => self.statements(&block.body),
            Stmt::IfCond(condition) => {
                self.weigh(&condition.expr)?;
                self.statements(&condition.true_body)?;
                self.statements(&condition.false_body)
            }
            Stmt::Set(set) => {
                let weight = self.weigh(&set.expr)?;
                self.bind(&set.target, weight)
            }
            Stmt::WithBlock(block) => {
                for (target, value) in &block.assignments {
                    let weight = self.weigh(value)?;
                    self.bind(target, weight)?;
                }
                self.statements(&block.body)
            }
            Stmt::ForLoop(repeated) if repeated.recursive => {
                Err(refused("has a loop that calls itself"))
            }
            Stmt::ForLoop(repeated) => {
                let weight = self.weigh(&repeated.iter)?;
                let item = Weight { kind: Kind::Unknown, ..weight };
                for _ in 0..TURNS {
                    let before = self.bound.clone();
                    self.bind(&repeated.target, item)?;
                    if let Some(filter) = &repeated.filter_expr {
                        self.weigh(filter)?;
                    }
                    self.statements(&repeated.body)?;
                    if self.bound == before {
                        break;
                    }
                }
                self.statements(&repeated.else_body)
            }
            // What a block prints is kept without a bound while it is caught.
            Stmt::SetBlock(_) => Err(refused("has a `set` without a value: write `set x = ...`")),
            Stmt::FilterBlock(_) => {
                Err(refused("has a `filter` block: write `{{ value | name }}`"))
            }
        }
    }

    /// Binds names; one that was bound before stays as heavy as it was, if it was heavier.
    fn bind(&mut self, target: &Expr<'t>, weight: Weight) -> Result<(), Error> {
        match target {
            Expr::Var(name) => {
                self.bound.insert(name.id, weight);
                Ok(())
            }
            Expr::List(list) => list.items.iter().try_for_each(|item| self.bind(item, weight)),
            Expr::Tuple(tuple) => tuple.items.iter().try_for_each(|item| self.bind(item, weight)),
            _ => Err(refused("sets something that is no name of its own")),
        }
    }

    fn weigh(&mut self, expression: &Expr<'t>) -> Result<Weight, Error> {
        self.visit()?;
        let weight = self.weight(expression)?;
        if weight.bytes > WEIGHT_MAX {
            return Err(refused("could make a value that is too large"));
        }
        Ok(weight)
    }

    fn weight(&mut self, expression: &Expr<'t>) -> Result<Weight, Error> {
        let unknown = |bytes| Weight { bytes, kind: Kind::Unknown };
        Ok(match expression {
            Expr::Var(name) => self.bound.get(name.id).copied().unwrap_or(unknown(LEAF)),
            Expr::Const(constant) if constant.value.is_number() => NUMBER,
            Expr::Const(constant) => {
                let bytes = constant.value.to_string().len() as u64;
                sized(bytes.saturating_mul(if constant.value.as_str().is_some() { 1 } else { 16 }))
            }
            Expr::Slice(slice) => {
                if !slice.step.as_ref().is_none_or(is_forward) {
                    return Err(refused(BACKWARDS));
                }
                let parts = [&slice.start, &slice.stop, &slice.step];
                parts.into_iter().flatten().try_for_each(|part| self.weigh(part).map(|_| ()))?;
                self.weigh(&slice.expr)?
            }
            Expr::UnaryOp(operation) => self.weigh(&operation.expr)?,
            Expr::BinOp(operation) => self.operation(operation)?,
            Expr::Compare(comparison) => {
                self.weigh(&comparison.expr)?;
                comparison.ops.iter().try_for_each(|next| self.weigh(&next.expr).map(|_| ()))?;
                NUMBER
            }
            Expr::IfExpr(either) => {
                self.weigh(&either.test_expr)?;
                let one = self.weigh(&either.true_expr)?;
                let other = either.false_expr.as_ref().map(|other| self.weigh(other));
                other.transpose()?.map_or(one, |other| heavier(one, other))
            }
            Expr::Filter(filter) => {
                let value = filter.expr.as_ref().map(|value| self.weigh(value)).transpose()?;
                let given = self.arguments(&filter.args)?;
                let value = value.unwrap_or(NUMBER);
                match filter.name {
                    "int" | "float" | "round" | "abs" | "length" | "count" => NUMBER,
                    "default" | "d" | "first" | "last" | "min" | "max" | "attr" => {
                        unknown(value.bytes.max(given))
                    }
                    // Escapes make up to six letters of one.
                    "tojson" | "quote" | "escape" | "e" | "string" | "pprint" => {
                        sized(value.bytes.saturating_mul(6).min(WEIGHT_MAX / 4).max(value.bytes))
                    }
                    _ => unknown(value.bytes.saturating_add(given)),
                }
            }
            Expr::Test(test) => {
                self.weigh(&test.expr)?;
                self.arguments(&test.args)?;
                NUMBER
            }
            Expr::GetAttr(part) => self.part(&part.expr)?,
            Expr::GetItem(part) => {
                self.weigh(&part.subscript_expr)?;
                self.part(&part.expr)?
            }
            Expr::Call(call) => unknown(self.arguments(&call.args)?.saturating_add(LEAF)),
            Expr::List(list) => self.all(&list.items)?,
            Expr::Tuple(tuple) => self.all(&tuple.items)?,
            Expr::Map(map) => {
                let (keys, values) = (self.all(&map.keys)?, self.all(&map.values)?);
                sized(keys.bytes.saturating_add(values.bytes))
            }
        })
    }

    /// A part of a value is of any kind, and as heavy as all of it at most.
    fn part(&mut self, whole: &Expr<'t>) -> Result<Weight, Error> {
        Ok(Weight { kind: Kind::Unknown, ..self.weigh(whole)? })
    }

    fn all(&mut self, items: &[Expr<'t>]) -> Result<Weight, Error> {
        let mut bytes = PLACE;
        for item in items {
            bytes = bytes.saturating_add(self.weigh(item)?.bytes).saturating_add(PLACE);
        }
        Ok(sized(bytes))
    }

    fn arguments(&mut self, given: &[CallArg<'t>]) -> Result<u64, Error> {
        let mut bytes = 0_u64;
        for argument in given {
            let (CallArg::Pos(value)
            | CallArg::Kwarg(_, value)
            | CallArg::PosSplat(value)
            | CallArg::KwargSplat(value)) = argument;
            bytes = bytes.saturating_add(self.weigh(value)?.bytes);
        }
        Ok(bytes)
    }

    fn operation(
        &mut self,
        operation: &minijinja::machinery::ast::BinOp<'t>,
    ) -> Result<Weight, Error> {
        let (left, right) = (self.weigh(&operation.left)?, self.weigh(&operation.right)?);
        let both = left.bytes.saturating_add(right.bytes);
        Ok(match operation.op {
            BinOpKind::Concat => sized(both),
            BinOpKind::Add if left.kind == Kind::Number || right.kind == Kind::Number => NUMBER,
            BinOpKind::Add => Weight { bytes: both, kind: heavier(left, right).kind },
            BinOpKind::Mul => match (left.kind, right.kind) {
                (Kind::Number, Kind::Number) => NUMBER,
                (Kind::Sized, _) => sized(repeated(left.bytes, &operation.right)),
                (_, Kind::Sized) => sized(repeated(right.bytes, &operation.left)),
                _ => {
                    self.unknown_products += 1;
                    if self.unknown_products > UNKNOWN_PRODUCTS_MAX {
                        return Err(refused(
                            "multiplies too often what may be a text: use `| int`",
                        ));
                    }
                    heavier(left, right)
                }
            },
            BinOpKind::ScAnd | BinOpKind::ScOr => heavier(left, right),
            _ => NUMBER,
        })
    }
}

const fn sized(bytes: u64) -> Weight {
    Weight { bytes, kind: Kind::Sized }
}

/// Either of two values.
fn heavier(one: Weight, other: Weight) -> Weight {
    let kind = if one.kind == other.kind { one.kind } else { Kind::Unknown };
    Weight { bytes: one.bytes.max(other.bytes), kind }
}

/// What is repeated: so often, if that is written there.
fn repeated(bytes: u64, times: &Expr<'_>) -> u64 {
    match times {
        Expr::Const(constant) => match u64::try_from(constant.value.clone()) {
            Ok(times) => bytes.saturating_mul(times),
            Err(_) => bytes,
        },
        _ => bytes.saturating_add(REPEATED),
    }
}

/// Whether the step of a slice is sure to lead forward. The evaluation of one that leads backward
/// panics on an empty text, and where it ends before it begins (minijinja 3.0.5).
fn is_forward(step: &Expr<'_>) -> bool {
    let Expr::Const(constant) = step else { return false };
    i64::try_from(constant.value.clone()).is_ok_and(|step| step > 0)
}

const BACKWARDS: &str =
    "takes a part with a step that is no number above 0; `| reverse` turns a value round";

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("the text {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> bool {
        check_text(text).is_ok()
    }

    #[test]
    fn what_people_write_is_light() {
        for expression in [
            "tasks.a.outputs.rows * 1000000 + params.n * 2",
            "'-' * 40 ~ tasks.a.outputs.text ~ params.name",
            "params.list + [1, 2] + tasks.a.outputs.files",
            "range(100000) | list | length",
            "(params.a * params.b) / (params.c * params.d)",
        ] {
            assert!(check_expression(expression).is_ok(), "{expression}");
        }
        assert!(text(
            "{% set total = params.n %}{% for item in params.list %}{% set total = total + item %}\
             {% for k in item %}{{ k ~ total }}{% endfor %}{% endfor %}"
        ));
    }

    #[test]
    fn what_doubles_is_refused_however_it_is_bound() {
        let chain = |step: &dyn Fn(usize) -> String| (0..40).map(step).collect::<String>();
        assert!(!text(&chain(&|n| format!("{{% set v{} = v{n} ~ v{n} %}}", n + 1))));
        assert!(!text(&chain(&|n| format!("{{% set v{} = [v{n}, v{n}] %}}", n + 1))));
        assert!(!text("{% for i in x %}{% set a = a ~ a %}{% endfor %}"));
        assert!(!text("{% for i in x recursive %}{{ loop(i) }}{% endfor %}"));
        assert!(!text("{% set n.a = 1 %}"));
        for expression in ["'x' * 999999999", "[0] * 99999999", "[params] * params.n * params.n"] {
            assert!(check_expression(expression).is_err(), "{expression}");
        }
        let products = ["a * b"; 9].join(" + ");
        assert!(check_expression(&products).is_err());
    }

    #[test]
    fn a_part_is_taken_forward() {
        for expression in ["params.text[1:]", "params.list[:-1]", "params.list[::2]"] {
            assert!(check_expression(expression).is_ok(), "{expression}");
        }
        for step in ["-1", "0", "params.n", "1.5", "'x'"] {
            let told = check_expression(&format!("params.list[::{step}]")).unwrap_err();
            assert!(told.to_string().contains("| reverse"), "{told}");
        }
        assert!(!text("{{ ''[::-1] }}"));
    }
}
