//! The effective value of a key as JSON, with the type of its TOML value.

use serde_json::Value;

/// `text` is the value as TOML writes it, without the quotes of a string. `value_type` is the type
/// that the description of the key states. A duration stays a string, such as "250ms".
pub(super) fn typed_value(value_type: &str, text: &str) -> Value {
    let is_literal = matches!(
        value_type,
        "integer" | "float" | "boolean" | "list of floats" | "list of strings"
    );
    // Each of these literals is the same in TOML and in JSON.
    let literal = is_literal.then(|| serde_json::from_str(text).ok()).flatten();
    literal.unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::{SettingsSource, described_keys};

    #[test]
    fn every_default_has_the_type_of_its_key() {
        let text = "[models]\nstandard = \"g.toml\"\nrobust = \"h.toml\"\n[runtime]\nlibrary = \"ort.so\"\n\
                    [mixture]\nshadow_alphas = [0.6, 1.0]\n";
        let source = SettingsSource::new(std::path::Path::new("certimix.toml"), []);
        let settings = source.parse(text).unwrap();
        for key in described_keys() {
            let value = typed_value(key.value_type, &settings.effective[key.name]);
            let fits = match key.value_type {
                "integer" => value.is_u64(),
                "float" => value.is_number(),
                "boolean" => value.is_boolean(),
                "list of floats" | "list of strings" => value.is_array(),
                _ => value.is_string(),
            };
            assert!(fits, "{}: {value}", key.name);
        }
        let shadow = typed_value("list of floats", &settings.effective["mixture.shadow_alphas"]);
        assert_eq!(shadow, json!([0.6, 1.0]));
    }
}
