//! Log lines on standard error, for people or for machines.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use crate::settings::{LogFormat, LogSettings};

/// Installs the process's logger. A second call changes nothing.
pub fn init_logs(settings: &LogSettings) {
    // The filter was parsed when the settings were read.
    let filter: Targets = settings.filter.parse().unwrap_or_default();
    let registry = tracing_subscriber::registry();
    let installed = match settings.format {
        LogFormat::Human => {
            let layer = fmt::layer()
                .with_ansi(io::stderr().is_terminal())
                .with_writer(io::stderr);
            registry.with(layer.with_filter(filter)).try_init()
        }
        LogFormat::Json => {
            let layer = fmt::layer()
                .json()
                .flatten_event(true)
                .with_writer(io::stderr)
                .with_filter(filter);
            registry.with(layer).try_init()
        }
    };
    if installed.is_err() {
        tracing::debug!("a logger was installed before");
    }
}
