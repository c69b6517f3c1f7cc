//! Diagnostics as a terminal shows them: the source line, a caret, and what to do.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Diagnostics, Place, Severity};

impl Diagnostics {
    /// All of them, one below the other, with a summary when there are several.
    #[must_use]
    pub fn to_terminal(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut shown = String::new();
        for diagnostic in &self.diagnostics {
            let file = diagnostic.file.as_deref().unwrap_or(&self.file);
            let groups = report(file, diagnostic);
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
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code.0);
    let mut group = Group::with_title(title);
    for (place, annotations) in by_line(diagnostic) {
        let snippet = Snippet::source(place.excerpt.as_str())
            .line_start(place.line as usize)
            .annotations(annotations);
        let before = &place.excerpt[..place.excerpt_start];
        if before.chars().count() + 1 == place.column as usize {
            group = group.element(snippet.path(file));
        } else {
            // A piece from within a very long line: its columns are not those of the file.
            let origin = Origin::path(file).line(place.line as usize);
            group = group.element(origin.char_column(place.column as usize)).element(snippet);
        }
    }
    if diagnostic.place.is_none() && diagnostic.related.is_empty() && !file.is_empty() {
        group = group.element(Origin::path(file));
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(hint));
    }
    vec![group]
}

/// What is marked in each line: its own place first, then those that explain it.
fn by_line(diagnostic: &Diagnostic) -> Vec<(&Place, Vec<Annotation<'_>>)> {
    let mut lines: Vec<(&Place, Vec<Annotation<'_>>)> = Vec::new();
    let own = diagnostic.place.iter();
    let own = own.map(|place| (place, AnnotationKind::Primary, diagnostic.label.as_str()));
    let related = diagnostic.related.iter();
    let related = related.map(|it| (&it.place, AnnotationKind::Context, it.label.as_str()));
    for (place, kind, label) in own.chain(related) {
        let start = place.excerpt_start;
        let end = (start + place.length as usize).min(place.excerpt.len());
        let annotation = kind.span(start..end);
        let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
        let same = |first: &Place| first.line == place.line && first.excerpt == place.excerpt;
        match lines.iter_mut().find(|(first, _)| same(first)) {
            Some((_, annotations)) => annotations.push(annotation),
            None => lines.push((place, vec![annotation])),
        }
    }
    lines
}
