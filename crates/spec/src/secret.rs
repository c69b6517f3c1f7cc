//! Secrets as a workflow knows them: where each is to be found, and where it may be used.
//!
//! A source is written as one text: `env:NAME`, `file:PATH`, `credentials:NAME`, `PROVIDER:KEY`.
//! It stands in the definition and may be shown. A secret is the whole value of a variable of a
//! task and stands nowhere else: scripts are texts that are rendered, kept and shown.

use std::path::Path;

use model::secret::{SecretRef, SecretSource};

use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::SecretFile;
use crate::read::Placed;
use crate::source::Extent;
use crate::suggest::nearest;
use crate::template::single_expression;
use crate::template::words;

/// The sources that every worker knows.
const BUILT_IN: [&str; 3] = ["env", "file", "credentials"];

/// A source as one text. It can be read as one: nothing else is made into this type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceText(pub String);

impl SourceText {
    /// The text, if it is a source. A name of a provider that is nearly that of a built-in source
    /// is a mistyped one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (from, rest) = text.split_once(':')?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let is_mistyped = !BUILT_IN.contains(&from) && nearest(from, BUILT_IN).is_some();
        let is_sound = !from.is_empty()
            && from.chars().all(is_word)
            && !rest.trim().is_empty()
            && !rest.starts_with("//")
            && !rest.contains(char::is_control)
            && text.len() <= crate::limits::ARGUMENT_BYTES_MAX;
        (is_sound && !is_mistyped).then(|| Self(text.to_owned()))
    }

    /// The same source with its file, if it is one, beginning at a folder.
    pub(crate) fn within(self, folder: &Path) -> Self {
        match self.0.strip_prefix("file:") {
            Some(path) => Self(format!("file:{}", folder.join(path).display())),
            None => self,
        }
    }

    /// As the worker takes it.
    pub(crate) fn reference(&self, name: &str) -> SecretRef {
        let (from, rest) = self.0.split_once(':').unwrap_or_default();
        let rest = rest.to_owned();
        let source = match from {
            "env" => SecretSource::Environment { variable: rest },
            "file" => SecretSource::File { path: rest },
            "credentials" => SecretSource::Credentials { name: rest },
            provider => SecretSource::Provider { provider: provider.to_owned(), key: rest },
        };
        SecretRef { name: name.to_owned(), source }
    }
}

/// The source that is written as a mapping.
pub(crate) fn source(
    name: &Placed<String>,
    file: &SecretFile,
    faults: &mut Faults,
) -> Option<SourceText> {
    let Some(from) = &file.from else {
        let message = format!("the secret `{}` has no `from`", name.value);
        let fault = Fault::new(code::MISSING_KEY, name.extent, message);
        faults.push(fault.hint("write `from: env`, `from: file` or `from: credentials`"));
        return None;
    };
    let keys = [("name", &file.name), ("path", &file.path), ("key", &file.key)];
    let wanted = match from.value.as_str() {
        "env" | "credentials" => "name",
        "file" => "path",
        _ => "key",
    };
    for (key, value) in keys {
        if let Some(value) = value.as_ref().filter(|_| key != wanted) {
            let message = format!("a secret from `{}` has no `{key}`", from.value);
            let fault = Fault::new(code::CONFLICT, value.extent, message);
            faults.push(fault.hint(format!("write `{wanted}`")));
        }
    }
    let given = keys.iter().find(|(key, _)| *key == wanted).and_then(|(_, value)| value.as_ref());
    let rest = match given {
        Some(value) => &value.value,
        None if wanted == "path" => {
            let message = format!("the secret `{}` has no `path`", name.value);
            faults.push(Fault::new(code::MISSING_KEY, from.extent, message));
            return None;
        }
        None => &name.value,
    };
    let source = SourceText::parse(&format!("{}:{rest}", from.value));
    if source.is_none() {
        let message = format!("`{}` is no source of secrets", from.value);
        let hint = match nearest(&from.value, BUILT_IN) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write `env`, `file`, `credentials` or the name of a provider".to_owned(),
        };
        faults.push(Fault::new(code::BAD_VALUE, from.extent, message).hint(hint));
    }
    source
}

/// The secret that a text is, and nothing beside it: `{{ secrets.token }}` is `token`, and
/// `{{ params.token }}` is `params.token`, if that parameter is a secret.
pub(crate) fn whole(text: &str) -> Option<String> {
    let may_be_one = text.contains("secrets") || text.contains("params");
    if !may_be_one || text.trim() != text {
        return None;
    }
    let marked = format!("{{{{{}}}}}", single_expression(text)?);
    let references = words(&marked).references;
    let [reference] = references.as_slice() else { return None };
    let [name] = reference.path.as_slice() else { return None };
    if reference.range != (2..marked.len() - 2) {
        return None;
    }
    match reference.root.as_str() {
        "secrets" => Some(name.clone()),
        "params" => Some(format!("params.{name}")),
        _ => None,
    }
}

/// Notes a secret in a text where none may stand.
pub(crate) fn misplaced(name: &str, extent: Extent) -> Fault {
    let message = format!("the secret `{name}` may not stand here");
    Fault::new(code::SECRET_PLACE, extent, message).hint(format!(
        "give it to the task as a variable of its own, `env: {{TOKEN: \"{{{{ {name} }}}}\"}}`, \
         and read that in the script"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_word_and_what_it_knows() {
        for text in ["env:TOKEN", "file:a b/c", "credentials:db", "vault:kv/db#password"] {
            assert_eq!(SourceText::parse(text), Some(SourceText(text.to_owned())));
        }
        for text in ["hunter22", "env:", ":x", "en v:x", "envv:X", "https://x", "file:a\nb"] {
            assert_eq!(SourceText::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_begins_at_a_folder() {
        let within =
            |text: &str| SourceText(text.to_owned()).within(Path::new("/w")).reference("s").source;
        assert_eq!(within("file:s/key"), SecretSource::File { path: "/w/s/key".to_owned() });
        assert_eq!(within("file:/etc/key"), SecretSource::File { path: "/etc/key".to_owned() });
        assert_eq!(within("env:X"), SecretSource::Environment { variable: "X".to_owned() });
    }

    #[test]
    fn a_secret_is_a_whole_text() {
        let found = |text: &str| whole(text);
        assert_eq!(found("{{ secrets.token }}").as_deref(), Some("token"));
        assert_eq!(found("${{ secrets['my-token'] }}").as_deref(), Some("my-token"));
        assert_eq!(found("{{params.token}}").as_deref(), Some("params.token"));
        for text in [
            "Bearer {{ secrets.token }}",
            "{{ secrets.token }}{{ secrets.token }}",
            "{{ secrets.token | upper }}",
            "{{ secrets }}",
            "{{ secrets.a.b }}",
            "{{ (secrets.a) }}",
            " {{ secrets.token }}",
            "secrets.token",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
