//! Diagnostics as a terminal shows them: the source line, a caret, and what to do.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Diagnostics, Place, Severity};

impl Diagnostics {
    /// All of them, one below the other, with a summary when there are several.
    #[must_use]
    pub fn to_terminal(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut shown = String::new();
        for diagnostic in &self.diagnostics {
            let groups = report(&self.file, diagnostic);
            shown.push_str(&renderer.render(&groups));
            shown.push_str("\n\n");
        }
        let count = self.diagnostics.len() + self.omitted;
        match self.omitted {
            0 if count == 1 => {}
            0 => shown.push_str(&format!("{}: {count} errors\n", self.file)),
            _ => shown.push_str(&format!(
                "{}: {count} errors, of which the first {} are shown\n",
                self.file,
                self.diagnostics.len()
            )),
        }
        shown.truncate(shown.trim_end().len());
        shown.push('\n');
        shown
    }
}

fn report<'d>(file: &'d str, diagnostic: &'d Diagnostic) -> Vec<Group<'d>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group =
        Group::with_title(level.primary_title(&diagnostic.message).id(diagnostic.code.0));
    match &diagnostic.place {
        Some(place) => {
            group = at(group, file, place, AnnotationKind::Primary, &diagnostic.label);
        }
        None if !file.is_empty() => group = group.element(Origin::path(file)),
        None => {}
    }
    for related in &diagnostic.related {
        group = at(group, file, &related.place, AnnotationKind::Context, &related.label);
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(hint));
    }
    vec![group]
}

fn at<'d>(
    group: Group<'d>,
    file: &'d str,
    place: &'d Place,
    kind: AnnotationKind,
    label: &'d str,
) -> Group<'d> {
    let start = place.excerpt_start;
    let end = (start + place.length as usize).min(place.excerpt.len());
    let annotation = kind.span(start..end);
    let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
    let origin =
        Origin::path(file).line(place.line as usize).char_column(place.column as usize);
    let snippet = Snippet::source(place.excerpt.as_str())
        .line_start(place.line as usize)
        .annotation(annotation);
    group.element(origin).element(snippet)
}
