//! Expressions that can never be worked out, seen from the text and from what is known of its
//! names: a number and a text that are added, a filter that takes no such value.
//!
//! A false alarm is worse than silence: what may hold for some value is not told, nor what stands
//! behind a condition that asks for the kind of a value.

use std::collections::HashSet;
use std::ops::Range;

use minijinja::Environment;
use minijinja::machinery::ast::{
    BinOp, BinOpKind, Compare, CompareOpKind, Expr, Filter, GetItem, Stmt, UnaryOp, UnaryOpKind,
};
use minijinja::machinery::parse;
use minijinja::value::Value;

use super::filters::trial::{Answer, Trials};
use super::shape::Shape;
use super::syntax;
use super::tree::{arguments, children, range_of};

/// Something in a text that can never be worked out, or never holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Where it stands in the text.
    pub range: Range<usize>,
    pub message: String,
    pub hint: Option<String>,
    /// Whether a name is wrong, and not a kind of value.
    pub is_name: bool,
}

/// All mistakes in a text whose marks are those of the engine, and what its first expression is.
/// `known` says what a name is.
pub(crate) fn mistakes(
    environment: &Environment<'_>,
    text: &str,
    known: &dyn Fn(&str) -> Shape,
) -> (Vec<Mistake>, Shape) {
    let Ok(parsed) = parse(text, "text", syntax()) else { return Default::default() };
    let mut bound = HashSet::new();
    names_bound(std::slice::from_ref(&parsed), &mut bound);
    let trials = Trials::new(environment);
    let mut types = Types { text, known, bound, trials, unsure: 0, found: Vec::new(), first: None };
    types.statement(&parsed);
    (types.found, types.first.unwrap_or_default())
}

/// All names that a text gives itself: what they are is not followed.
fn names_bound<'t>(statements: &[Stmt<'t>], bound: &mut HashSet<&'t str>) {
    fn target<'t>(expression: &Expr<'t>, bound: &mut HashSet<&'t str>) {
        match expression {
            Expr::Var(name) => drop(bound.insert(name.id)),
            other => children(other).into_iter().for_each(|part| target(part, bound)),
        }
    }
    for statement in statements {
        match statement {
            Stmt::Template(template) => names_bound(&template.children, bound),
            Stmt::IfCond(condition) => {
                names_bound(&condition.true_body, bound);
                names_bound(&condition.false_body, bound);
            }
            Stmt::ForLoop(repeated) => {
                target(&repeated.target, bound);
                names_bound(&repeated.body, bound);
                names_bound(&repeated.else_body, bound);
            }
            Stmt::WithBlock(block) => {
                block.assignments.iter().for_each(|(name, _)| target(name, bound));
                names_bound(&block.body, bound);
            }
            Stmt::Set(set) => target(&set.target, bound),
            Stmt::AutoEscape(block) => names_bound(&block.body, bound),
            _ => {}
        }
    }
}

struct Types<'t, 'k> {
    text: &'t str,
    known: &'k dyn Fn(&str) -> Shape,
    bound: HashSet<&'t str>,
    trials: Trials<'k>,
    /// How many conditions around this place ask for the kind of a value.
    unsure: u32,
    found: Vec<Mistake>,
    first: Option<Shape>,
}

