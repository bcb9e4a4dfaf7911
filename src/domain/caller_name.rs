//! The names that operators give to callers.

/// The most characters of a name.
const MAX_LENGTH: usize = 64;

/// Whether `name` may name a caller: from 1 to 64 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`.
#[must_use]
pub fn is_caller_name(name: &str) -> bool {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || ".-_".contains(character);
    (1..=MAX_LENGTH).contains(&name.len()) && name.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "planner-1.eu_west", &"x".repeat(MAX_LENGTH)] {
            assert!(is_caller_name(name), "{name}");
        }
        for name in ["", "two words", "ümlaut", "token:", "a\n", &"x".repeat(MAX_LENGTH + 1)] {
            assert!(!is_caller_name(name), "{name}");
        }
    }
}
