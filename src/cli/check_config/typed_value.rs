//! The effective value of a key as JSON, with the type of its TOML value.

use serde_json::Value;

/// `text` is the value as TOML writes it, without the quotes of a string. `value_type` is the type
/// that the description of the key states. A duration stays a string, such as "250ms".
pub(super) fn typed_value(value_type: &str, text: &str) -> Value {
    let typed = match value_type {
        // TOML has no integer of the size of some floats, which are displayed without an exponent.
        "float" => text.parse::<f64>().ok().map(Value::from),
        "integer" | "boolean" | "list of floats" | "list of strings" | "list of tables" => toml_literal(text),
        _ => None,
    };
    typed.unwrap_or_else(|| Value::from(text))
}

fn toml_literal(text: &str) -> Option<Value> {
    let mut table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    serde_json::to_value(table.remove("value")?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::{SettingsSource, described_keys};

    #[test]
    fn every_default_has_the_type_of_its_key() {
        let text = "[models]\nstandard = \"g.toml\"\nrobust = \"h.toml\"\n[runtime]\nlibrary = \"ort.so\"\n\
                    [mixture]\nshadow_alphas = [0.6, 1.0]\nshadow_candidates = [{ alpha = 0.8, fallback_alpha = 0.0 }]\n";
        let source = SettingsSource::new(std::path::Path::new("certimix.toml"), []);
        let settings = source.parse(text).unwrap();
        for key in described_keys() {
            let value = typed_value(key.value_type, &settings.effective[key.name]);
            let fits = match key.value_type {
                "integer" => value.is_u64(),
                "float" => value.is_f64(),
                "boolean" => value.is_boolean(),
                "list of floats" | "list of strings" | "list of tables" => value.is_array(),
                _ => value.is_string(),
            };
            assert!(fits, "{}: {value}", key.name);
        }
        assert_eq!(typed_value("float", &1e30.to_string()), json!(1e30));
        let shadow = typed_value("list of floats", &settings.effective["mixture.shadow_alphas"]);
        assert_eq!(shadow, json!([0.6, 1.0]));
        let candidates = typed_value("list of tables", &settings.effective["mixture.shadow_candidates"]);
        assert_eq!(candidates, json!([{ "alpha": 0.8, "fallback_alpha": 0.0 }]));
    }
}
