//! Takes typed values out of a configuration, one key at a time, and collects all that is wrong.
//!
//! By hand, because serde stops at the first error, and an operator wants every violation at once, each with its key.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Value, ValueKind};

use crate::domain::Violations;

/// Bytes of the path of a Unix socket, at most: `sun_path` without its end.
const LONGEST_SOCKET: usize = 107;

/// Keys of the first version, and what has taken their place.
const RENAMED: [(&str, &str); 3] = [
    ("runtime.standard_sessions", "runtime.executors"),
    ("runtime.robust_sessions", "runtime.executors"),
    (
        "runtime.max_batch_size",
        "runtime.standard_batch_size and runtime.robust_batch_size",
    ),
];

/// A list, shown as TOML writes it.
#[derive(Default)]
struct Floats(Vec<f64>);

impl Display for Floats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

/// The leaves that are left, and the violations so far.
pub(super) struct Reader {
    leaves: BTreeMap<String, Value>,
    known: Vec<String>,
    effective: BTreeMap<String, String>,
    violations: Violations,
    base: PathBuf,
}

impl Reader {
    /// `tree` is the merged configuration; `base` is the folder that relative paths start from.
    pub(super) fn new(tree: Value, base: &Path) -> Self {
        let mut leaves = BTreeMap::new();
        flatten("", tree, &mut leaves);
        Self {
            leaves,
            known: Vec::new(),
            effective: BTreeMap::new(),
            violations: Violations::default(),
            base: base.to_path_buf(),
        }
    }

    /// The value of `key`: `parse` tells what it is, or what was expected.
    fn read<T: Display>(
        &mut self,
        key: &str,
        default: Option<T>,
        parse: impl FnOnce(&ValueKind) -> Result<T, String>,
    ) -> Option<T> {
        self.known.push(key.to_owned());
        let value = match self.leaves.remove(key) {
            Some(found) => match parse(&found.kind) {
                Ok(value) => Some(value),
                Err(expected) => {
                    self.violations.add(
                        key,
                        format!("expected {expected}, found {}{}", shown(&found), origin(&found)),
                    );
                    return default;
                }
            },
            None => default,
        };
        match &value {
            Some(value) => drop(self.effective.insert(key.to_owned(), value.to_string())),
            None => self.violations.add(key, "is required and has no default"),
        }
        value
    }

    /// A float in the range that `holds` accepts and `expected` describes.
    pub(super) fn float(&mut self, key: &str, default: f64, expected: &str, holds: impl Fn(f64) -> bool) -> f64 {
        let parse = |kind: &ValueKind| match float(kind) {
            Some(value) if holds(value) => Ok(value),
            _ => Err(expected.to_owned()),
        };
        self.read(key, Some(default), parse).unwrap_or(default)
    }

    /// A list: `parse` tells what it is, or what was expected.
    pub(super) fn list<T: Display + Default>(
        &mut self,
        key: &str,
        default: T,
        parse: impl FnOnce(&[Value]) -> Result<T, String>,
    ) -> T {
        let parse = |kind: &ValueKind| match kind {
            ValueKind::Array(values) => parse(values),
            _ => parse(&[Value::new(None, kind.clone())]),
        };
        self.read(key, Some(default), parse).unwrap_or_default()
    }

    /// A list of at most `most` floats, none unless set.
    pub(super) fn floats(&mut self, key: &str, most: usize, expected: &str, holds: impl Fn(f64) -> bool) -> Vec<f64> {
        let parse = |kind: &ValueKind| {
            let ValueKind::Array(values) = kind else {
                return Err(expected.to_owned());
            };
            let floats: Option<Vec<f64>> = values
                .iter()
                .map(|value| float(&value.kind).filter(|&value| holds(value)))
                .collect();
            floats
                .filter(|floats| floats.len() <= most)
                .map(Floats)
                .ok_or_else(|| expected.to_owned())
        };
        self.read(key, Some(Floats::default()), parse)
            .map_or_else(Vec::new, |floats| floats.0)
    }

    /// A whole number from `least` to `most`.
    pub(super) fn count(&mut self, key: &str, default: u64, least: u64, most: u64) -> u64 {
        let parse = |kind: &ValueKind| match whole(kind) {
            Some(value) if (least..=most).contains(&value) => Ok(value),
            _ => Err(format!("a whole number from {least} to {most}")),
        };
        self.read(key, Some(default), parse).unwrap_or(default)
    }

    /// A length in memory: a whole number from `least` to `most`.
    pub(super) fn size(&mut self, key: &str, default: usize, least: usize, most: usize) -> usize {
        let wide = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        usize::try_from(self.count(key, wide(default), wide(least), wide(most))).unwrap_or(default)
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        let parse = |kind: &ValueKind| match kind {
            ValueKind::Boolean(value) => Ok(*value),
            _ => Err("true or false".to_owned()),
        };
        self.read(key, Some(default), parse).unwrap_or(default)
    }

    /// A duration such as "250ms" or "10s", from `least` to `most`.
    pub(super) fn duration(&mut self, key: &str, default: Duration, least: Duration, most: Duration) -> Duration {
        let expected = format!(
            "a duration from {} to {}, such as \"250ms\" or \"10s\"",
            humantime::format_duration(least),
            humantime::format_duration(most)
        );
        let parse = |kind: &ValueKind| match kind {
            ValueKind::String(text) => humantime::parse_duration(text)
                .ok()
                .filter(|value| (least..=most).contains(value))
                .map(humantime::Duration::from)
                .ok_or(expected),
            _ => Err(expected),
        };
        self.read(key, Some(default.into()), parse).map_or(default, Into::into)
    }

