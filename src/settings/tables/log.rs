//! `[log]`: the format and the filter of the log.

use crate::settings::log_filter::{EXPECTED_FILTER, parse_log_filter};
use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

/// `[log]`
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The format of a line.
    pub format: LogFormat,
    /// A `tracing` filter, such as `info` or `certimix=debug,warn`.
    pub filter: String,
}

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Plain text.
    Human,
    /// One JSON object per line.
    Json,
}

pub(in crate::settings) fn read(reader: &mut Reader) -> LogSettings {
    let format = reader.choice(
        SettingKey::restart_only("log.format", KeyScope::Operation, "Format of a log line."),
        ("human", LogFormat::Human),
        &[("json", LogFormat::Json)],
    );
    let filter = reader.text(
        SettingKey::live("log.filter", KeyScope::Operation, "Levels that are logged, by target."),
        "info".to_owned(),
        EXPECTED_FILTER,
        |text| parse_log_filter(text).map(|_| text.to_owned()),
    );
    LogSettings { format, filter }
}
