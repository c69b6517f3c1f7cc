//! "Did you mean": the known word that is nearest to a mistyped one.

/// Words compared at most, so that one typing error in a file of a million tasks stays cheap.
const COMPARED_MAX: usize = 20_000;

/// The candidate nearest to `word`, if it is near enough to be meant.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let length = word.chars().count();
    let allowed = (length / 3).max(1);
    candidates
        .into_iter()
        .take(COMPARED_MAX)
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= 4 * allowed)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|&(distance, candidate)| {
            distance <= allowed && distance < candidate.chars().count().max(length)
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// The hint that names the nearest candidate.
pub(crate) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    nearest(word, candidates).map(|meant| format!("did you mean `{meant}`?"))
}

/// Edits between two words, a swap of neighbours being one; case and `-` for `_` cost nothing.
fn distance(one: &str, other: &str) -> usize {
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    strsim::osa_distance(&plain(one), &plain(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["depends_on", "script", "retry", "prepare-data"];
        assert_eq!(nearest("depend_on", words), Some("depends_on"));
        assert_eq!(nearest("dependsOn", words), Some("depends_on"));
        assert_eq!(nearest("sciprt", words), Some("script"));
        assert_eq!(nearest("prepare_data", words), Some("prepare-data"));
        assert_eq!(nearest("image", words), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
