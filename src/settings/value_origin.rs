//! The source of each value in force: a line of the file, an environment variable, or the default.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use toml_edit::{Document, TableLike};

/// The prefix of the variables that override keys of the file.
const VARIABLE_PREFIX: &str = "CERTIMIX__";

/// Where the value of a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueOrigin {
    /// Nothing sets the key.
    Default,
    /// A line of the settings file, counted from 1.
    File {
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// The name of the variable.
        variable: String,
        /// The line of the settings file that the variable overrides, if there is one.
        overridden_line: Option<usize>,
    },
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(formatter, "the default"),
            Self::File { line } => write!(formatter, "line {line}"),
            Self::Environment { variable, .. } => write!(formatter, "environment variable {variable}"),
        }
    }
}

/// A value of the settings file that an environment variable overrides.
#[derive(Debug, Clone, PartialEq)]
pub struct OverriddenValue {
    /// The name of the variable.
    pub variable: String,
    /// The value in the file. It may be a secret, so nothing shows it.
    in_file: toml::Value,
}

impl OverriddenValue {
    /// The keys of the file whose values differ between `old` and `new` and are overridden, each with
    /// its variable: the edits of a file that a reload cannot put in force.
    #[must_use]
    pub fn edits(old: &BTreeMap<String, Self>, new: &BTreeMap<String, Self>) -> Vec<(String, String)> {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let edited = |key: &&String| old.get(*key) != new.get(*key);
        let variable = |key: &String| Some((key.clone(), new.get(key).or(old.get(key))?.variable.clone()));
        keys.into_iter().filter(edited).filter_map(variable).collect()
    }
}

/// The lines and the variables that set keys.
#[derive(Debug, Clone, Default)]
pub(super) struct ValueSources {
    lines: BTreeMap<String, usize>,
    variables: BTreeMap<String, String>,
    overridden: BTreeMap<String, OverriddenValue>,
}

impl ValueSources {
    /// The lines of `text`, a settings file, and those of `variables` that override keys.
    pub(super) fn new(text: &str, variables: &[(String, String)]) -> Self {
        let mut lines = BTreeMap::new();
        // The caller reports a file that is not TOML.
        if let Ok(document) = Document::parse(text) {
            collect_lines("", document.as_table(), text, &mut lines);
        }
        let variables = variables
            .iter()
            .filter_map(|(name, _)| Some((key_of_variable(name)?, name.clone())))
            .collect::<BTreeMap<String, String>>();
        let overridden = overridden(text, &variables);
        Self {
            lines,
            variables,
            overridden,
        }
    }

    /// The values of the file that variables override, by their keys.
    pub(super) fn into_overridden(self) -> BTreeMap<String, OverriddenValue> {
        self.overridden
    }

    /// Where the value of the key `name` comes from.
    pub(super) fn origin(&self, name: &str) -> ValueOrigin {
        let line = self.lines.get(name).copied();
        match (self.variables.get(name), line) {
            (Some(variable), overridden_line) => ValueOrigin::Environment {
                variable: variable.clone(),
                overridden_line,
            },
            (None, Some(line)) => ValueOrigin::File { line },
            (None, None) => ValueOrigin::Default,
        }
    }
}

/// The environment variable that overrides the key `name`.
#[must_use]
pub fn variable_of_key(name: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", name.to_ascii_uppercase().replace('.', "__"))
}

/// Whether the variable `name` overrides a key, or means to.
pub(super) fn overrides_key(name: &str) -> bool {
    key_of_variable(name).is_some()
}

/// The key that the variable `name` overrides. The case of the letters does not matter.
fn key_of_variable(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let key = upper.strip_prefix(VARIABLE_PREFIX)?;
    Some(key.to_ascii_lowercase().replace("__", "."))
}

/// The values in `text`, a settings file, of the keys that `variables` set.
fn overridden(text: &str, variables: &BTreeMap<String, String>) -> BTreeMap<String, OverriddenValue> {
    let document: toml::Table = toml::from_str(text).unwrap_or_default();
    let value_of = |key: &str| {
        let mut parts = key.split('.');
        let top = document.get(parts.next()?)?;
        parts.try_fold(top, |table, part| table.get(part)).cloned()
    };
    let entry = |(key, variable): (&String, &String)| {
        let (variable, in_file) = (variable.clone(), value_of(key)?);
        Some((key.clone(), OverriddenValue { variable, in_file }))
    };
    variables.iter().filter_map(entry).collect()
}

