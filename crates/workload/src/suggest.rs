//! "Did you mean": the known word that is nearest to a mistyped one.

/// The hint that names the nearest of some words, if one is near enough to be meant.
pub(crate) fn did_you_mean<'w>(
    word: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Option<String> {
    let plain = word.to_lowercase().replace('-', "_");
    // Files that were recorded elsewhere have words of their own: `gpu_time` is not `gpu_type`.
    let allowed = if plain.chars().count() < 10 { 1 } else { 2 };
    let distances = words.into_iter().map(|known| (strsim::osa_distance(&plain, known), known));
    let near = distances.filter(|&(distance, known)| distance <= allowed && distance < known.len());
    near.min_by_key(|&(distance, _)| distance).map(|(_, known)| format!("did you mean `{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["submit_s", "duration_s", "gpus"];
        assert_eq!(did_you_mean("durations", words).unwrap(), "did you mean `duration_s`?");
        assert_eq!(did_you_mean("gpu", words).unwrap(), "did you mean `gpus`?");
        assert_eq!(did_you_mean("cluster", words), None);
        assert_eq!(did_you_mean("gpu_time", ["gpu_type"]), None);
    }
}
