//! Quotes a caller's text in error messages, with a limit on its length.

use std::borrow::Cow;

/// The most characters of a caller's text in a message.
const MAX_CHARS: usize = 64;

/// The text, cut after `MAX_CHARS` characters.
pub(super) fn truncated(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_CHARS) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// The truncated text in quotes, with special characters escaped.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", truncated(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(quoted("input"), "\"input\"");
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
        let long = "ü".repeat(MAX_CHARS + 1);
        assert_eq!(truncated(&long).chars().count(), MAX_CHARS + 1);
        assert_eq!(truncated(&long[2..]), long[2..]);
    }
}
