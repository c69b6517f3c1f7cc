//! How long functions and files are. Measured on the syntax tree, so the numbers are exact.
//!
//! A function counts from its name to its closing brace. A file counts without its inline test
//! modules: cases beside the code are welcome to be many.

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, ImplItemFn, Item, ItemFn, ItemImpl, Meta, Signature, TraitItemFn, Type,
};

use super::sources::RustFile;

/// The longest function, in lines.
pub(crate) const FUNCTION_LINES_MAX: usize = 70;
/// The longest file, in lines.
pub(crate) const FILE_LINES_MAX: usize = 600;

/// Something that is longer than its limit.
#[derive(Debug)]
pub(crate) struct Oversize {
    /// What names it in the ratchet: `file PATH` or `function PATH NAME`.
    pub(crate) key: String,
    /// From the root of the repository.
    pub(crate) path: String,
    /// Where it begins.
    pub(crate) line: usize,
    /// How long it is.
    pub(crate) lines: usize,
    /// The limit that it is above.
    pub(crate) lines_max: usize,
    /// Whether it belongs to a pure crate, where no exception is granted.
    pub(crate) pure: bool,
}

/// Every file and function of `files` that is above its limit.
pub(crate) fn above_the_limits(files: &[RustFile<'_>]) -> Vec<Oversize> {
    let mut found = Vec::new();
    for file in files {
        let mut functions = Functions { file, owner: None, found: Vec::new() };
        functions.visit_file(&file.syntax);
        let whole = Oversize {
            key: format!("file {}", file.source.path),
            path: file.source.path.clone(),
            line: 1,
            lines: file.source.text.lines().count() - inline_test_lines(&file.syntax.items),
            lines_max: FILE_LINES_MAX,
            pure: file.source.is_pure(),
        };
        found.push(whole);
        found.append(&mut functions.found);
    }
    found.retain(|size| size.lines > size.lines_max);
    found
}

struct Functions<'a, 'b> {
    file: &'a RustFile<'b>,
    /// The type or trait whose body is being walked.
    owner: Option<String>,
    found: Vec<Oversize>,
}

impl Functions<'_, '_> {
    fn measure(&mut self, signature: &Signature, block: &Block) {
        let path = &self.file.source.path;
        let name = match &self.owner {
            Some(owner) => format!("{owner}::{}", signature.ident),
            None => signature.ident.to_string(),
        };
        self.found.push(Oversize {
            key: format!("function {path} {name}"),
            path: path.clone(),
            line: signature.ident.span().start().line,
            lines: lines(signature.ident.span(), block.brace_token.span.close()),
            lines_max: FUNCTION_LINES_MAX,
            pure: self.file.source.is_pure(),
        });
    }
}

impl<'ast> Visit<'ast> for Functions<'_, '_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let outer = self.owner.replace(type_name(&item.self_ty));
        visit::visit_item_impl(self, item);
        self.owner = outer;
    }
}

fn type_name(of: &Type) -> String {
    match of {
        Type::Path(path) => {
            path.path.segments.last().map_or_else(String::new, |last| last.ident.to_string())
        }
        Type::Reference(reference) => type_name(&reference.elem),
        _ => "impl".to_owned(),
    }
}

/// The lines of the inline modules under `#[cfg(test)]`.
fn inline_test_lines(items: &[Item]) -> usize {
    let modules = items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.attrs.iter().any(is_cfg_test) => Some(module),
        _ => None,
    });
    let bodies = modules.filter_map(|module| {
        let (brace, _) = module.content.as_ref()?;
        Some(lines(module.mod_token.span, brace.span.close()))
    });
    bodies.sum()
}

fn is_cfg_test(attribute: &Attribute) -> bool {
    matches!(&attribute.meta, Meta::List(list)
        if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
}

fn lines(first: Span, last: Span) -> usize {
    last.end().line + 1 - first.start().line
}

#[cfg(test)]
mod tests {
    use super::super::sources::sample;
    use super::*;

    fn oversize(path: &str, text: &str) -> Vec<(String, usize)> {
        let source = sample(path, text);
        let file = RustFile::parse(&source).expect("the sample is Rust");
        above_the_limits(&[file]).into_iter().map(|size| (size.key, size.lines)).collect()
    }

    /// A function of exactly `lines` lines.
    fn function(name: &str, lines: usize) -> String {
        format!("#[inline]\nfn {name}() {{\n{}}}\n", "    call();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_is_measured_to_the_line() {
        assert!(oversize("crates/server/src/a.rs", &function("fits", 70)).is_empty());
        let long = format!("impl Driver<'_> {{\n{}}}\n", function("drive", 71));
        let key = "function crates/server/src/a.rs Driver::drive".to_owned();
        assert_eq!(oversize("crates/server/src/a.rs", &long), [(key, 71)]);
    }

    #[test]
    fn a_file_is_measured_without_its_inline_tests() {
        let body = "const A: u8 = 1;\n".repeat(599);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "fn a() {}\n".repeat(50));
        assert!(oversize("crates/server/src/a.rs", &format!("{body}{tests}")).is_empty());
        let key = "file crates/server/src/a.rs".to_owned();
        let longer = format!("{body}\n{tests}");
        assert_eq!(oversize("crates/server/src/a.rs", &longer), [(key, 601)]);
    }
}
