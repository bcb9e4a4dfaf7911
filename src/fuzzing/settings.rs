//! Any text as a settings file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::settings::{Settings, SettingsSource, check_reload, described_keys};

/// Reads `data` as a settings file. It is an error with reasons, or settings that read alike after
/// their effective values are written to a file.
pub(super) fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let source = SettingsSource::new(Path::new("certimix.toml"), []);
    let settings = match source.parse(text) {
        Ok(settings) => settings,
        Err(error) => {
            let violations = error.violations().0;
            assert!(!violations.is_empty(), "an error without a reason");
            assert!(violations.iter().all(|violation| !violation.message.is_empty()));
            return;
        }
    };
    assert!(check_reload(&settings, &settings).is_ok(), "no change needs a restart");
    let written = write(&settings);
    let again = source
        .parse(&written)
        .unwrap_or_else(|error| panic!("{error}\n{written}"));
    let effective = |settings: &Settings| -> BTreeMap<String, String> { settings.effective.clone() };
    assert_eq!(effective(&again), effective(&settings), "{written}");
    assert_eq!(again.files(), settings.files());
    assert_eq!(again.shadow_candidates, settings.shadow_candidates);
}

/// The effective values as a settings file. Keys without a value keep their default.
fn write(settings: &Settings) -> String {
    let mut text = String::new();
    for key in described_keys() {
        let Some(value) = settings.effective.get(key.name) else {
            continue;
        };
        let is_literal = matches!(
            key.value_type,
            "integer" | "float" | "boolean" | "list of floats" | "list of strings" | "list of tables"
        );
        let value = if is_literal {
            value.clone()
        } else {
            toml_edit::Value::from(value).to_string()
        };
        text.push_str(&format!("{} = {value}\n", key.name));
    }
    text
}