/// Adds the line of every key of `table`, with its dotted path.
fn collect_lines(prefix: &str, table: &dyn TableLike, text: &str, lines: &mut BTreeMap<String, usize>) {
    for (name, item) in table.iter() {
        let path = if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}.{name}")
        };
        if let Some(inner) = item.as_table_like() {
            collect_lines(&path, inner, text, lines);
            continue;
        }
        let start = table.key(name).and_then(toml_edit::Key::span).map(|span| span.start);
        if let Some(before) = start.and_then(|start| text.get(..start)) {
            lines.insert(path, before.matches('\n').count() + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_line_its_variable_or_the_default() {
        let text = "# top\n[mixture]\nalpha = 0.76\nalpha_ramp = \"1s\"\n\n[log]\nfilter = \"info\"\n";
        let dotted = "mixture.alpha = 0.7\nlog = { filter = \"info\" }\n";
        let variables = [
            ("CERTIMIX__MIXTURE__ALPHA".to_owned(), "0.9".to_owned()),
            ("certimix__log__format".to_owned(), "json".to_owned()),
            ("CERTIMIX_CONFIG".to_owned(), "x".to_owned()),
        ];
        let sources = ValueSources::new(text, &variables);
        let environment = |variable: &str, overridden_line| ValueOrigin::Environment {
            variable: variable.to_owned(),
            overridden_line,
        };
        assert_eq!(
            sources.origin("mixture.alpha"),
            environment("CERTIMIX__MIXTURE__ALPHA", Some(3))
        );
        assert_eq!(sources.origin("log.format"), environment("certimix__log__format", None));
        assert_eq!(sources.origin("mixture.alpha_ramp"), ValueOrigin::File { line: 4 });
        assert_eq!(sources.origin("log.filter"), ValueOrigin::File { line: 7 });
        assert_eq!(sources.origin("server.listen"), ValueOrigin::Default);
        let sources = ValueSources::new(dotted, &[]);
        assert_eq!(sources.origin("mixture.alpha"), ValueOrigin::File { line: 1 });
        assert_eq!(sources.origin("log.filter"), ValueOrigin::File { line: 2 });
    }

    #[test]
    fn an_edit_under_a_variable_is_found() {
        let variables = [
            ("CERTIMIX__MIXTURE__ALPHA".to_owned(), "0.9".to_owned()),
            ("CERTIMIX__SCHEDULER__CALLERS".to_owned(), "[]".to_owned()),
        ];
        let overridden = |text: &str| ValueSources::new(text, &variables).into_overridden();
        let callers = "[[scheduler.callers]]\nname = \"a\"\n";
        let old = overridden(&format!("[mixture]\nalpha = 0.7\nalpha_ramp = \"1s\"\n{callers}"));
        let keys: Vec<&String> = old.keys().collect();
        assert_eq!(keys, ["mixture.alpha", "scheduler.callers"]);
        let edits = |text: &str| {
            let edits = OverriddenValue::edits(&old, &overridden(text));
            edits.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        // Other keys, comments and the place in the file do not matter.
        let moved = format!("# new\n{callers}[mixture]\nalpha_ramp = \"2s\"\nalpha = 0.7 # same\n");
        assert!(edits(&moved).is_empty(), "{:?}", edits(&moved));
        let edited = format!("[mixture]\nalpha = 0.8\n{callers}");
        assert_eq!(edits(&edited), ["mixture.alpha"]);
        assert_eq!(edits(callers), ["mixture.alpha"]);
        assert_eq!(
            edits("mixture.alpha = 0.7\n[[scheduler.callers]]\nname = \"b\"\n"),
            ["scheduler.callers"]
        );
    }

    #[test]
    fn a_variable_is_named_as_its_key() {
        assert_eq!(variable_of_key("mixture.alpha_ramp"), "CERTIMIX__MIXTURE__ALPHA_RAMP");
        assert_eq!(
            key_of_variable(&variable_of_key("tls.client_ca")).as_deref(),
            Some("tls.client_ca")
        );
    }
}
