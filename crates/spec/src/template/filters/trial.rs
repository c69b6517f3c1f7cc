//! Filters, tried on values: what a filter takes is asked of the filter itself.
//!
//! A few values stand for all of a kind. What fails with each of them, and for no reason that lies
//! in a value, fails with all.

use minijinja::machinery::ast::{CallArg, Expr};
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, ErrorKind};
use model::collections::HashMap;
use serde_json::json;

use crate::template::shape::Shape;
use crate::template::to_value;
use crate::template::tree::arguments;

/// What these do depends on what they are given as text: a format, the name of another filter.
const BY_VALUE: [&str; 8] =
    ["format", "map", "select", "reject", "selectattr", "rejectattr", "groupby", "attr"];

/// What comes of applying a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::template) enum Answer {
    /// It may work.
    Works,
    /// There are too many arguments, or too few.
    Arguments,
    /// It does not take such a value.
    Never,
}

/// Trials of filters, each made once.
pub(in crate::template) struct Trials<'e> {
    environment: &'e Environment<'e>,
    made: HashMap<String, Answer>,
}

impl<'e> Trials<'e> {
    pub(in crate::template) fn new(environment: &'e Environment<'_>) -> Self {
        Self { environment, made: HashMap::default() }
    }

    /// What comes of applying a filter to what is of this shape.
    pub(in crate::template) fn filter(
        &mut self,
        name: &str,
        shape: &Shape,
        given: &[CallArg<'_>],
    ) -> Answer {
        let has_splat =
            given.iter().any(|it| matches!(it, CallArg::PosSplat(_) | CallArg::KwargSplat(_)));
        if has_splat || BY_VALUE.contains(&name) {
            return Answer::Works;
        }
        let constants: Option<Vec<Value>> = arguments(given)
            .map(|it| if let Expr::Const(it) = it { Some(it.value.clone()) } else { None })
            .collect();
        let keys: Vec<Option<&str>> = given
            .iter()
            .map(|it| if let CallArg::Kwarg(key, _) = it { Some(*key) } else { None })
            .collect();
        let key = format!("{name} {:?} {keys:?} {constants:?}", shape.noun());
        if let Some(answer) = self.made.get(&key) {
            return *answer;
        }
        let answer = self.tried(name, shape, (&keys, constants));
        self.made.insert(key, answer);
        answer
    }

    fn tried(
        &self,
        name: &str,
        shape: &Shape,
        (keys, constants): (&[Option<&str>], Option<Vec<Value>>),
    ) -> Answer {
        if let Some(constants) = constants.filter(|_| *shape != Shape::Unknown) {
            match self.outcome(name, shape, (keys, &[constants])) {
                Answer::Never => {}
                answer => return answer,
            }
            let stand_ins = stand_ins(keys.len());
            return match self.outcome(name, shape, (keys, &stand_ins)) {
                Answer::Arguments => Answer::Arguments,
                _ => Answer::Never,
            };
        }
        match self.outcome(name, shape, (keys, &stand_ins(keys.len()))) {
            Answer::Arguments => Answer::Arguments,
            // Other arguments might do.
            _ => Answer::Works,
        }
    }

    /// What comes of all values of a shape with each choice of arguments.
    fn outcome(
        &self,
        name: &str,
        shape: &Shape,
        (keys, choices): (&[Option<&str>], &[Vec<Value>]),
    ) -> Answer {
        let mut answer = Answer::Never;
        let mut state = self.environment.empty_state();
        for value in values_of(shape) {
            for choice in choices {
                let given = with_keys(value.clone(), keys, choice);
                match state.apply_filter(name, &given).map_err(|error| error.kind()) {
                    Err(ErrorKind::TooManyArguments | ErrorKind::MissingArgument) => {
                        answer = Answer::Arguments;
                    }
                    Err(ErrorKind::InvalidOperation) => {}
                    _ => return Answer::Works,
                }
            }
        }
        answer
    }
}

/// The arguments of a filter, the value first and those with names last.
fn with_keys(value: Value, keys: &[Option<&str>], values: &[Value]) -> Vec<Value> {
    let mut given = vec![value];
    let mut named = Vec::new();
    for (key, value) in keys.iter().zip(values) {
        match key {
            Some(key) => named.push((*key, value.clone())),
            None => given.push(value.clone()),
        }
    }
    if !named.is_empty() {
        given.push(Kwargs::from_iter(named).into());
    }
    given
}

/// What an argument may be of which nothing is known.
fn stand_ins(count: usize) -> Vec<Vec<Value>> {
    let values = [json!(","), json!(1), json!(true), json!([1]), json!({"a": 1})];
    values.iter().map(|value| vec![to_value(value); count]).collect()
}

/// Values of a shape; of all shapes if it is not known.
fn values_of(shape: &Shape) -> Vec<Value> {
    let bools = [json!(true), json!(false)];
    let numbers = [json!(0), json!(1), json!(-1), json!(1.5)];
    let texts = ["", "a", "1", "1.5", "true", "[1]", "{\"a\": 1}", "a,b\nc"].map(|it| json!(it));
    let lists = [json!([]), json!([1]), json!(["a"]), json!([[1, 2]]), json!([{"a": 1}])];
    let mappings = [json!({}), json!({"a": 1}), json!({"a": "b"})];
    let all: Vec<_> = match shape {
        Shape::Bool => bools.to_vec(),
        Shape::Number => numbers.to_vec(),
        Shape::Text => texts.to_vec(),
        Shape::List => lists.to_vec(),
        Shape::Mapping(_) => mappings.to_vec(),
        Shape::Unknown => {
            bools.into_iter().chain(numbers).chain(texts).chain(lists).chain(mappings).collect()
        }
    };
    all.iter().map(to_value).collect()
}
