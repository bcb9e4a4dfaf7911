//! The text of an error of a parser, without the text that was parsed.
//!
//! GetModelInfo and the log show why a file is rejected. The file may hold a password in the wrong
//! place, and the messages of parsers quote lines and values. These functions keep the position, the
//! name of a field and what was expected.

/// The longest name of a field that is shown.
const MAX_NAME_CHARS: usize = 64;

/// The text of an error in the TOML document `text`: line, column, and what was expected.
#[must_use]
pub fn toml_error_text(text: &str, error: &toml::de::Error) -> String {
    let message = without_values(error.message());
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
            format!("line {line}, column {column}: {message}")
        }
        None => message,
    }
}

/// The text of an error in a JSON document: what was expected, line and column.
#[must_use]
pub fn json_error_text(error: &serde_json::Error) -> String {
    without_values(&error.to_string())
}

/// A message of serde or of a parser without the values that it quotes.
fn without_values(message: &str) -> String {
    let expected_at = |separator: &str| {
        message
            .rfind(separator)
            .and_then(|at| message.get(at + separator.len()..))
    };
    for start in ["invalid type: ", "invalid value: ", "invalid length "] {
        let Some(found) = message.strip_prefix(start) else {
            continue;
        };
        let Some(expected) = expected_at(", expected ") else {
            return "a value is not valid".to_owned();
        };
        // serde writes the type before the value: `string "abc"`.
        let found_type = match found.split(|letter: char| !letter.is_ascii_alphabetic()).next() {
            Some(word) if start != "invalid length " && !word.is_empty() => format!(", found another {word}"),
            _ => String::new(),
        };
        return format!("expected {expected}{found_type}");
    }
    if message.starts_with("unknown variant ") {
        return match expected_at("`, expected ") {
            Some(expected) => format!("expected {expected}"),
            None => "a value is not valid".to_owned(),
        };
    }
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let name = rest.split('`').next().unwrap_or_default();
        let expected = expected_at("`, expected ").map(|expected| format!(", expected {expected}"));
        return format!("unknown field {}{}", shown_name(name), expected.unwrap_or_default());
    }
    // Everything else is constant, or names a field of ours. A quotation mark belongs to a value.
    let is_punctuation = message.contains("`\"`");
    if message.contains('"') && !is_punctuation {
        return "a value is not valid".to_owned();
    }
    message.trim().replace('\n', ", ")
}

/// The name of a key, shortened and on one line.
pub(super) fn shown_name(name: &str) -> String {
    let is_plain = |letter: char| !letter.is_control();
    let short: String = name
        .chars()
        .filter(|&letter| is_plain(letter))
        .take(MAX_NAME_CHARS)
        .collect();
    if short.len() < name.len() {
        format!("{short}…")
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document {
        #[expect(dead_code, reason = "only its type matters")]
        count: u32,
        #[expect(dead_code, reason = "only its type matters")]
        kind: Kind,
        #[expect(dead_code, reason = "only its type matters")]
        range: [f64; 2],
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
    enum Kind {
        One {
            #[expect(dead_code, reason = "only its type matters")]
            at: u8,
        },
        Two,
    }

    const GOOD: &str = "count = 1\nkind = { name = \"one\", at = 1 }\nrange = [0, 1]\n";

    fn toml_text(text: &str) -> String {
        toml_error_text(text, &toml::from_str::<Document>(text).unwrap_err())
    }

    #[test]
    fn no_message_quotes_the_document() {
        toml::from_str::<Document>(GOOD).unwrap();
        for (old, new, expected) in [
            (
                "= 1\n",
                "= \"hunter2\"\n",
                "line 1, column 9: expected u32, found another string",
            ),
            ("= 1\n", "= \"a, expected hunter2\"\n", "expected u32"),
            ("= 1\n", "= hunter2\n", "line 1, column 9: "),
            ("= 1\n", "= \"hunter2\n", "line 1, column "),
            ("= 1\n", "= 1 hunter2\n", "line 1, column "),
            ("count = 1\n", "hunter2 secret\n", "line 1, column "),
            ("= 1\n", "= [\"hunter2\"]\n", "expected u32"),
            ("\"one\"", "\"hunter2\"", "expected `one` or `two`"),
            (
                "\"one\"",
                "\"`hunter2`, expected `hunter2`\"",
                "expected `one` or `two`",
            ),
            ("at = 1", "at = \"hunter2\"", "expected u8"),
            ("[0, 1]", "[\"hunter2\", 1]", "expected f64"),
            ("[0, 1]", "\"hunter2\"", "expected an array of length 2"),
            (
                "[0, 1]",
                "[0, 1]\ncolour = \"hunter2\"",
                "line 4, column 1: unknown field colour",
            ),
            (
                "[0, 1]",
                "[0, 1]\nrange = \"hunter2\"",
                "line 4, column 1: duplicate key",
            ),
        ] {
            let found = toml_text(&GOOD.replacen(old, new, 1));
            assert!(found.contains(expected), "{new}: {found}");
            assert!(
                !found.contains("hunter2") && !found.contains("secret"),
                "{new}: {found}"
            );
            assert!(!found.contains('\n'), "{new}: {found}");
        }
    }

    #[test]
    fn a_json_message_keeps_its_position() {
        for text in [
            r#"{"count": "hunter2"}"#,
            r#"{"count": hunter2}"#,
            r#"{"count": 1, "kind": {"name": "hunter2"}}"#,
            r#"{"count": 1} "hunter2""#,
            r#""hunter2""#,
        ] {
            let found = json_error_text(&serde_json::from_str::<Document>(text).unwrap_err());
            assert!(
                found.contains("line 1 column ") && !found.contains("hunter2"),
                "{found}"
            );
        }
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(shown_name("mixture.alpha"), "mixture.alpha");
        let found = shown_name(&format!("a\n{}", "b".repeat(200)));
        assert!(
            found.chars().count() == MAX_NAME_CHARS + 1 && !found.contains('\n'),
            "{found}"
        );
    }
}
