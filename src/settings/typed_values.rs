//! The types of values: numbers, durations, paths, choices, lists.

use std::fmt::{self, Debug, Display, LowerExp};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use config::{Map, Value, ValueKind};

use super::reader::Reader;
use super::setting_key::{SettingKey, ValueFormat};

/// Longest path of a Unix socket in bytes: `sun_path` without its terminating zero.
const MAX_SOCKET_PATH: usize = 107;

/// A list, displayed as TOML writes it.
struct TomlList<T>(Vec<T>);

impl<T: Display> Display for TomlList<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<String> = self.0.iter().map(T::to_string).collect();
        write!(formatter, "[{}]", items.join(", "))
    }
}

impl Reader {
    /// A float for which `accepts` holds. `accepted` describes the range.
    pub(super) fn float(
        &mut self,
        key: SettingKey,
        default: f64,
        accepted: &str,
        accepts: impl Fn(f64) -> bool,
    ) -> f64 {
        let format = ValueFormat {
            value_type: "float",
            accepted: accepted.to_owned(),
            default: Some(format!("{default:?}")),
        };
        let parse = |kind: &ValueKind| as_float(kind).filter(|&value| accepts(value)).map(EffectiveFloat);
        let value = self.read(key, &format, Some(EffectiveFloat(default)), parse);
        value.map_or(default, |value| value.0)
    }

    /// A list of at most `max_length` floats; the default is the empty list.
    pub(super) fn floats(
        &mut self,
        key: SettingKey,
        max_length: usize,
        accepted: &str,
        accepts: impl Fn(f64) -> bool,
    ) -> Vec<f64> {
        let format = ValueFormat {
            value_type: "list of floats",
            accepted: accepted.to_owned(),
            default: Some("[]".to_owned()),
        };
        let parse = |kind: &ValueKind| {
            let ValueKind::Array(values) = kind else {
                return None;
            };
            let items = values
                .iter()
                .map(|value| as_float(&value.kind).filter(|&item| accepts(item)).map(TomlFloat));
            bounded_list(items, max_length)
        };
        let list = self.read(key, &format, Some(TomlList(Vec::new())), parse);
        list.map_or_else(Vec::new, |list| list.0.into_iter().map(|item| item.0).collect())
    }

    /// A list of at most `max_length` tables with no other fields than `fields`; the default is the
    /// empty list.
    pub(super) fn tables<T: Display>(
        &mut self,
        key: SettingKey,
        max_length: usize,
        accepted: &str,
        fields: &[&str],
        parse: impl Fn(&Map<String, Value>) -> Option<T>,
    ) -> Vec<T> {
        let format = ValueFormat {
            value_type: "list of tables",
            accepted: accepted.to_owned(),
            default: Some("[]".to_owned()),
        };
        let parse_item = |value: &Value| {
            let ValueKind::Table(table) = &value.kind else {
                return None;
            };
            let is_known = table.keys().all(|field| fields.contains(&field.as_str()));
            is_known.then(|| parse(table)).flatten()
        };
        let parse_list = |kind: &ValueKind| {
            let ValueKind::Array(values) = kind else {
                return None;
            };
            bounded_list(values.iter().map(parse_item), max_length)
        };
        let list = self.read(key, &format, Some(TomlList(Vec::new())), parse_list);
        list.map_or_else(Vec::new, |list| list.0)
    }

    /// A list of at most `max_length` items that parse from strings. One string stands for a list
    /// of one item.
    pub(super) fn strings<T: Display + Clone>(
        &mut self,
        key: SettingKey,
        default: &[T],
        max_length: usize,
        accepted: &str,
        parse_item: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let quoted = |items: &[T]| TomlList(items.iter().cloned().map(Quoted).collect());
        let format = ValueFormat {
            value_type: "list of strings",
            accepted: accepted.to_owned(),
            default: Some(quoted(default).to_string()),
        };
        let item = |kind: &ValueKind| match kind {
            ValueKind::String(text) => parse_item(text).map(Quoted),
            _ => None,
        };
        let parse = |kind: &ValueKind| match kind {
            ValueKind::Array(values) => bounded_list(values.iter().map(|value| item(&value.kind)), max_length),
            single => bounded_list(std::iter::once(item(single)), max_length),
        };
        let list = self.read(key, &format, Some(quoted(default)), parse);
        list.map_or_else(Vec::new, |list| list.0.into_iter().map(|item| item.0).collect())
    }

