//! A value of the configuration that no table has taken yet.

use config::{Value, ValueKind};

use super::setting_key::{SettingKey, ValueFormat};
use super::variable_value;

/// The longest string that a message shows.
const MAX_SHOWN_CHARS: usize = 64;

/// A value of which only a known key shows anything. An operator may have put a password under a key
/// that does not exist, so this type has neither `Debug` nor `Display`.
pub(super) struct UnreadValue(Value);

impl UnreadValue {
    pub(super) fn new(value: Value) -> Self {
        Self(value)
    }

    /// The value of a variable, which is text, as a value of the type that `format` expects. Text that
    /// is none of that type stays a string, which the parser of the key rejects.
    pub(super) fn typed(self, format: &ValueFormat) -> Self {
        match &self.0.kind {
            ValueKind::String(text) => match variable_value::parse(text, format.value_type) {
                Some(kind) => Self(Value::new(None, kind)),
                None => self,
            },
            _ => self,
        }
    }

    /// Passes the value to the parser of its key.
    pub(super) fn parse<T>(&self, parse: impl FnOnce(&ValueKind) -> Option<T>) -> Option<T> {
        parse(&self.0.kind)
    }

    /// The value as a message about `key` shows it. Of a secret it shows the type alone, and where
    /// `format` expects no string, only a string that is a number or a boolean in quotation marks.
    pub(super) fn shown(&self, key: SettingKey, format: &ValueFormat) -> String {
        let takes_strings = matches!(format.value_type, "string" | "path" | "duration");
        let is_quoted_value = |text: &str| text.parse::<f64>().is_ok() || text.parse::<bool>().is_ok();
        match &self.0.kind {
            ValueKind::String(text) if !key.is_secret && (takes_strings || is_quoted_value(text)) => {
                if text.chars().count() <= MAX_SHOWN_CHARS {
                    format!("\"{text}\"")
                } else {
                    format!("a string of {} characters", text.chars().count())
                }
            }
            ValueKind::String(_) => "a string".to_owned(),
            ValueKind::Array(_) => "a list".to_owned(),
            ValueKind::Table(_) => "a table".to_owned(),
            ValueKind::Nil => "nothing".to_owned(),
            _ if key.is_secret => "a number or a boolean".to_owned(),
            plain => plain.to_string(),
        }
    }
}
