//! `certimix check-config --explain KEY`.

use std::path::Path;

use anyhow::bail;
use serde_json::{Value, json};

use super::report::origin_json;
use super::typed_value::typed_value;
use crate::cli::output;
use crate::settings::{
    KeyDescription, KeyScope, ReadSettings, Reloadability, Settings, ValueOrigin, described_keys, variable_of_key,
};

/// Prints everything about the key `name`, or about every key of the table `name`. With `read`, the
/// settings file and its values, also the value in force.
///
/// # Errors
/// If there is no such key; the message suggests the most similar one.
pub(super) fn explain(name: &str, read: Option<(&Path, &ReadSettings)>, json: bool) -> anyhow::Result<()> {
    let in_table = format!("{name}.");
    let all = described_keys();
    let found: Vec<&KeyDescription> = all
        .iter()
        .filter(|key| key.name == name || key.name.starts_with(&in_table))
        .collect();
    if found.is_empty() {
        let similarity = |key: &&KeyDescription| strsim::jaro_winkler(key.name, name);
        let nearest = all
            .iter()
            .max_by(|left, right| similarity(left).total_cmp(&similarity(right)));
        let suggestion = nearest.map(|key| format!("; did you mean {}?", key.name));
        bail!("--explain: there is no key {name}{}", suggestion.unwrap_or_default());
    }
    let settings = read.and_then(|(path, read)| Some((path, read.settings.as_ref()?)));
    if json {
        let keys: Vec<Value> = found
            .iter()
            .map(|key| key_json(key, settings.map(|(_, settings)| settings)))
            .collect();
        return output::line(Value::from(keys));
    }
    let texts: Vec<String> = found.iter().map(|key| key_text(key, settings)).collect();
    output::line(texts.join("\n\n"))?;
    // A value that is not valid is not in force.
    if let Some((path, read)) = read {
        let wrong = read.violations.0.iter();
        for violation in wrong.filter(|violation| found.iter().any(|key| key.name == violation.field)) {
            output::note(format_args!(
                "warning: {}: {}: {}",
                path.display(),
                violation.field,
                violation.message
            ));
        }
    }
    Ok(())
}

fn key_text(key: &KeyDescription, settings: Option<(&Path, &Settings)>) -> String {
    let mut lines = vec![
        ("meaning", key.help.to_owned()),
        ("type", key.value_type.to_owned()),
        ("accepted", key.accepted.clone()),
    ];
    lines.extend(key.unit.map(|unit| ("unit", unit.to_owned())));
    lines.push((
        "default",
        key.default
            .clone()
            .unwrap_or_else(|| "none: the key is required".to_owned()),
    ));
    lines.push(("reload", reload_text(key.reload).to_owned()));
    lines.push(("answers", answers_text(key.scope).to_owned()));
    lines.push(("variable", variable_of_key(key.name)));
    if let Some((path, settings)) = settings {
        lines.push(("in force", in_force(key, path, settings)));
    }
    let body: Vec<String> = lines
        .into_iter()
        .map(|(title, text)| wrapped(title, &text.replace('`', "")))
        .collect();
    format!("{}\n{}", key.name, body.join("\n"))
}

fn reload_text(reload: Reloadability) -> &'static str {
    match reload {
        Reloadability::Live => "yes: a running server applies a change of the file",
        Reloadability::RestartOnly => "no: a change needs a restart",
    }
}

fn answers_text(scope: KeyScope) -> &'static str {
    match scope {
        KeyScope::Answers => "yes: another value can change an answer, so the config revision covers it",
        KeyScope::Operation => "no: replicas of one configuration may differ in it",
    }
}

/// The value in force, and its source.
fn in_force(key: &KeyDescription, path: &Path, settings: &Settings) -> String {
    let shown = match settings.effective.get(key.name).map(String::as_str) {
        Some("") => "\"\"",
        Some(value) => value,
        None => "no valid value",
    };
    let file = path.display();
    match settings.origins.get(key.name) {
        Some(ValueOrigin::File { line }) => format!("{shown}, from {file} line {line}"),
        Some(ValueOrigin::Environment {
            variable,
            overridden_line: None,
        }) => format!("{shown}, from the environment variable {variable}"),
        Some(ValueOrigin::Environment {
            variable,
            overridden_line: Some(line),
        }) => format!("{shown}, from the environment variable {variable}, which overrides {file} line {line}"),
        Some(ValueOrigin::Default) | None if key.default.is_some() => {
            format!("{shown}, the default: {file} does not set it")
        }
        Some(ValueOrigin::Default) | None => format!("{shown}: {file} does not set it"),
    }
}

/// The column at which the texts begin.
const INDENT: usize = 13;
/// The longest line.
const WIDTH: usize = 80;

/// `title` and `text` in two columns. A word that is longer than a line stays whole.
fn wrapped(title: &str, text: &str) -> String {
    let mut lines = vec![format!("  {title:<width$}", width = INDENT - 2)];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > INDENT && line + 1 + word.chars().count() > WIDTH {
            lines.push(" ".repeat(INDENT));
        }
        if let Some(last) = lines.last_mut() {
            if last.chars().count() > INDENT {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join("\n")
}

fn key_json(key: &KeyDescription, settings: Option<&Settings>) -> Value {
    let mut object = json!({
        "key": key.name,
        "meaning": key.help,
        "type": key.value_type,
        "accepted": key.accepted,
        "unit": key.unit,
        "default": key.default,
        "reloadable": key.reload == Reloadability::Live,
        "decides_answers": key.scope == KeyScope::Answers,
        "variable": variable_of_key(key.name),
    });
    if let Some(settings) = settings {
        let value = settings.effective.get(key.name);
        object["value"] = value.map_or(Value::Null, |text| typed_value(key.value_type, text));
        object["origin"] = settings.origins.get(key.name).map_or(Value::Null, origin_json);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_explanation_fits_80_columns() {
        for key in described_keys() {
            let text = key_text(&key, None);
            for line in text.lines().filter(|line| line.split_whitespace().count() > 2) {
                assert!(line.chars().count() <= WIDTH, "{}: {line}", key.name);
            }
        }
    }

    #[test]
    fn an_unknown_key_has_a_suggestion() {
        let error = explain("mixture.alhpa", None, false).unwrap_err().to_string();
        assert!(error.contains("did you mean mixture.alpha?"), "{error}");
    }
}