    /// A whole number in `range`.
    pub(super) fn count(&mut self, key: SettingKey, default: u64, range: RangeInclusive<u64>) -> u64 {
        let format = ValueFormat {
            value_type: "integer",
            accepted: format!("a whole number from {} to {}", range.start(), range.end()),
            default: Some(default.to_string()),
        };
        let parse = |kind: &ValueKind| as_whole(kind).filter(|value| range.contains(value));
        self.read(key, &format, Some(default), parse).unwrap_or(default)
    }

    /// A whole number in `range` that fits 32 bits.
    pub(super) fn count32(&mut self, key: SettingKey, default: u32, range: RangeInclusive<u32>) -> u32 {
        let wide = u64::from(*range.start())..=u64::from(*range.end());
        u32::try_from(self.count(key, default.into(), wide)).unwrap_or(default)
    }

    /// A number of things in memory, in `range`.
    pub(super) fn size(&mut self, key: SettingKey, default: usize, range: RangeInclusive<usize>) -> usize {
        let wide = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let count = self.count(key, wide(default), wide(*range.start())..=wide(*range.end()));
        usize::try_from(count).unwrap_or(default)
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: SettingKey, default: bool) -> bool {
        let format = ValueFormat {
            value_type: "boolean",
            accepted: "true or false".to_owned(),
            default: Some(default.to_string()),
        };
        let parse = |kind: &ValueKind| match kind {
            ValueKind::Boolean(value) => Some(*value),
            _ => None,
        };
        self.read(key, &format, Some(default), parse).unwrap_or(default)
    }

    /// A duration in `range`, such as "250ms" or "10s".
    pub(super) fn duration(&mut self, key: SettingKey, default: Duration, range: RangeInclusive<Duration>) -> Duration {
        let shown = humantime::format_duration;
        let format = ValueFormat {
            value_type: "duration",
            accepted: format!(
                "a duration from {} to {}, such as \"250ms\" or \"10s\"",
                shown(*range.start()),
                shown(*range.end())
            ),
            default: Some(format!("\"{}\"", shown(default))),
        };
        let parse = |kind: &ValueKind| match kind {
            ValueKind::String(text) => humantime::parse_duration(text)
                .ok()
                .filter(|value| range.contains(value))
                .map(humantime::Duration::from),
            _ => None,
        };
        self.read(key, &format, Some(default.into()), parse)
            .map_or(default, Into::into)
    }

    /// A value that parses from a string. `accepted` describes the strings.
    pub(super) fn text<T: Display + Clone>(
        &mut self,
        key: SettingKey,
        default: T,
        accepted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let format = ValueFormat {
            value_type: "string",
            accepted: accepted.to_owned(),
            default: Some(format!("\"{default}\"")),
        };
        let parse = |kind: &ValueKind| match kind {
            ValueKind::String(text) => parse(text),
            _ => None,
        };
        self.read(key, &format, Some(default.clone()), parse).unwrap_or(default)
    }

