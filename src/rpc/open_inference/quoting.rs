//! A caller's words in our messages: shown, but not at any length.

use std::borrow::Cow;

/// Letters that are worth showing.
const MOST: usize = 64;

/// The beginning of `word`.
pub(super) fn short(word: &str) -> Cow<'_, str> {
    match word.char_indices().nth(MOST) {
        None => Cow::Borrowed(word),
        Some((end, _)) => Cow::Owned(format!("{}…", &word[..end])),
    }
}

/// The same in quotes, with what is no letter escaped.
pub(super) fn quoted(word: &str) -> String {
    format!("{:?}", short(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_cut_between_letters() {
        assert_eq!(quoted("input"), "\"input\"");
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
        let long = "ü".repeat(MOST + 1);
        assert_eq!(short(&long).chars().count(), MOST + 1);
        assert_eq!(short(&long[2..]), long[2..]);
    }
}
