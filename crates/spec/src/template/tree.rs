//! The parts of an expression, for those who go through all of it.

use std::ops::Range;

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr};

/// What is given to a call, a filter or a test.
pub(super) fn arguments<'a, 't>(given: &'a [CallArg<'t>]) -> impl Iterator<Item = &'a Expr<'t>> {
    given.iter().map(|argument| {
        let (CallArg::Pos(value)
        | CallArg::Kwarg(_, value)
        | CallArg::PosSplat(value)
        | CallArg::KwargSplat(value)) = argument;
        value
    })
}

/// The expressions that stand directly in one.
pub(super) fn children<'a, 't>(expression: &'a Expr<'t>) -> Vec<&'a Expr<'t>> {
    match expression {
        Expr::Var(_) | Expr::Const(_) => Vec::new(),
        Expr::Slice(slice) => {
            let parts = [&slice.start, &slice.stop, &slice.step];
            std::iter::once(&slice.expr).chain(parts.into_iter().flatten()).collect()
        }
        Expr::UnaryOp(operation) => vec![&operation.expr],
        Expr::BinOp(operation) => vec![&operation.left, &operation.right],
        Expr::Compare(comparison) => {
            let others = comparison.ops.iter().map(|next| &next.expr);
            std::iter::once(&comparison.expr).chain(others).collect()
        }
        Expr::IfExpr(either) => {
            let always = [&either.test_expr, &either.true_expr];
            always.into_iter().chain(&either.false_expr).collect()
        }
        Expr::Filter(filter) => filter.expr.iter().chain(arguments(&filter.args)).collect(),
        Expr::Test(test) => std::iter::once(&test.expr).chain(arguments(&test.args)).collect(),
        Expr::GetAttr(part) => vec![&part.expr],
        Expr::GetItem(part) => vec![&part.expr, &part.subscript_expr],
        Expr::Call(call) => std::iter::once(&call.expr).chain(arguments(&call.args)).collect(),
        Expr::List(list) => list.items.iter().collect(),
        Expr::Tuple(tuple) => tuple.items.iter().collect(),
        Expr::Map(map) => map.keys.iter().chain(&map.values).collect(),
    }
}

/// Where an expression stands in its text. Of much the parser notes another beginning than that
/// of what stands on its left.
pub(super) fn range_of(expression: &Expr<'_>) -> Range<usize> {
    let left = match expression {
        Expr::Filter(filter) => filter.expr.as_ref(),
        Expr::Test(test) => Some(&test.expr),
        Expr::GetAttr(part) => Some(&part.expr),
        Expr::GetItem(part) => Some(&part.expr),
        Expr::Slice(slice) => Some(&slice.expr),
        Expr::Call(call) => Some(&call.expr),
        Expr::Compare(comparison) => Some(&comparison.expr),
        Expr::BinOp(operation) if is_comparison(operation.op) => Some(&operation.left),
        _ => None,
    };
    let span = expression.span();
    let start = left.map_or(span.start_offset as usize, |left| range_of(left).start);
    start..span.end_offset as usize
}

const fn is_comparison(op: BinOpKind) -> bool {
    use BinOpKind::{Eq, Gt, Gte, In, Lt, Lte, Ne};
    matches!(op, Eq | Ne | Lt | Lte | Gt | Gte | In)
}
