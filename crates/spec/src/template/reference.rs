//! What a template refers to: `params.rate`, `tasks["fetch"].outputs.rows`, with the place in the
//! text. Found by reading the words inside the marks, so that it can be told to the letter where a
//! wrong one stands. It decides nothing about their meaning.

use std::ops::Range;

/// The names that are looked at; all others are left to the template engine.
pub(crate) const ROOTS: [&str; 12] = [
    "params", "env", "tasks", "item", "index", "items", "round", "run", "result", "output",
    "secrets", "with",
];

/// A name with the literal steps that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// `params`, `tasks`, ...
    pub root: String,
    /// `.a` and `["a"]` alike; ends before the first step that is computed.
    pub path: Vec<String>,
    /// Where it stands in the text, root and path, in bytes.
    pub range: Range<usize>,
}

/// All references of an expression, or of a template.
pub(crate) fn expression_references(expression: &str) -> Vec<Reference> {
    if super::is_template(expression) {
        return words(&super::normalised(expression)).references;
    }
    words(&format!("{{{{ {expression} }}}}")).references
}

/// What is said between the marks of a template, in the order of the text.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub references: Vec<Reference>,
    /// Where the names of filters stand.
    pub filters: Vec<Range<usize>>,
}

/// All references and filters of a template.
pub(crate) fn words(text: &str) -> Words {
    let mut found = Words::default();
    let mut at = 0;
    while let Some((start, end_mark)) = next_mark(text, at) {
        let mut reader = Reader { text, at: start, end_mark };
        let is_raw = end_mark == "%}"
            && reader.text[start..].trim_start_matches(['-', '+', ' ']).starts_with("raw");
        reader.collect(&mut found);
        at = reader.at;
        if is_raw {
            at = text[at..].find("endraw").map_or(text.len(), |raw| at + raw);
        }
    }
    found
}

/// The start of the next expression or statement, behind its mark, and the mark that ends it.
fn next_mark(text: &str, from: usize) -> Option<(usize, &'static str)> {
    let rest = text.get(from..)?;
    let expression = rest.find("{{").map(|at| (from + at + 2, "}}"));
    let statement = rest.find("{%").map(|at| (from + at + 2, "%}"));
    match (expression, statement) {
        (Some(one), Some(other)) => Some(if one.0 < other.0 { one } else { other }),
        (one, other) => one.or(other),
    }
}

/// Reads the words between two marks.
struct Reader<'t> {
    text: &'t str,
    at: usize,
    end_mark: &'static str,
}

impl Reader<'_> {
    /// Reads up to the end mark, or to the end of the text.
    fn collect(&mut self, found: &mut Words) {
        let (mut after_dot, mut after_pipe) = (false, false);
        while let Some(next) = self.peek() {
            if self.text[self.at..].starts_with(self.end_mark) {
                self.at += self.end_mark.len();
                return;
            }
            match next {
                '"' | '\'' => {
                    self.literal();
                }
                _ if is_word(next) => {
                    let start = self.at;
                    let word = self.word();
                    if after_pipe {
                        found.filters.push(start..self.at);
                    } else if !after_dot
                        && ROOTS.contains(&word.as_str())
                        && !self.is_keyword_argument()
                    {
                        let path = self.path();
                        found.references.push(Reference {
                            root: word,
                            path,
                            range: start..self.at,
                        });
                    }
                    (after_dot, after_pipe) = (false, false);
                    continue;
                }
                _ => self.at += next.len_utf8(),
            }
            after_dot = next == '.' || (after_dot && next.is_whitespace());
            after_pipe = next == '|' || (after_pipe && next.is_whitespace());
        }
    }

    /// The steps that follow a root. Stops in front of the first that is no literal.
    fn path(&mut self) -> Vec<String> {
        let mut path = Vec::new();
        loop {
            let before = self.at;
            self.skip_spaces();
            let step = match self.peek() {
                Some('.') => {
                    self.at += 1;
                    self.skip_spaces();
                    self.peek().filter(|&next| is_word(next)).map(|_| self.word())
                }
                Some('[') => {
                    self.at += 1;
                    self.subscript()
                }
                _ => None,
            };
            match step {
                Some(step) => path.push(step),
                None => {
                    self.at = before;
                    return path;
                }
            }
        }
    }

    /// `"name"]`, behind the opening bracket.
    fn subscript(&mut self) -> Option<String> {
        self.skip_spaces();
        self.peek().filter(|&next| next == '"' || next == '\'')?;
        let step = self.literal()?;
        self.skip_spaces();
        self.peek().filter(|&next| next == ']')?;
        self.at += 1;
        Some(step)
    }

    /// A quoted text without its quotes; nothing if it does not end.
    fn literal(&mut self) -> Option<String> {
        let quote = self.peek()?;
        self.at += quote.len_utf8();
        let mut text = String::new();
        while let Some(next) = self.peek() {
            self.at += next.len_utf8();
            match next {
                '\\' => {
                    text.extend(self.peek());
                    self.at += self.peek().map_or(0, char::len_utf8);
                }
                _ if next == quote => return Some(text),
                _ => text.push(next),
            }
        }
        None
    }

    fn word(&mut self) -> String {
        let rest = &self.text[self.at..];
        let length = rest.find(|next| !is_word(next)).unwrap_or(rest.len());
        self.at += length;
        rest[..length].to_owned()
    }

    /// `item=...` is the name of an argument or of a new variable, not a use.
    fn is_keyword_argument(&self) -> bool {
        let rest = self.text[self.at..].trim_start();
        rest.starts_with('=') && !rest.starts_with("==")
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += self.peek().map_or(0, char::len_utf8);
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }
}

fn is_word(next: char) -> bool {
    next == '_' || next.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        words(text)
            .references
            .iter()
            .map(|reference| {
                format!(
                    "{}/{} {}",
                    reference.root,
                    reference.path.join("/"),
                    &text[reference.range.clone()]
                )
            })
            .collect()
    }

    #[test]
    fn steps_by_dot_and_by_bracket_are_the_same() {
        assert_eq!(
            found("a {{ params.x + tasks['fetch-data'].outputs.rows }} params.y {% if item %}"),
            [
                "params/x params.x",
                "tasks/fetch-data/outputs/rows tasks['fetch-data'].outputs.rows",
                "item/ item",
            ]
        );
        assert_eq!(found("{{ tasks.生成.outputs }}"), ["tasks/生成/outputs tasks.生成.outputs"]);
    }

    #[test]
    fn filters_are_found() {
        let text = "{{ item | upper|default('|x') }} | y {% for a in item | sort %}";
        let filters = words(text).filters.into_iter().map(|range| &text[range]);
        assert_eq!(filters.collect::<Vec<_>>(), ["upper", "default", "sort"]);
    }

    #[test]
    fn what_is_computed_ends_the_path() {
        assert_eq!(found("{{ tasks[params.t].x }}"), ["tasks/ tasks", "params/t params.t"]);
        assert_eq!(found("{{ item.k[0].z }}"), ["item/k item.k"]);
    }

    #[test]
    fn texts_attributes_arguments_and_raw_are_no_references() {
        assert_eq!(found("{{ 'params.x }}' ~ a.params | f(item=1) }}"), Vec::<String>::new());
        assert_eq!(found("{% raw %}{{ item }}{% endraw %}{{ index }}"), ["index/ index"]);
        assert_eq!(found("{{ tasks['a"), ["tasks/ tasks"]);
    }
}
