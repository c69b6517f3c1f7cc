//! Models beside a file: those that its calls name and that it does not declare come from
//! `models.yaml` beside it, with where their keys are found. So the same text can ask one server
//! here and another there.

use super::library::{owned, relocate};
use crate::call::CallKind;
use crate::diagnostic::{Diagnostics, Faults};
use crate::file::{Models, Secrets};
use crate::node::{Content, Entry, Node};
use crate::parse::{decode, parse};
use crate::read::Read;
use crate::secret::whole;
use crate::source::Extent;

/// The name of the file beside.
pub(crate) const MODELS: &str = "models.yaml";

/// What stands in the file beside.
#[derive(Default)]
struct Found {
    models: Vec<Entry<'static>>,
    secrets: Vec<Entry<'static>>,
}

/// Adds the models that are named and not declared, as far as they stand beside.
///
/// # Errors
/// What is wrong with the file beside.
pub(crate) fn add_models(
    root: &mut Node<'_>,
    beside: &super::Beside<'_>,
) -> Result<(), Diagnostics> {
    let mut wanted = Vec::new();
    collect(root, &mut wanted);
    let Content::Map(entries) = &mut root.content else { return Ok(()) };
    let known = keys_of(entries, "models");
    wanted.retain(|(name, _)| !known.contains(name));
    if wanted.is_empty() {
        return Ok(());
    }
    let Some(bytes) = beside() else { return Ok(()) };
    let found = read(&bytes)?;
    let secrets = keys_of(entries, "secrets");
    let mut known = known;
    while let Some((name, extent)) = wanted.pop() {
        let Some(model) = found.models.iter().find(|entry| entry.key == name) else { continue };
        if known.contains(&name) {
            continue;
        }
        known.push(name);
        wanted.extend(fallbacks_of(&model.value).map(|name| (name, extent)));
        let key = field(&model.value, "api_key").and_then(|key| whole(&key.scalar()?.text));
        let secret = found.secrets.iter().find(|entry| Some(&*entry.key) == key.as_deref());
        if let Some(secret) = secret.filter(|secret| !secrets.iter().any(|it| *it == secret.key)) {
            put(entries, "secrets", secret, extent);
        }
        put(entries, "models", model, extent);
    }
    Ok(())
}

/// The models that calls name, with where.
fn collect(node: &Node<'_>, wanted: &mut Vec<(String, Extent)>) {
    let entries = match &node.content {
        Content::Map(entries) => entries,
        Content::List(items) => return items.iter().for_each(|item| collect(item, wanted)),
        Content::Scalar(_) => return,
    };
    for entry in entries {
        let is_call = [CallKind::Generate, CallKind::Embed].iter().any(|it| it.key() == entry.key);
        let name = field(&entry.value, "model").filter(|_| is_call);
        match name.and_then(|name| Some((name.scalar()?, name.extent))) {
            Some((name, extent)) => wanted.push((name.text.to_string(), extent)),
            None => collect(&entry.value, wanted),
        }
    }
}

fn field<'n, 's>(node: &'n Node<'s>, key: &str) -> Option<&'n Node<'s>> {
    match &node.content {
        Content::Map(entries) => entries.iter().find(|it| it.key == key).map(|it| &it.value),
        _ => None,
    }
}

fn fallbacks_of(model: &Node<'_>) -> impl Iterator<Item = String> {
    let all = match field(model, "fallbacks").map(|it| &it.content) {
        Some(Content::List(items)) => items.iter().filter_map(Node::scalar).collect(),
        Some(Content::Scalar(one)) => vec![one],
        _ => Vec::new(),
    };
    let names: Vec<String> = all.into_iter().map(|scalar| scalar.text.to_string()).collect();
    names.into_iter()
}

fn keys_of(entries: &[Entry<'_>], key: &str) -> Vec<String> {
    let found = entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value.content);
    match found {
        Some(Content::Map(inner)) => inner.iter().map(|entry| entry.key.to_string()).collect(),
        _ => Vec::new(),
    }
}

/// Adds an entry below a key of the file; all of it stands where it is used.
fn put<'s>(entries: &mut Vec<Entry<'s>>, key: &'static str, entry: &Entry<'static>, at: Extent) {
    let mut entry = entry.clone();
    entry.key_extent = at;
    relocate(&mut entry.value, at);
    if !entries.iter().any(|it| it.key == key) {
        let value = Node { extent: at, content: Content::Map(Vec::new()) };
        entries.push(Entry { key: key.into(), key_extent: at, value });
    }
    let holder = entries.iter_mut().find(|it| it.key == key);
    if let Some(Content::Map(inner)) = holder.map(|holder| &mut holder.value.content) {
        inner.push(entry);
    }
}

/// The models in a text: all of its keys, or those under `models`, with `secrets` beside them.
fn read(bytes: &[u8]) -> Result<Found, Diagnostics> {
    let mut faults = Faults::default();
    let text = decode(bytes, &mut faults).unwrap_or_default();
    let root = parse(text, &mut faults);
    let found = root.map(|root| check(root, &mut faults)).unwrap_or_default();
    match faults.is_empty() {
        true => Ok(found),
        false => Err(faults.into_diagnostics(MODELS, text)),
    }
}

fn check(root: Node<'_>, faults: &mut Faults) -> Found {
    let is_full = field(&root, "models").is_some();
    let mut found = Found::default();
    let mut take = |key: &str, node: &Node<'_>, faults: &mut Faults| {
        let (is_sound, into) = match key {
            "secrets" => (Secrets::read(node, key, faults).is_some(), &mut found.secrets),
            _ => (Models::read(node, key, faults).is_some(), &mut found.models),
        };
        if let (true, Content::Map(entries)) = (is_sound, owned(node.clone()).content) {
            into.extend(entries);
        }
    };
    if !is_full {
        take("models", &root, faults);
        return found;
    }
    if let Content::Map(entries) = &root.content {
        for entry in entries {
            match &*entry.key {
                key @ ("models" | "secrets") => take(key, &entry.value, faults),
                key if key.starts_with("x-") || key == "$schema" => {}
                _ => {
                    let words = (&["models", "secrets"][..], &[][..]);
                    crate::read::unknown_key(entry, "a file of models", words, faults);
                }
            }
        }
    }
    found
}
