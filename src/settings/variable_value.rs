//! The value of an environment variable, which is text, as a value of the type of its key.
//!
//! The type of the key decides, never the look of the text: a model may be named `007`, and a number
//! in quotation marks is not a number. The `config` crate can only guess from the text.

use config::{Map, Value, ValueKind};

/// Reads `text` as a value of the type `value_type` of a key description. A string, a path and a
/// duration are the text itself. Numbers, booleans and lists are written as in the settings file. A
/// list may also be JSON, and a list of strings may be one string without brackets.
///
/// Returns `None` if the text is no value of this type.
pub(super) fn parse(text: &str, value_type: &str) -> Option<ValueKind> {
    match value_type {
        "integer" => integer(text).or_else(|| toml(text)).filter(is_integer),
        "float" => float(text).or_else(|| toml(text)).filter(is_number),
        "boolean" => text.to_ascii_lowercase().parse().ok().map(ValueKind::Boolean),
        "list of strings" if !text.trim_start().starts_with('[') => Some(ValueKind::String(text.to_owned())),
        "list of floats" | "list of strings" | "list of tables" => toml(text)
            .or_else(|| json(text))
            .filter(|kind| matches!(kind, ValueKind::Array(_))),
        _ => Some(ValueKind::String(text.to_owned())),
    }
}

fn integer(text: &str) -> Option<ValueKind> {
    let signed = text.parse().ok().map(ValueKind::I64);
    signed.or_else(|| text.parse().ok().map(ValueKind::U64))
}

fn float(text: &str) -> Option<ValueKind> {
    text.parse().ok().map(ValueKind::Float)
}

fn is_integer(kind: &ValueKind) -> bool {
    matches!(kind, ValueKind::I64(_) | ValueKind::U64(_))
}

fn is_number(kind: &ValueKind) -> bool {
    is_integer(kind) || matches!(kind, ValueKind::Float(_))
}

fn toml(text: &str) -> Option<ValueKind> {
    let value: toml_edit::Value = text.trim().parse().ok()?;
    Some(kind_of_toml(&value))
}

fn kind_of_toml(value: &toml_edit::Value) -> ValueKind {
    match value {
        toml_edit::Value::String(text) => ValueKind::String(text.value().clone()),
        toml_edit::Value::Integer(number) => ValueKind::I64(*number.value()),
        toml_edit::Value::Float(number) => ValueKind::Float(*number.value()),
        toml_edit::Value::Boolean(flag) => ValueKind::Boolean(*flag.value()),
        toml_edit::Value::Datetime(time) => ValueKind::String(time.value().to_string()),
        toml_edit::Value::Array(items) => {
            ValueKind::Array(items.iter().map(|item| Value::new(None, kind_of_toml(item))).collect())
        }
        toml_edit::Value::InlineTable(table) => ValueKind::Table(
            table
                .iter()
                .map(|(name, item)| (name.to_owned(), Value::new(None, kind_of_toml(item))))
                .collect::<Map<_, _>>(),
        ),
    }
}

fn json(text: &str) -> Option<ValueKind> {
    serde_json::from_str(text).ok().map(kind_of_json)
}

fn kind_of_json(value: serde_json::Value) -> ValueKind {
    match value {
        serde_json::Value::Null => ValueKind::Nil,
        serde_json::Value::Bool(flag) => ValueKind::Boolean(flag),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => ValueKind::I64(whole),
            (None, Some(float)) => ValueKind::Float(float),
            (None, None) => ValueKind::Nil,
        },
        serde_json::Value::String(text) => ValueKind::String(text),
        serde_json::Value::Array(items) => ValueKind::Array(
            items
                .into_iter()
                .map(|item| Value::new(None, kind_of_json(item)))
                .collect(),
        ),
        serde_json::Value::Object(fields) => ValueKind::Table(
            fields
                .into_iter()
                .map(|(name, item)| (name, Value::new(None, kind_of_json(item))))
                .collect::<Map<_, _>>(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_the_key_decides_and_not_the_text() {
        for text in ["007", "1e3", "true", "[1]", "", " x ", "\"quoted\""] {
            for value_type in ["string", "path", "duration"] {
                assert_eq!(
                    parse(text, value_type),
                    Some(ValueKind::String(text.to_owned())),
                    "{text}"
                );
            }
        }
        assert_eq!(parse("007", "integer"), Some(ValueKind::I64(7)));
        assert_eq!(parse("1_000", "integer"), Some(ValueKind::I64(1000)));
        assert_eq!(parse("18446744073709551615", "integer"), Some(ValueKind::U64(u64::MAX)));
        assert_eq!(parse("1e-6", "float"), Some(ValueKind::Float(1e-6)));
        assert_eq!(parse("1", "float"), Some(ValueKind::Float(1.0)));
        assert_eq!(parse("True", "boolean"), Some(ValueKind::Boolean(true)));
        for (text, value_type) in [
            ("1.5", "integer"),
            ("\"8\"", "integer"),
            ("8\nother = 1", "integer"),
            ("", "integer"),
            ("true", "float"),
            ("1", "boolean"),
            ("0.6, 0.9", "list of floats"),
            ("[0.6", "list of floats"),
            ("{ alpha = 0.6 }", "list of tables"),
        ] {
            assert_eq!(parse(text, value_type), None, "{text}");
        }
    }

    #[test]
    fn a_list_is_toml_or_json() {
        let tables = parse("[{ name = \"a\", weight = 2, on = true }]", "list of tables");
        assert!(tables.is_some());
        assert_eq!(
            parse("[{\"name\": \"a\", \"weight\": 2, \"on\": true}]", "list of tables"),
            tables
        );
        assert_eq!(
            parse("[0.6,1]", "list of floats"),
            parse(" [0.6, 1] ", "list of floats")
        );
        assert_eq!(
            parse("[\"a\"]", "list of strings"),
            parse(" [ 'a' ]", "list of strings")
        );
        assert_eq!(parse("a", "list of strings"), Some(ValueKind::String("a".to_owned())));
    }
}