impl<'t> Types<'t, '_> {
    fn statements(&mut self, all: &[Stmt<'t>]) {
        all.iter().for_each(|one| self.statement(one));
    }

    fn statement(&mut self, statement: &Stmt<'t>) {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitExpr(emit) => {
                let shape = self.shape(&emit.expr);
                self.first.get_or_insert(shape);
            }
            Stmt::IfCond(condition) => {
                self.shape(&condition.expr);
                self.behind(&condition.expr, |types| {
                    types.statements(&condition.true_body);
                    types.statements(&condition.false_body);
                });
            }
            Stmt::Set(set) => drop(self.shape(&set.expr)),
            Stmt::WithBlock(block) => {
                block.assignments.iter().for_each(|(_, value)| drop(self.shape(value)));
                self.statements(&block.body);
            }
            Stmt::ForLoop(repeated) => {
                let shape = self.shape(&repeated.iter);
                if matches!(shape, Shape::Number | Shape::Bool) {
                    let message =
                        format!("{} cannot be gone through", self.named(&repeated.iter, &shape));
                    self.tell(range_of(&repeated.iter), message, Some("`range(N)` gives numbers"));
                }
                self.statements(&repeated.body);
                self.statements(&repeated.else_body);
            }
            Stmt::AutoEscape(block) => self.statements(&block.body),
            Stmt::Do(call) => arguments(&call.call.args).for_each(|it| drop(self.shape(it))),
            Stmt::EmitRaw(_) | Stmt::SetBlock(_) | Stmt::FilterBlock(_) => {}
        }
    }

    /// Looks at what a condition decides about.
    fn behind(&mut self, condition: &Expr<'t>, look: impl FnOnce(&mut Self)) {
        let asks = asks_for_kind(condition);
        self.unsure += u32::from(asks);
        look(self);
        self.unsure -= u32::from(asks);
    }

    fn shape(&mut self, expression: &Expr<'t>) -> Shape {
        match expression {
            Expr::Var(name) if self.bound.contains(name.id) => Shape::Unknown,
            Expr::Var(name) => (self.known)(name.id),
            Expr::Const(constant) => constant_shape(&constant.value),
            Expr::UnaryOp(operation) => self.unary(operation, range_of(expression)),
            Expr::BinOp(operation) => self.operation(operation, range_of(expression)),
            Expr::Compare(comparison) => self.comparison(comparison),
            Expr::IfExpr(either) => {
                self.shape(&either.test_expr);
                let mut shape = Shape::Unknown;
                self.behind(&either.test_expr, |types| {
                    shape = types.shape(&either.true_expr);
                    let other = either.false_expr.as_ref().map(|it| types.shape(it));
                    shape = std::mem::take(&mut shape).either(other.unwrap_or_default());
                });
                shape
            }
            Expr::Filter(filter) => self.filter(filter, range_of(expression)),
            Expr::Test(test) => {
                self.lenient(&test.expr);
                arguments(&test.args).for_each(|it| drop(self.shape(it)));
                Shape::Bool
            }
            Expr::GetAttr(part) => {
                let whole = self.shape(&part.expr);
                self.part(&part.expr, whole, (part.name, range_of(expression)))
            }
            Expr::GetItem(part) => self.item(part, range_of(expression)),
            Expr::Slice(slice) => {
                let parts = [&slice.start, &slice.stop, &slice.step];
                parts.into_iter().flatten().for_each(|part| drop(self.shape(part)));
                match self.shape(&slice.expr) {
                    shape @ (Shape::Text | Shape::List) => shape,
                    _ => Shape::Unknown,
                }
            }
            Expr::Call(call) => {
                arguments(&call.args).for_each(|it| drop(self.shape(it)));
                match &call.expr {
                    Expr::Var(name) if name.id == "range" => Shape::List,
                    _ => Shape::Unknown,
                }
            }
            Expr::List(list) => {
                list.items.iter().for_each(|item| drop(self.shape(item)));
                Shape::List
            }
            Expr::Tuple(_) | Expr::Map(_) => {
                children(expression).into_iter().for_each(|it| drop(self.shape(it)));
                match expression {
                    Expr::Map(_) => Shape::Mapping(None),
                    // It is joined with lists in no way.
                    _ => Shape::Unknown,
                }
            }
        }
    }

    fn unary(&mut self, operation: &UnaryOp<'t>, range: Range<usize>) -> Shape {
        let shape = self.shape(&operation.expr);
        if let UnaryOpKind::Not = operation.op {
            return Shape::Bool;
        }
        if matches!(shape, Shape::Text | Shape::List | Shape::Mapping(_)) {
            let message =
                format!("`-` takes a number, not {}", self.named(&operation.expr, &shape));
            self.tell(range, message, None);
        }
        Shape::Number
    }

    fn filter(&mut self, filter: &Filter<'t>, range: Range<usize>) -> Shape {
        let value = filter.expr.as_ref();
        let shape = match (filter.name, value) {
            // What is missing is what it is for.
            ("default" | "d", Some(value)) => {
                self.lenient(value);
                Shape::Unknown
            }
            (_, value) => value.map(|value| self.shape(value)).unwrap_or_default(),
        };
        arguments(&filter.args).for_each(|it| drop(self.shape(it)));
        let answer = self.trials.filter(filter.name, &shape, &filter.args);
        self.filter_answer(filter.name, (range, value), (answer, &shape))
    }

    /// What stands in brackets behind a value.
    fn item(&mut self, part: &GetItem<'t>, range: Range<usize>) -> Shape {
        let whole = self.shape(&part.expr);
        self.shape(&part.subscript_expr);
        match (&part.subscript_expr, &whole) {
            (Expr::Const(key), Shape::Mapping(_) | Shape::Number | Shape::Bool)
                if key.value.as_str().is_some() =>
            {
                let key = key.value.as_str().unwrap_or_default();
                self.part(&part.expr, whole, (key, range))
            }
            _ => Shape::Unknown,
        }
    }

    /// Looks at what may be missing.
    fn lenient(&mut self, expression: &Expr<'t>) {
        self.unsure += 1;
        self.shape(expression);
        self.unsure -= 1;
    }

    /// What stands behind a dot.
    fn part(
        &mut self,
        whole: &Expr<'t>,
        shape: Shape,
        (key, range): (&str, Range<usize>),
    ) -> Shape {
        match shape {
            Shape::Mapping(Some(mut keys)) => match keys.remove(key) {
                Some(shape) => shape,
                // Unknown parameters and variables are told where all names are looked at.
                None if matches!(whole, Expr::Var(name) if name.id != "item") => Shape::Unknown,
                None => {
                    let names: Vec<String> =
                        keys.into_keys().map(|key| format!("`{key}`")).collect();
                    let hint = match names.is_empty() {
                        true => "it has no keys".to_owned(),
                        false => format!("there are: {}", names.join(", ")),
                    };
                    let message = format!("there is no `{}.{key}`", self.words(range_of(whole)));
                    self.tell_name(range, message, hint);
                    Shape::Unknown
                }
            },
            Shape::Number | Shape::Bool | Shape::Text => {
                let message = format!("{} has no `{key}`", self.named(whole, &shape));
                self.tell_name(range, message, "only mappings have names in them".to_owned());
                Shape::Unknown
            }
            _ => Shape::Unknown,
        }
    }

    fn operation(&mut self, operation: &BinOp<'t>, range: Range<usize>) -> Shape {
        use BinOpKind::{Add, Concat, Div, FloorDiv, In, Mul, Pow, Rem, ScAnd, ScOr, Sub};
        let left = self.shape(&operation.left);
        let right = match operation.op {
            ScAnd | ScOr => {
                let mut right = Shape::Unknown;
                self.behind(&operation.left, |types| right = types.shape(&operation.right));
                right
            }
            _ => self.shape(&operation.right),
        };
        let sign = match operation.op {
            Add => "+",
            Sub => "-",
            Mul => "*",
            Div => "/",
            FloorDiv => "//",
            Rem => "%",
            Pow => "**",
            ScAnd | ScOr => return left.either(right),
            Concat => return Shape::Text,
            In => {
                self.check_in(&operation.right, &right);
                return Shape::Bool;
            }
            _ => {
                let sides = [(&operation.left, &left), (&operation.right, &right)];
                self.compare(sides, order_of(operation.op), range);
                return Shape::Bool;
            }
        };
        match result(sign, &left, &right) {
            Some(shape) => shape,
            None => {
                let sides = [(&operation.left, left), (&operation.right, right)];
                let [one, other] = sides.map(|(side, shape)| self.named(side, &shape));
                let message = format!("`{sign}` does not go with {one} and {other}");
                let hint = if sign == "+" {
                    "`~` joins texts; `| int` and `| float` make a number of a text"
                } else {
                    "`| int` and `| float` make a number of a text"
                };
                self.tell(range, message, Some(hint));
                Shape::Unknown
            }
        }
    }

    fn comparison(&mut self, comparison: &Compare<'t>) -> Shape {
        let mut earlier = (&comparison.expr, self.shape(&comparison.expr));
        for next in &comparison.ops {
            let shape = self.shape(&next.expr);
            let range = range_of(earlier.0).start..range_of(&next.expr).end;
            match next.op {
                CompareOpKind::In | CompareOpKind::NotIn => self.check_in(&next.expr, &shape),
                op => {
                    let is_order = !matches!(op, CompareOpKind::Eq | CompareOpKind::Ne);
                    self.compare([(earlier.0, &earlier.1), (&next.expr, &shape)], is_order, range);
                }
            }
            earlier = (&next.expr, shape);
        }
        Shape::Bool
    }

    fn check_in(&mut self, expression: &Expr<'t>, shape: &Shape) {
        if matches!(shape, Shape::Number | Shape::Bool) {
            let message = format!("nothing is in {}", self.named(expression, shape));
            self.tell(
                range_of(expression),
                message,
                Some("`in` looks into texts, lists and mappings"),
            );
        }
    }

    /// Tells of values that are never equal, or of which none is the smaller one.
    fn compare(&mut self, sides: [(&Expr<'t>, &Shape); 2], is_order: bool, range: Range<usize>) {
        let [(left, one), (right, other)] = sides;
        if !one.differs(other) || (!is_order && !self.never_equal(sides)) {
            return;
        }
        // The engine takes yes and no as numbers.
        if matches!((one, other), (Shape::Bool, Shape::Number) | (Shape::Number, Shape::Bool)) {
            return;
        }
        let words = [self.named(left, one), self.named(right, other)];
        let message = match is_order {
            true => format!("{} and {} have no order", words[0], words[1]),
            false => format!("{} and {} are never equal", words[0], words[1]),
        };
        let hint = sides.iter().find_map(|(side, _)| {
            let Expr::Const(constant) = side else { return None };
            let text = constant.value.as_str()?;
            let is_value = text.parse::<f64>().is_ok() || matches!(text, "true" | "false");
            is_value.then(|| format!("without the quotes it is what is meant: `{text}`"))
        });
        let hint = hint.or_else(|| {
            let is_number = |shape: &Shape| *shape == Shape::Number;
            (is_number(one) || is_number(other))
                .then(|| "`| int` and `| float` make a number of a text".to_owned())
        });
        self.tell(range, message, hint.as_deref());
    }

    /// Whether a value that is written out stands beside a name whose kind is declared.
    fn never_equal(&self, sides: [(&Expr<'t>, &Shape); 2]) -> bool {
        let is_declared = |expression: &Expr<'t>| match expression {
            Expr::Var(name) => name.id == "index" || name.id == "round" || !is_root(name.id),
            Expr::GetAttr(part) => matches!(&part.expr, Expr::Var(name) if name.id == "params"),
            _ => false,
        };
        let is_constant = |expression: &Expr<'t>| matches!(expression, Expr::Const(_));
        let [(left, _), (right, _)] = sides;
        (is_declared(left) && is_constant(right)) || (is_declared(right) && is_constant(left))
    }

    fn filter_answer(
        &mut self,
        name: &str,
        (range, value): (Range<usize>, Option<&Expr<'t>>),
        (answer, shape): (Answer, &Shape),
    ) -> Shape {
        match answer {
            Answer::Works => filtered(name, shape),
            Answer::Arguments => {
                let message =
                    format!("`{name}` takes fewer arguments, or more, or by another name");
                self.tell(range, message, None);
                filtered(name, shape)
            }
            Answer::Never => {
                let value = value.map_or_else(String::new, |value| self.named(value, shape));
                self.tell(range, format!("`{name}` does not go with {value}"), None);
                filtered(name, shape)
            }
        }
    }

    /// An expression with what it is.
    fn named(&self, expression: &Expr<'t>, shape: &Shape) -> String {
        let noun = shape.noun().unwrap_or("a value");
        match expression {
            Expr::Var(_) | Expr::GetAttr(_) | Expr::Const(_) | Expr::GetItem(_) => {
                format!("`{}` ({noun})", self.words(range_of(expression)))
            }
            _ => noun.to_owned(),
        }
    }

    fn words(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or_default().trim()
    }

    fn tell(&mut self, range: Range<usize>, message: String, hint: Option<&str>) {
        if self.unsure == 0 {
            let hint = hint.map(str::to_owned);
            self.found.push(Mistake { range, message, hint, is_name: false });
        }
    }

    fn tell_name(&mut self, range: Range<usize>, message: String, hint: String) {
        if self.unsure == 0 {
            let hint = Some(hint);
            self.found.push(Mistake { range, message, hint, is_name: true });
        }
    }
}

fn is_root(name: &str) -> bool {
    super::ROOTS.contains(&name)
}

/// Whether it is asked of what kind a value is, or what is in it.
fn asks_for_kind(condition: &Expr<'_>) -> bool {
    let is_in = |op| matches!(op, CompareOpKind::In | CompareOpKind::NotIn);
    match condition {
        Expr::Test(_) => true,
        Expr::BinOp(operation) if matches!(operation.op, BinOpKind::In) => true,
        Expr::Compare(comparison) if comparison.ops.iter().any(|next| is_in(next.op)) => true,
        Expr::Filter(filter) if matches!(filter.name, "default" | "d") => true,
        other => children(other).into_iter().any(asks_for_kind),
    }
}

fn order_of(op: BinOpKind) -> bool {
    !matches!(op, BinOpKind::Eq | BinOpKind::Ne)
}

fn constant_shape(value: &Value) -> Shape {
    match value.kind() {
        minijinja::value::ValueKind::Bool => Shape::Bool,
        minijinja::value::ValueKind::Number => Shape::Number,
        minijinja::value::ValueKind::String => Shape::Text,
        _ => Shape::Unknown,
    }
}

/// What an operator makes of two values; nothing if it never goes with them.
pub(super) fn result(sign: &str, left: &Shape, right: &Shape) -> Option<Shape> {
    use Shape::{Bool, List, Mapping, Number, Text, Unknown};
    match (sign, left, right) {
        (_, Mapping(_), _) | (_, _, Mapping(_)) => None,
        (_, Number | Bool, Number | Bool) => Some(Number),
        ("+", Text, Text) | ("*", Text, Number | Bool) | ("*", Number | Bool, Text) => Some(Text),
        ("+", List, List) | ("*", List, Number | Bool) | ("*", Number | Bool, List) => Some(List),
        ("+" | "*", Unknown, _) | ("+" | "*", _, Unknown) => Some(Unknown),
        (_, Unknown, Number | Bool | Unknown) | (_, Number | Bool, Unknown) => Some(Number),
        _ => None,
    }
}

/// What a filter makes of a value.
fn filtered(name: &str, shape: &Shape) -> Shape {
    match name {
        "int" | "float" | "round" | "abs" | "length" | "count" => Shape::Number,
        "upper" | "lower" | "title" | "capitalize" | "trim" | "replace" | "join" | "string"
        | "tojson" | "quote" | "escape" | "e" | "indent" => Shape::Text,
        "list" | "sort" | "split" | "lines" | "items" | "dictsort" | "unique" | "batch"
        | "slice" => Shape::List,
        "bool" => Shape::Bool,
        "default" | "d" => shape.clone(),
        _ => Shape::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::{environment, to_value};

    fn told(expression: &str) -> Vec<String> {
        let known = |name: &str| match name {
            "params" => Shape::of(&json!({
                "n": 1, "s": "a", "b": true, "l": [1], "deep": {"k": 1},
            })),
            "item" => Shape::of_each(&[json!({"a": 1, "b": "x"}), json!({"a": 2})]),
            "index" => Shape::Number,
            _ => Shape::Unknown,
        };
        let text = format!("{{{{ {expression} }}}}");
        let found = mistakes(&environment(), &text, &known).0;
        found.into_iter().map(|mistake| text[mistake.range].trim().to_owned()).collect()
    }

    #[test]
    fn what_can_never_be_worked_out_is_told_with_its_place() {
        for wrong in [
            "params.n + 'a'",
            "params.s - 1",
            "params.l + 1",
            "params.deep * 2",
            "params.n > 'a'",
            "params.s <= 3",
            "params.l < params.n",
            "params.b == 'true'",
            "'5' != params.n",
            "index == 'first'",
            "params.n.foo",
            "item.c",
            "item.a.b",
            "params.s | round",
            "params.n | join(',')",
            "params.l | join(1, 2, 3)",
            "params.s | upper('x')",
            "params.s | replace('a')",
            "tasks.a.outputs.x | length(3)",
            "params.s | replace('a', 'b', by='c')",
        ] {
            assert_eq!(told(wrong), [wrong]);
        }
        assert_eq!(told("1 in params.n"), ["params.n"]);
        assert_eq!(told("-params.s"), ["-params.s"]);
        assert_eq!(told("(params.n + 'a') * 2 > 3 and params.s > 3").len(), 2);
    }

    #[test]
    fn what_may_hold_is_not() {
        for fine in [
            "tasks.a.outputs.n + 'a'",
            "tasks.a.outputs.n > 3 and tasks.a.outputs.n > 'a'",
            "params.n + 1.5 * params.b",
            "params.s ~ params.n",
            "params.s * 3 + 'b'",
            "params.l + [1]",
            "params.l[7] + 'x'",
            "params.b == 1",
            "item.b + 'x'",
            "item.b > 3",
            "item.c | default(3)",
            "item.c is defined and item.c > 3",
            "item.c if item.c is defined else 3",
            "'c' in item and item.c > 3",
            "'x' == 3",
            "params.s | int > 3",
            "params.s | round if params.s is number else 0",
            "params.l | join",
            "params.l | map('upper') | join(',')",
            "params.s | split(',') | length > 2",
            "params.s | indent(4, true)",
            "params.n | string == '3'",
            "'%s-%s' | format(params.n, params.s)",
            "params.deep.items()",
            "params.l | batch(params.n, 'x') | list",
            "params.s[0] == 'a'",
            "params.deep['k'] + 1",
        ] {
            assert_eq!(told(fine), Vec::<String>::new(), "{fine}");
        }
        let text = "{% for item in params.l %}{{ item.zz }}{% endfor %}";
        let known = |_: &str| Shape::Number;
        let found = mistakes(&environment(), &format!("{{{{ 1 }}}}{text}"), &known).0;
        assert_eq!(found.len(), 1, "only that a number has no `l`: {found:?}");
    }

    /// The table of operators says of each pair of kinds what the engine does.
    #[test]
    fn the_operators_are_those_of_the_engine() {
        let values = [json!(true), json!(2), json!(1.5), json!("a"), json!([1]), json!({"a": 1})];
        let environment = environment();
        for sign in ["+", "-", "*", "/", "//", "%", "**"] {
            let expression = environment.compile_expression_owned(format!("a {sign} b")).unwrap();
            for (left, right) in
                values.iter().flat_map(|one| values.iter().map(move |it| (one, it)))
            {
                let shapes = (Shape::of(left), Shape::of(right));
                let expected = result(sign, &shapes.0, &shapes.1);
                let context = to_value(&json!({"a": left, "b": right}));
                match (expression.eval(context), expected) {
                    (Ok(value), Some(shape)) => {
                        let json = serde_json::to_value(&value).unwrap();
                        assert_eq!(Shape::of(&json), shape, "{left} {sign} {right}");
                    }
                    (Ok(value), None) => panic!("{left} {sign} {right} is {value}"),
                    // A text repeated so often as a fraction says.
                    (Err(_), Some(_)) => {
                        assert!([left, right].iter().any(|it| it.is_f64() || it.is_boolean()))
                    }
                    (Err(_), None) => {}
                }
            }
        }
    }
}
