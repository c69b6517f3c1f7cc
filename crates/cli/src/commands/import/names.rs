//! Names that the language takes: valid, each once, and as near to what they were as can be.

use std::collections::HashSet;

/// Bytes that a name may have.
const NAME_BYTES_MAX: usize = 200;

/// Gives each name that was met one that is valid and no other's.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// The name for one that was recorded.
    pub(crate) fn take(&mut self, recorded: &str) -> String {
        let base = valid(recorded);
        let mut name = base.clone();
        let mut number = 1;
        while !self.taken.insert(name.clone()) {
            number += 1;
            let suffix = format!("-{number}");
            name = format!("{}{suffix}", shorten(&base, NAME_BYTES_MAX - suffix.len()));
        }
        name
    }
}

/// A name as near as can be. `*` and `?` would be patterns where it is depended on, and braces
/// templates where it is shown.
pub(crate) fn valid(recorded: &str) -> String {
    let sign = |sign: char| match sign {
        '/' | '*' | '?' | '{' | '}' => '_',
        sign if sign.is_control() => '_',
        sign => sign,
    };
    let name: String = recorded.trim().chars().map(sign).collect();
    match shorten(&name, NAME_BYTES_MAX).trim() {
        "" | "." | ".." => "task".to_owned(),
        name => name.to_owned(),
    }
}

fn shorten(name: &str, bytes_max: usize) -> &str {
    &name[..name.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_and_each_once() {
        let mut names = Names::default();
        let mut take = |name: &str| names.take(name);
        assert_eq!(take("mProject_ID01"), "mProject_ID01");
        assert_eq!(
            (take("a/b"), take("a*b"), take("a_b")),
            ("a_b".into(), "a_b-2".into(), "a_b-3".into())
        );
        assert_eq!(
            (take(" "), take(".."), take("task-2")),
            ("task".into(), "task-2".into(), "task-2-2".into())
        );
        let long = "é".repeat(150);
        let [first, second] = [take(&long), take(&long)];
        assert_eq!((first.len(), second.len()), (200, 200));
        assert!(second.ends_with("é-2"), "{second}");
    }
}
