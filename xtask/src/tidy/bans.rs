//! Banned crates: nothing on the ban list of `deny.toml` may stand in `Cargo.lock`.
//!
//! `cargo deny` checks the same and much more, where it is installed; this is the part that must
//! hold on every machine. It understands the one layout of the list that `deny.toml` uses.

use super::finding::Finding;
use super::sources::SourceFile;

const LIST: &str = "deny.toml";
const LOCK: &str = "Cargo.lock";

/// Compares the lock file with the ban list.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let text = |path| files.iter().find(|file| file.path == path).map_or("", |file| &file.text);
    let banned = banned(text(LIST));
    if banned.is_empty() {
        return vec![finding(LIST, 1, "the ban list cannot be read".to_owned())];
    }
    let lines = text(LOCK).lines().enumerate();
    let locked =
        lines.filter_map(|(at, line)| Some((at + 1, value(line.strip_prefix("name = ")?)?)));
    let found = locked.filter(|(_, name)| banned.contains(name));
    found.map(|(line, name)| finding(LOCK, line, format!("`{name}` is banned"))).collect()
}

/// The crates of the list: one `{ crate = "NAME", .. }` a line between `deny = [` and `]`.
fn banned(text: &str) -> Vec<&str> {
    let list = text.lines().skip_while(|line| line.trim() != "deny = [").skip(1);
    let entries = list.take_while(|line| line.trim() != "]");
    entries.filter_map(|line| value(line.trim().strip_prefix("{ crate = ")?)).collect()
}

/// The text of the string that `text` begins with.
fn value(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.split_once('"').map(|(value, _)| value)
}

fn finding(path: &str, line: usize, message: String) -> Finding {
    Finding {
        path: path.to_owned(),
        line,
        rule: "ban",
        message,
        advice: "deny.toml says why; `cargo tree -i NAME` says who brings it",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sources::sample;
    use super::*;

    const DENY: &str = "[bans]\ndeny = [\n    { crate = \"openssl\", reason = \"C\" },\n]\n";

    fn messages(deny: &str, lock: &str) -> Vec<String> {
        let findings = check(&[sample(LIST, deny), sample(LOCK, lock)]);
        findings.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_banned_crate_in_the_lock_file_is_found() {
        let lock = "[[package]]\nname = \"openssl\"\n";
        assert_eq!(messages(DENY, lock), ["`openssl` is banned"]);
        assert!(messages(DENY, "[[package]]\nname = \"openssl-probe\"\n").is_empty());
    }

    #[test]
    fn a_list_that_cannot_be_read_does_not_pass() {
        assert_eq!(messages("[bans]\n", ""), ["the ban list cannot be read"]);
    }
}
