//! Takes values out of a configuration, one key at a time, and collects every violation.
//!
//! This is not serde, because serde stops at the first error. An operator wants every violation at
//! once, each with its key.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use config::{Value, ValueKind};

use super::parse_error::shown_name;
use super::setting_key::{KeyDescription, SettingKey, ValueFormat};
use super::unread_value::UnreadValue;
use super::value_origin::{OverriddenValue, ValueOrigin, ValueSources};
use crate::domain::Violations;

/// Keys that earlier versions accepted, each with its replacement.
const RENAMED: [(&str, &str); 3] = [
    ("runtime.standard_sessions", "runtime.executors"),
    ("runtime.robust_sessions", "runtime.executors"),
    (
        "runtime.max_batch_size",
        "runtime.standard_batch_size and runtime.robust_batch_size",
    ),
];

/// The values that no table has taken yet, and the results so far.
pub(super) struct Reader {
    remaining: BTreeMap<String, UnreadValue>,
    described: Vec<KeyDescription>,
    effective: BTreeMap<String, String>,
    violations: Violations,
    base_folder: PathBuf,
    sources: ValueSources,
}

impl Reader {
    /// `tree` is the merged configuration, from `sources`. Relative paths start from `base_folder`.
    pub(super) fn new(tree: Value, base_folder: &Path, sources: ValueSources) -> Self {
        let mut remaining = BTreeMap::new();
        flatten("", tree, &mut remaining);
        Self {
            remaining,
            described: Vec::new(),
            effective: BTreeMap::new(),
            violations: Violations::default(),
            base_folder: base_folder.to_path_buf(),
            sources,
        }
    }

    /// The value of `key`, or `default` if the key is absent. `parse` returns `None` for a value
    /// that does not fit `format`; the violation then quotes `format`.
    pub(super) fn read<T: Display>(
        &mut self,
        key: SettingKey,
        format: &ValueFormat,
        default: Option<T>,
        parse: impl FnOnce(&ValueKind) -> Option<T>,
    ) -> Option<T> {
        self.described.push(KeyDescription::new(key, format));
        let found = match self.remaining.remove(key.name) {
            Some(found) if self.is_from_environment(key) => Some(found.typed(format)),
            found => found,
        };
        let value = match found {
            Some(found) => match found.parse(parse) {
                Some(value) => Some(value),
                None => {
                    let message = format!(
                        "expected {}, found {}{}",
                        format.accepted,
                        found.shown(key, format),
                        self.place(key.name)
                    );
                    self.violations.add(key.name, message);
                    return default;
                }
            },
            None => default,
        };
        match &value {
            Some(value) => drop(self.effective.insert(key.name.to_owned(), value.to_string())),
            None => self.violations.add(key.name, "is required and has no default"),
        }
        value
    }

    /// Whether an environment variable sets `key`.
    fn is_from_environment(&self, key: SettingKey) -> bool {
        matches!(self.sources.origin(key.name), ValueOrigin::Environment { .. })
    }

    /// `path` as seen from the folder of the settings file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.base_folder.join(path)
    }

    /// Records a violation of a rule between keys.
    pub(super) fn check(&mut self, holds: bool, key: SettingKey, message: impl FnOnce() -> String) {
        self.violations.check(holds, key.name, message);
    }

    /// The keys that were read so far, in their order.
    pub(super) fn into_descriptions(self) -> Vec<KeyDescription> {
        self.described
    }

    /// Where `name` is set, in parentheses; empty if nothing sets it.
    fn place(&self, name: &str) -> String {
        match self.sources.origin(name) {
            ValueOrigin::Default => String::new(),
            origin => format!(" ({origin})"),
        }
    }

    /// The effective values, their origins and every violation. A key that no table has read is a
    /// violation.
    pub(super) fn finish(mut self) -> ReadValues {
        for name in std::mem::take(&mut self.remaining).into_keys() {
            if let Some((_, replacement)) = RENAMED.iter().find(|(old, _)| *old == name) {
                self.violations
                    .add(name, format!("is no longer a key: set {replacement} instead"));
                continue;
            }
            let similarity = |key: &&KeyDescription| strsim::jaro_winkler(key.name, &name);
            let nearest = self
                .described
                .iter()
                .max_by(|left, right| similarity(left).total_cmp(&similarity(right)));
            let suggestion = nearest
                .map(|known| format!("; did you mean {}?", known.name))
                .unwrap_or_default();
            let message = format!("unknown key{}{suggestion}", self.place(&name));
            self.violations.add(shown_name(&name), message);
        }
        let known = self.described.iter().map(|key| key.name);
        let violated = self.violations.0.iter().map(|violation| violation.field.as_str());
        let origin = |name: &str| (name.to_owned(), self.sources.origin(name));
        ReadValues {
            origins: known.chain(violated).map(origin).collect(),
            overridden: self.sources.into_overridden(),
            effective: self.effective,
            violations: self.violations,
        }
    }
}

/// The results of a reader.
pub(super) struct ReadValues {
    /// Every key with its effective value.
    pub(super) effective: BTreeMap<String, String>,
    /// Where the value of each key comes from, also if the value is not valid.
    pub(super) origins: BTreeMap<String, ValueOrigin>,
    /// The values of the file that variables override, by their keys.
    pub(super) overridden: BTreeMap<String, OverriddenValue>,
    /// Every violation.
    pub(super) violations: Violations,
}

/// Turns nested tables into dotted keys. An array is one value.
fn flatten(prefix: &str, value: Value, values: &mut BTreeMap<String, UnreadValue>) {
    match value.kind {
        ValueKind::Table(table) => {
            for (key, child) in table {
                let path = if prefix.is_empty() {
                    key
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&path, child, values);
            }
        }
        _ => drop(values.insert(prefix.to_owned(), UnreadValue::new(value))),
    }
}
