//! Templates in texts: `{{ expression }}` and `{% statement %}`, as MiniJinja reads them.
//!
//! A text without these marks is not a template and never meets the template engine. Rendering is
//! bounded in instructions and in bytes, and what values may grow to is weighed before. Undefined
//! names are errors, and nothing is escaped for HTML: lists and objects are written as JSON. `{#`
//! begins no comment, because `${#list[@]}` is common in scripts.

use std::borrow::Cow;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use model::collections::HashMap;
use model::limits::RENDERED_BYTES_MAX;

use crate::limits::{RENDER_FUEL, TEMPLATES_CACHED_MAX};

mod filters;
mod growth;
mod reference;
mod shape;
mod tree;
mod types;

pub(crate) use growth::{check_expression, check_text};
pub(crate) use reference::{ROOTS, Reference, expression_references, words};
pub(crate) use shape::Shape;
pub(crate) use types::{Mistake, mistakes};

/// Whether a text has marks in it.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// The text in the engine's own notation: `${{ x }}`, which hands type too, is `{{ x }}`.
pub(crate) fn normalised(text: &str) -> Cow<'_, str> {
    if text.contains("${{") { Cow::Owned(text.replace("${{", "{{")) } else { Cow::Borrowed(text) }
}

/// The expression of a text that is one expression in marks and nothing else.
pub(crate) fn single_expression(text: &str) -> Option<String> {
    let text = normalised(text.trim());
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.trim_matches(['-', '+']).trim();
    (!inner.is_empty() && !inner.contains("{{") && !inner.contains("}}")).then(|| inner.to_owned())
}

/// The template engine with the language's settings and no templates.
pub(crate) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(RENDER_FUEL));
    environment.set_formatter(write_value);
    environment.set_syntax(syntax());
    filters::bound(&mut environment);
    // Its values could grow with every turn of a loop, unseen.
    environment.remove_global("namespace");
    environment.add_filter("quote", quote);
    environment.add_filter("tojson", tojson);
    environment
}

fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .comment_delimiters("{#{", "}#}")
        .keep_trailing_newline(true)
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .expect("the marks differ from each other")
}

/// The names that every template may use beside the workflow's own.
pub(crate) fn is_global(environment: &Environment<'_>, name: &str) -> bool {
    environment.globals().any(|(global, _)| global == name)
}

/// Any value that serde can write, as the engine's.
pub(crate) fn to_value(value: &impl serde::Serialize) -> Value {
    Value::from(Serde(value))
}

fn write_value(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    Ok(out.write_str(&written(value)?)?)
}

/// Texts as they are, everything else as JSON.
fn written(value: &Value) -> Result<Cow<'_, str>, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Cow::Borrowed(text));
    }
    json(value).map(Cow::Owned)
}

/// One word of a shell command, whatever is in it.
fn quote(value: &Value) -> Result<String, Error> {
    Ok(format!("'{}'", written(defined(value)?)?.replace('\'', r"'\''")))
}

/// Compact JSON. The engine's own writes `null` for what is not defined and escapes for HTML.
fn tojson(value: &Value) -> Result<String, Error> {
    json(defined(value)?)
}

/// JSON of at most as many bytes as a rendered text may have.
fn json(value: &Value) -> Result<String, Error> {
    let mut bytes = Bounded::new(RENDERED_BYTES_MAX);
    serde_json::to_writer(&mut bytes, value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(String::from_utf8(bytes.into_bytes()).expect("JSON is UTF-8"))
}

fn defined(value: &Value) -> Result<&Value, Error> {
    if value.is_undefined() { Err(ErrorKind::UndefinedError.into()) } else { Ok(value) }
}

/// Parsed templates, shared by all that render. When it is full it is emptied, so that a file of
/// a million different texts does not keep a million parsed ones.
#[derive(Debug)]
pub(crate) struct Templates {
    parsed: RwLock<Parsed>,
}

#[derive(Debug)]
struct Parsed {
    /// Each template under its own text as the name.
    environment: Environment<'static>,
    references: HashMap<Box<str>, Arc<[Reference]>>,
}

/// A parsed template as it is borrowed from the cache.
struct Found<'p>(std::sync::RwLockReadGuard<'p, Parsed>);

impl Default for Templates {
    fn default() -> Self {
        let parsed = Parsed { environment: environment(), references: HashMap::default() };
        Self { parsed: RwLock::new(parsed) }
    }
}