    /// One of the named choices: the default, or one of `others`.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: SettingKey,
        (default_name, default): (&'static str, T),
        others: &[(&'static str, T)],
    ) -> T {
        let names: Vec<&str> = std::iter::once(default_name)
            .chain(others.iter().map(|(name, _)| *name))
            .collect();
        let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let find = |text: &str| names.iter().copied().find(|name| *name == text);
        let chosen = self.text(key, default_name, &quoted.join(" or "), find);
        others
            .iter()
            .find(|(name, _)| *name == chosen)
            .map_or(default, |(_, choice)| *choice)
    }

    /// A required path, relative to the settings file.
    pub(super) fn path(&mut self, key: SettingKey) -> PathBuf {
        let format = ValueFormat {
            value_type: "path",
            accepted: "a path".to_owned(),
            default: None,
        };
        let parse = |kind: &ValueKind| match kind {
            ValueKind::String(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        let path = self.read(key, &format, None, parse).unwrap_or_default();
        self.resolve(&path)
    }

    /// An optional path, relative to the settings file. The default `""` means none.
    pub(super) fn optional_path(&mut self, key: SettingKey) -> Option<PathBuf> {
        self.optional_path_that(key, "a path, or \"\" for none", |_| true)
    }

    /// The optional path of a Unix socket, relative to the settings file. The default `""` means
    /// none.
    pub(super) fn optional_socket(&mut self, key: SettingKey) -> Option<PathBuf> {
        let accepted =
            format!("the path of a socket, without \"unix:\", of at most {MAX_SOCKET_PATH} bytes; or \"\" for none");
        let base = self.resolve("");
        self.optional_path_that(key, &accepted, |text| {
            !text.starts_with("unix:") && base.join(text).as_os_str().len() <= MAX_SOCKET_PATH
        })
    }

    fn optional_path_that(
        &mut self,
        key: SettingKey,
        accepted: &str,
        accepts: impl Fn(&str) -> bool,
    ) -> Option<PathBuf> {
        let format = ValueFormat {
            value_type: "path",
            accepted: accepted.to_owned(),
            default: Some("\"\"".to_owned()),
        };
        let parse = |kind: &ValueKind| match kind {
            ValueKind::String(text) if accepts(text) => Some(text.clone()),
            _ => None,
        };
        let path = self.read(key, &format, Some(String::new()), parse).unwrap_or_default();
        (!path.is_empty()).then(|| self.resolve(&path))
    }

    /// The permissions of a file, in octal digits such as "0660".
    pub(super) fn permissions(&mut self, key: SettingKey, default: u32) -> u32 {
        let octal = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            u32::from_str_radix(text, 8)
                .ok()
                .filter(|mode| digits && *mode <= 0o777)
        };
        let format = ValueFormat {
            value_type: "string",
            accepted: "octal permissions in quotes, from \"0000\" to \"0777\"".to_owned(),
            default: Some(format!("\"{default:04o}\"")),
        };
        // A number in the file is refused: the reader could not distinguish 0o660 from 660.
        let parse = |kind: &ValueKind| match kind {
            ValueKind::String(text) => octal(text).map(|mode| format!("{mode:04o}")),
            _ => None,
        };
        let mode = self.read(key, &format, Some(format!("{default:04o}")), parse);
        mode.and_then(|mode| octal(&mode)).unwrap_or(default)
    }
}

/// A float, displayed so that it reads back as it was: `1`, but not as a whole number that is too large
/// for an integer of TOML.
struct EffectiveFloat(f64);

impl Display for EffectiveFloat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.abs() < f64::from(i32::MAX) {
            true => Display::fmt(&self.0, formatter),
            false => LowerExp::fmt(&self.0, formatter),
        }
    }
}

/// A float, displayed as TOML writes it: `1.0`, not `1`.
struct TomlFloat(f64);

impl Display for TomlFloat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.0, formatter)
    }
}

/// A string, displayed in quotes.
struct Quoted<T>(T);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.0)
    }
}

/// The items as a list; `None` if one is not valid or there are more than `max_length`.
fn bounded_list<T>(items: impl Iterator<Item = Option<T>>, max_length: usize) -> Option<TomlList<T>> {
    let items: Option<Vec<T>> = items.collect();
    items.filter(|items| items.len() <= max_length).map(TomlList)
}

/// An integer or a float. The conversions of the `config` crate are not used: they take `true` for
/// 1.0.
pub(super) fn as_float(kind: &ValueKind) -> Option<f64> {
    match kind {
        ValueKind::Float(value) => Some(*value),
        ValueKind::I64(value) => i32::try_from(*value).ok().map(f64::from),
        _ => None,
    }
}

/// The number in a field of a table: `Some(None)` if the field is absent, `None` if it is no number.
pub(super) fn number_field(table: &Map<String, Value>, field: &str) -> Option<Option<f64>> {
    table
        .get(field)
        .map_or(Some(None), |value| as_float(&value.kind).map(Some))
}

fn as_whole(kind: &ValueKind) -> Option<u64> {
    match kind {
        ValueKind::I64(value) => u64::try_from(*value).ok(),
        ValueKind::U64(value) => Some(*value),
        _ => None,
    }
}
