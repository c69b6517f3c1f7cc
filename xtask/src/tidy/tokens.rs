//! Rules on tokens: macros that mean "later", silenced lints, silent skips, glob re-exports.
//!
//! Tokens, not text: a rule never fires on a comment or on the inside of a string.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::visit::Visit;
use syn::{ItemUse, UseTree, Visibility};

use super::finding::Finding;
use super::sources::RustFile;

/// Macros that must not reach a commit, and why.
const BANNED_MACROS: &[(&str, &str)] = &[
    ("todo", "write it, or leave it out"),
    ("unimplemented", "write it, or return an error"),
    ("dbg", "remove it, or report through a proper event"),
];

/// Checks the tokens of one file.
pub(crate) fn check(file: &RustFile<'_>) -> Vec<Finding> {
    let mut scan = Scan { path: &file.source.path, findings: Vec::new() };
    scan.stream(file.tokens.clone());
    scan.visit_file(&file.syntax);
    scan.findings
}

struct Scan<'a> {
    path: &'a str,
    findings: Vec<Finding>,
}

impl Scan<'_> {
    fn stream(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) if is_attribute(&tokens[..at], group.delimiter()) => {
                    self.attribute(group.stream(), group.span_open());
                }
                TokenTree::Group(group) => self.stream(group.stream()),
                TokenTree::Ident(ident) if is_call(&tokens[at + 1..]) => {
                    let banned = BANNED_MACROS.iter().find(|(name, _)| ident == name);
                    if let Some((name, advice)) = banned {
                        self.found(
                            ident.span(),
                            "macro",
                            format!("`{name}!` is left here"),
                            advice,
                        );
                    }
                }
                _ => {}
            }
        }
    }

    fn attribute(&mut self, stream: TokenStream, span: Span) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        match tokens.as_slice() {
            [TokenTree::Ident(name), TokenTree::Group(list)] if name == "cfg_attr" => {
                self.attribute(after_comma(list.stream()), span);
            }
            [TokenTree::Ident(name), ..] if name == "allow" => {
                let message = "`allow` silences a lint for ever".to_owned();
                self.found(span, "allow", message, "use `#[expect(.., reason = \"..\")]`");
            }
            [TokenTree::Ident(name)] if name == "ignore" => {
                let message = "a test is skipped and nobody knows why".to_owned();
                self.found(span, "ignore", message, "write `#[ignore = \"the reason\"]`");
            }
            _ => {}
        }
    }

    fn found(&mut self, span: Span, rule: &'static str, message: String, advice: &'static str) {
        let line = span.start().line;
        self.findings.push(Finding { path: self.path.to_owned(), line, rule, message, advice });
    }
}

impl<'ast> Visit<'ast> for Scan<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !matches!(item.vis, Visibility::Inherited) && has_glob(&item.tree) {
            let message = "a glob re-export hides what is public".to_owned();
            let span = item.use_token.span;
            self.found(span, "glob", message, "name each item that others may use");
        }
    }
}

fn has_glob(tree: &UseTree) -> bool {
    match tree {
        UseTree::Path(path) => has_glob(&path.tree),
        UseTree::Group(group) => group.items.iter().any(has_glob),
        UseTree::Glob(_) => true,
        _ => false,
    }
}

/// Whether a bracket group after `before` is an attribute: `#[..]` or `#![..]`.
fn is_attribute(before: &[TokenTree], delimiter: Delimiter) -> bool {
    let before = match before {
        [rest @ .., last] if is_punct(Some(last), '!') => rest,
        all => all,
    };
    delimiter == Delimiter::Bracket && is_punct(before.last(), '#')
}

/// Whether what follows a name makes it a macro call: `!` and a group.
fn is_call(after: &[TokenTree]) -> bool {
    is_punct(after.first(), '!') && matches!(after.get(1), Some(TokenTree::Group(_)))
}

fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// What `cfg_attr(condition, attribute)` attaches: the tokens after its first comma.
fn after_comma(stream: TokenStream) -> TokenStream {
    stream.into_iter().skip_while(|token| !is_punct(Some(token), ',')).skip(1).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sources::sample;
    use super::*;

    fn rules(text: &str) -> Vec<&'static str> {
        let source = sample("crates/server/src/a.rs", text);
        let file = RustFile::parse(&source).expect("the sample is Rust");
        check(&file).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn unfinished_work_is_found_inside_other_macros_too() {
        assert_eq!(rules("fn a() { todo!() }"), ["macro"]);
        assert_eq!(
            rules("fn a() { assert!(unimplemented!(\"x\")); dbg!(1); }"),
            ["macro", "macro"]
        );
        assert!(rules("/// todo!()\nfn a() { print(\"dbg!(1)\") }").is_empty());
        assert!(rules("fn todo() -> bool { todo != (1) }").is_empty());
    }

    #[test]
    fn a_silenced_lint_is_found() {
        assert_eq!(rules("#![allow(dead_code)]"), ["allow"]);
        assert_eq!(rules("#[cfg_attr(test, allow(dead_code))] fn a() {}"), ["allow"]);
        assert!(rules("#[expect(dead_code, reason = \"x\")] fn allow() {}").is_empty());
    }

    #[test]
    fn a_skip_needs_a_reason() {
        assert_eq!(rules("#[test]\n#[ignore]\nfn a() {}"), ["ignore"]);
        assert!(rules("#[test]\n#[ignore = \"needs a GPU\"]\nfn a() {}").is_empty());
    }

    #[test]
    fn a_glob_may_be_used_but_not_handed_on() {
        assert_eq!(rules("pub use a::{b, c::*};"), ["glob"]);
        assert_eq!(rules("pub(crate) use a::*;"), ["glob"]);
        assert!(rules("use super::*;\npub use a::b;").is_empty());
    }
}
