//! The result of a check, as text and as JSON.

use std::path::{Path, PathBuf};

use anyhow::bail;
use comfy_table::{Table, presets};
use serde_json::{Map, Value, json};

use super::typed_value::typed_value;
use crate::app::ConfigCheck;
use crate::classifier::{ClassifierInfo, ModelSummary};
use crate::cli::output;
use crate::domain::{Violation, Violations};
use crate::settings::{ReadSettings, Settings, ValueOrigin, described_keys};

/// A checked settings file.
pub(super) struct Report {
    config: PathBuf,
    /// `None` if the file could not be read.
    settings: Option<Settings>,
    /// Everything that `certimix serve` would refuse.
    violations: Vec<Violation>,
    check: ConfigCheck,
}

impl Report {
    /// The violations of the values in `read`, and the results of `check` on what the values name.
    pub(super) fn new(config: &Path, read: ReadSettings, mut check: ConfigCheck) -> Self {
        let mut violations = read.violations.0;
        // A default stands for a value that is not valid. What follows from that default says
        // nothing about the file.
        let is_known = |found: &Violation| violations.iter().any(|known| known.field == found.field);
        let more: Vec<Violation> = std::mem::take(&mut check.violations.0)
            .into_iter()
            .filter(|found| !is_known(found))
            .collect();
        violations.extend(more);
        Self {
            config: config.to_path_buf(),
            settings: read.settings,
            violations,
            check,
        }
    }

    /// A file that cannot be read, with the reason.
    pub(super) fn of_unreadable(config: &Path, reason: Violations) -> Self {
        Self {
            config: config.to_path_buf(),
            settings: None,
            violations: reason.0,
            check: ConfigCheck::default(),
        }
    }

    /// Whether `certimix serve` would serve the file.
    pub(super) fn is_valid(&self) -> bool {
        self.violations.is_empty()
    }

    /// Prints every setting and a summary.
    ///
    /// # Errors
    /// With every violation.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let file = self.config.display();
        if self.is_valid() {
            output::line(self.table())?;
        }
        for Violation { field, message } in &self.check.warnings.0 {
            output::note(format_args!("warning: {field}: {message}"));
        }
        for (key, path) in &self.check.not_checked {
            output::note(format_args!("not checked: {key}: {} is not here", path.display()));
        }
        if !self.is_valid() {
            let (count, noun) = (
                self.violations.len(),
                if self.violations.len() == 1 {
                    "violation"
                } else {
                    "violations"
                },
            );
            let all = Violations(self.violations.clone());
            bail!("invalid settings in {file}: {count} {noun}\n{all}");
        }
        match &self.check.info {
            Some(info) => {
                let (standard, robust) = (&info.standard.name, &info.robust);
                let note = match robust.provider_note.as_str() {
                    "" => String::new(),
                    note => format!(" ({note})"),
                };
                output::note(format_args!(
                    "{file} is valid: {standard} with {} ({}), on {}{note}",
                    robust.name,
                    robust.guarantee.name(),
                    robust.provider
                ));
            }
            None => output::note(format_args!(
                "{file} is valid as far as it was checked: no model was loaded, no address was bound"
            )),
        }
        Ok(())
    }

    /// Every setting, one a line. The last column is not padded, so that no line is longer than its
    /// value.
    fn table(&self) -> String {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(["key", "set by", "in force"]);
        for (key, value) in self.settings.iter().flat_map(|settings| &settings.effective) {
            let origin = self.settings.as_ref().and_then(|settings| settings.origins.get(key));
            let set_by = match origin {
                Some(ValueOrigin::File { line }) => format!("line {line}"),
                Some(ValueOrigin::Environment { .. }) => "variable".to_owned(),
                Some(ValueOrigin::Default) | None => "default".to_owned(),
            };
            let shown = if value.is_empty() { "\"\"" } else { value };
            table.add_row([key.as_str(), &set_by, shown]);
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n")
    }

    /// The whole result as one object.
    pub(super) fn to_json(&self) -> Value {
        let not_checked = self.check.not_checked.iter();
        json!({
            "file": self.config.display().to_string(),
            "valid": self.is_valid(),
            "violations": self.findings(&self.violations),
            "warnings": self.findings(&self.check.warnings.0),
            "not_checked": not_checked
                .map(|(key, path)| json!({ "key": key, "path": path.display().to_string() }))
                .collect::<Vec<_>>(),
            "settings": self.settings.as_ref().map(settings_json),
            "models": self.check.info.as_ref().map(models_json),
        })
    }

    fn findings(&self, found: &[Violation]) -> Value {
        let origin = |key: &str| self.settings.as_ref()?.origins.get(key).map(origin_json);
        let finding = |Violation { field, message }: &Violation| json!({ "key": field, "message": message, "origin": origin(field) });
        found.iter().map(finding).collect()
    }
}

/// The source of a value.
pub(super) fn origin_json(origin: &ValueOrigin) -> Value {
    match origin {
        ValueOrigin::Default => json!({ "source": "default" }),
        ValueOrigin::File { line } => json!({ "source": "file", "line": line }),
        ValueOrigin::Environment {
            variable,
            overridden_line,
        } => json!({ "source": "environment", "variable": variable, "overridden_line": overridden_line }),
    }
}

fn settings_json(settings: &Settings) -> Value {
    let setting = |key: &crate::settings::KeyDescription| {
        let text = settings.effective.get(key.name)?;
        let origin = settings.origins.get(key.name).map(origin_json);
        let value = json!({ "value": typed_value(key.value_type, text), "origin": origin });
        Some((key.name.to_owned(), value))
    };
    Value::Object(described_keys().iter().filter_map(setting).collect::<Map<_, _>>())
}

fn models_json(info: &ClassifierInfo) -> Value {
    let model = |summary: &ModelSummary| {
        json!({
            "name": summary.name,
            "sha256": summary.sha256,
            "guarantee": summary.guarantee.name(),
            "provider": summary.provider,
            "max_batch_size": summary.max_batch_size,
        })
    };
    json!({
        "standard": model(&info.standard),
        "robust": model(&info.robust),
        "unavailable_reason": info.unavailable_reason,
        "largest_possible_radius": info.largest_possible_radius,
    })
}