impl Templates {
    /// What a template refers to.
    ///
    /// # Errors
    /// The template cannot be parsed.
    pub(crate) fn references(&self, text: &str) -> Result<Arc<[Reference]>, Error> {
        Ok(self.find(text)?.0.references[text].clone())
    }

    /// Renders a template.
    ///
    /// # Errors
    /// It cannot be parsed, names something that is not defined, or exceeds a bound.
    pub(crate) fn render(&self, text: &str, context: &Value) -> Result<String, Error> {
        let found = self.find(text)?;
        let template = found.0.environment.get_template(text)?;
        let mut rendered = Bounded::new(RENDERED_BYTES_MAX);
        template.render_captured_to(context.clone(), &mut rendered)?;
        Ok(String::from_utf8(rendered.into_bytes()).expect("the engine writes whole strings"))
    }

    fn find(&self, text: &str) -> Result<Found<'_>, Error> {
        loop {
            let parsed = self.parsed.read().unwrap_or_else(PoisonError::into_inner);
            if parsed.references.contains_key(text) {
                return Ok(Found(parsed));
            }
            drop(parsed);
            self.parsed.write().unwrap_or_else(PoisonError::into_inner).add(text)?;
        }
    }
}

impl Parsed {
    fn add(&mut self, text: &str) -> Result<(), Error> {
        if self.references.len() >= TEMPLATES_CACHED_MAX {
            self.environment.clear_templates();
            self.references.clear();
        }
        let normal = normalised(text);
        check_text(&normal)?;
        self.environment.add_template_owned(text.to_owned(), normal.into_owned())?;
        let mut references = words(text).references;
        references.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        references.dedup_by(|one, other| one.root == other.root && one.path == other.path);
        self.references.insert(text.into(), references.into());
        Ok(())
    }
}

/// A buffer that refuses to grow above a limit.
pub(crate) struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Bounded {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.bytes_max {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(text: &str) -> Result<String, Error> {
        let context = to_value(&json!({
            "params": {"rate": 0.1, "words": ["a", "b"], "on": true, "none": null},
            "item": {"k": "it's"},
        }));
        Templates::default().render(text, &context)
    }

    #[test]
    fn values_are_written_as_scripts_want_them() {
        assert_eq!(
            render("{{ params.rate }} ${{ params.words }}\n").unwrap(),
            "0.1 [\"a\",\"b\"]\n"
        );
        assert_eq!(render("{{ params.on }} {{ params.none }}").unwrap(), "true null");
        assert_eq!(render("{{ item.k | quote }} {{ item.k }}").unwrap(), r"'it'\''s' it's");
        assert_eq!(
            render("{{ params.words | tojson }}{% if params.on %}!{% endif %}").unwrap(),
            "[\"a\",\"b\"]!"
        );
    }

    #[test]
    fn a_line_of_statements_leaves_nothing_behind() {
        let text = "a\n  {% for word in params.words %}\n  {{ word }}\n  {% endfor %}\nb\n";
        assert_eq!(render(text).unwrap(), "a\n  a\n  b\nb\n");
    }

    #[test]
    fn shell_lengths_are_no_comments() {
        assert_eq!(render("${#list[@]} {{ params.rate }}").unwrap(), "${#list[@]} 0.1");
    }

    #[test]
    fn undefined_names_are_errors_unless_a_default_is_given() {
        for text in ["params.rat", "params.rat | tojson", "params.rat | quote", "params.rat.x"] {
            let error = render(&format!("{{{{ {text} }}}}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UndefinedError, "{text}");
        }
        assert_eq!(render("{{ params.rat | default('x') }}").unwrap(), "x");
    }

    #[test]
    fn rendering_is_bounded() {
        assert!(
            render("{% for i in range(99999) %}{% for j in range(99) %}{% endfor %}{% endfor %}")
                .is_err()
        );
        let error = render("{{ 'x' * 2000000 }}").unwrap_err();
        assert!(render("{{ 'x' * 1000000 }}").is_ok());
        assert_eq!(error.kind(), ErrorKind::WriteFailure);
    }

    #[test]
    fn the_cache_is_bounded() {
        let templates = Templates::default();
        for number in 0..=TEMPLATES_CACHED_MAX {
            templates.references(&format!("{{{{ tasks.t{number}.outputs.k }}}}")).unwrap();
        }
        assert_eq!(templates.parsed.read().unwrap().references.len(), 1);
    }
}