    /// Anything that parses from text.
    pub(super) fn text<T: Display + Clone>(
        &mut self,
        key: &str,
        default: T,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let parse = |kind: &ValueKind| match kind {
            ValueKind::String(text) => parse(text).ok_or_else(|| expected.to_owned()),
            _ => Err(expected.to_owned()),
        };
        self.read(key, Some(default.clone()), parse).unwrap_or(default)
    }

    /// One of the named choices.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        default: &'static str,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let names = choices
            .iter()
            .map(|(name, _)| format!("\"{name}\""))
            .collect::<Vec<_>>()
            .join(" or ");
        let find = |text: &str| choices.iter().map(|(name, _)| *name).find(|name| *name == text);
        let name = self.text(key, default, &names, find);
        choices
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, choice)| *choice)
    }

    /// A file, relative to the settings file; required if there is no default.
    pub(super) fn path(&mut self, key: &str) -> PathBuf {
        let parse = |kind: &ValueKind| match kind {
            ValueKind::String(text) if !text.is_empty() => Ok(text.clone()),
            _ => Err("a path".to_owned()),
        };
        let path = self.read(key, None, parse).unwrap_or_default();
        self.base.join(path)
    }

    /// A file, relative to the settings file; `""` is none, which is the default.
    pub(super) fn optional_path(&mut self, key: &str) -> Option<PathBuf> {
        let parse = |kind: &ValueKind| match kind {
            ValueKind::String(text) => Ok(text.clone()),
            _ => Err("a path, or \"\" for none".to_owned()),
        };
        let path = self.read(key, Some(String::new()), parse).unwrap_or_default();
        (!path.is_empty()).then(|| self.base.join(path))
    }

    /// The path of a socket, relative to the settings file; `""` is none, which is the default.
    pub(super) fn optional_socket(&mut self, key: &str) -> Option<PathBuf> {
        let base = self.base.clone();
        let fits = |path: &str| base.join(path).as_os_str().len() <= LONGEST_SOCKET;
        let parse = |kind: &ValueKind| match kind {
            ValueKind::String(text) if !text.starts_with("unix:") && fits(text) => Ok(text.clone()),
            _ => Err(format!(
                "the path of a socket, without \"unix:\", of at most {LONGEST_SOCKET} bytes; or \"\" for none"
            )),
        };
        let path = self.read(key, Some(String::new()), parse).unwrap_or_default();
        (!path.is_empty()).then(|| self.base.join(path))
    }

    /// The permissions of a file, in octal digits such as "0660".
    pub(super) fn mode(&mut self, key: &str, default: u32) -> u32 {
        let octal = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            u32::from_str_radix(text, 8)
                .ok()
                .filter(|mode| digits && *mode <= 0o777)
        };
        // A variable comes as the number that its digits would be in tens. A number in the file is not taken: 0o660 and 660 would
        // be told apart by nobody here.
        let is_variable = self.leaves.get(key).is_some_and(|value| value.origin().is_some());
        let parse = |kind: &ValueKind| {
            let found = match kind {
                ValueKind::String(text) => octal(text),
                ValueKind::I64(digits) if is_variable => octal(&digits.to_string()),
                _ => None,
            };
            found
                .map(|mode| format!("{mode:04o}"))
                .ok_or_else(|| "octal permissions in quotes, from \"0000\" to \"0777\"".to_owned())
        };
        let mode = self.read(key, Some(format!("{default:04o}")), parse);
        mode.and_then(|mode| octal(&mode)).unwrap_or(default)
    }

    /// Records a violation of a rule between keys.
    pub(super) fn check(&mut self, holds: bool, key: &str, message: impl FnOnce() -> String) {
        self.violations.check(holds, key, message);
    }

    /// The effective keys, or every violation, unknown keys included.
    pub(super) fn finish(mut self) -> Result<BTreeMap<String, String>, Violations> {
        for (key, value) in std::mem::take(&mut self.leaves) {
            if let Some((_, now)) = RENAMED.iter().find(|(old, _)| *old == key) {
                self.violations
                    .add(key, format!("is no longer a key: set {now} instead"));
                continue;
            }
            let nearest = self
                .known
                .iter()
                .max_by(|left, right| strsim::jaro_winkler(left, &key).total_cmp(&strsim::jaro_winkler(right, &key)));
            let hint = nearest
                .map(|known| format!("; did you mean {known}?"))
                .unwrap_or_default();
            self.violations.add(key, format!("unknown key{}{hint}", origin(&value)));
        }
        self.violations.into_result().map(|()| self.effective)
    }
}

/// Turns tables into dotted keys. An array counts as a leaf.
fn flatten(prefix: &str, value: Value, leaves: &mut BTreeMap<String, Value>) {
    match value.kind {
        ValueKind::Table(table) => {
            for (key, child) in table {
                let path = if prefix.is_empty() {
                    key
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&path, child, leaves);
            }
        }
        _ => drop(leaves.insert(prefix.to_owned(), value)),
    }
}

/// Strict on purpose: the `config` crate itself would take `true` for 1.0.
fn float(kind: &ValueKind) -> Option<f64> {
    match kind {
        ValueKind::Float(value) => Some(*value),
        ValueKind::I64(value) => i32::try_from(*value).ok().map(f64::from),
        _ => None,
    }
}

fn whole(kind: &ValueKind) -> Option<u64> {
    match kind {
        ValueKind::I64(value) => u64::try_from(*value).ok(),
        ValueKind::U64(value) => Some(*value),
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("\"{text}\""),
        other => other.to_string(),
    }
}

fn origin(value: &Value) -> String {
    value
        .origin()
        .map(|origin| format!(" (in {origin})"))
        .unwrap_or_default()
}
