//! `type: KIND` with the settings of the kind beside it, worked into the key of the kind:
//! `{type: sleep, for: 5s}` is `{sleep: {for: 5s}}`.
//!
//! A template of that name goes before: it has taken its words by now. Bare names in the settings,
//! as in `{{topic}}`, are parameters.

use super::library::{is_own_word, name_parameters};
use crate::call::CallKind;
use crate::node::{Content, Entry, Node};
use crate::source::Extent;

/// Gathers the settings of a task that names its kind, and notes the parameters in them.
pub(super) fn gather(entries: &mut Vec<Entry<'_>>, implied: &mut Vec<(String, Extent)>) {
    let kind = |entry: &Entry<'_>| {
        let name = entry.value.scalar().filter(|_| entry.key == "type")?;
        CallKind::of(&name.text)
    };
    let found = entries.iter().enumerate().find_map(|(at, entry)| Some((at, kind(entry)?)));
    let Some((at, kind)) = found else { return };
    let Entry { value, key_extent, .. } = entries.remove(at);
    let (mut settings, keys): (Vec<_>, Vec<_>) =
        entries.drain(..).partition(|entry| is_own_word(&entry.key));
    *entries = keys;
    settings.iter_mut().for_each(|entry| name_parameters(&mut entry.value, implied));
    let content = Content::Map(settings);
    let value = Node { extent: value.extent, content };
    entries.push(Entry { key: kind.key().into(), key_extent, value });
}
