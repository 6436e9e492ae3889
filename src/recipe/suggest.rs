//! "Did you mean": the nearest of some known words.

/// The known word that was probably meant; none if nothing is near.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // A longer one is no slip of the keyboard, and comparing it costs its length times that of every known word.
    if word.len() > 64 {
        return None;
    }
    let flat = |text: &str| text.to_ascii_lowercase().replace('_', "-");
    let given = flat(word);
    let limit = (given.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter(|known| known.len() <= 64)
        .map(|known| (strsim::damerau_levenshtein(&given, &flat(known)), known))
        .filter(|&(distance, known)| distance <= limit && distance < known.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, known)| known)
}

/// The help that goes with it.
pub(super) fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    nearest(word, known).map(|known| format!("did you mean `{known}`?"))
}

/// Words in backquotes, for a list in a sentence.
pub(super) fn list<'k>(words: impl IntoIterator<Item = &'k str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_mended_and_strangers_are_not() {
        let known = ["ports", "stop-signal", "cmd", "to", "from"];
        for (word, meant) in [
            ("prots", Some("ports")),
            ("port", Some("ports")),
            ("stop_signal", Some("stop-signal")),
            ("Cmd", Some("cmd")),
            ("form", Some("from")),
            ("banana", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(1 << 20), known), None);
    }
}
