//! What tasks ask of the workers that attempts go to, there and back.

use model::Constraints;
use model::site::{Domain, Selector};
use prost::Message;

use crate::error::DecodeError;
use crate::noun::{Nothing, required};

#[derive(Clone, PartialEq, Message)]
pub(super) struct ConstraintsForm {
    #[prost(message, repeated, tag = "1")]
    select: Vec<SelectorForm>,
    #[prost(message, repeated, tag = "2")]
    prefer: Vec<SelectorForm>,
    #[prost(string, repeated, tag = "3")]
    tolerate: Vec<String>,
    #[prost(message, optional, tag = "4")]
    spread: Option<DomainForm>,
    #[prost(message, optional, tag = "5")]
    together: Option<DomainForm>,
}

#[derive(Clone, PartialEq, Message)]
struct SelectorForm {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, repeated, tag = "2")]
    values: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct DomainForm {
    #[prost(oneof = "DomainKind", tags = "1, 2")]
    kind: Option<DomainKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum DomainKind {
    #[prost(message, tag = "1")]
    Node(Nothing),
    #[prost(string, tag = "2")]
    Label(String),
}

pub(super) fn write(constraints: &Constraints) -> ConstraintsForm {
    let selectors = |selectors: &[Selector]| selectors.iter().map(write_selector).collect();
    ConstraintsForm {
        select: selectors(&constraints.select),
        prefer: selectors(&constraints.prefer),
        tolerate: constraints.tolerate.iter().map(ToString::to_string).collect(),
        spread: constraints.spread.as_ref().map(write_domain),
        together: constraints.together.as_ref().map(write_domain),
    }
}

pub(super) fn read(form: ConstraintsForm) -> Result<Constraints, DecodeError> {
    let selectors = |forms: Vec<SelectorForm>| forms.into_iter().map(read_selector).collect();
    Ok(Constraints {
        select: selectors(form.select),
        prefer: selectors(form.prefer),
        tolerate: form.tolerate.into_iter().map(String::into_boxed_str).collect(),
        spread: form.spread.map(read_domain).transpose()?,
        together: form.together.map(read_domain).transpose()?,
    })
}

fn write_selector(selector: &Selector) -> SelectorForm {
    let values = selector.values.iter().map(ToString::to_string).collect();
    SelectorForm { key: selector.key.to_string(), values }
}

fn read_selector(form: SelectorForm) -> Selector {
    let values = form.values.into_iter().map(String::into_boxed_str).collect();
    Selector { key: form.key.into_boxed_str(), values }
}

fn write_domain(domain: &Domain) -> DomainForm {
    let kind = match domain {
        Domain::Node => DomainKind::Node(Nothing {}),
        Domain::Label(key) => DomainKind::Label(key.to_string()),
    };
    DomainForm { kind: Some(kind) }
}

fn read_domain(form: DomainForm) -> Result<Domain, DecodeError> {
    Ok(match required("what workers are grouped by", form.kind)? {
        DomainKind::Node(_) => Domain::Node,
        DomainKind::Label(key) => Domain::Label(key.into_boxed_str()),
    })
}
