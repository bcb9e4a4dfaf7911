//! The log on standard error, as text or JSON.
//!
//! A thread of its own writes the lines, so no request waits for a slow reader of standard error. The
//! queue is bounded. A line that does not fit is dropped and counted. A closed or full standard error
//! costs lines, never a response.

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use thiserror::Error;
use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{FilterExt as _, Targets};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, fmt, reload};

use super::source_place::WithoutSourcePlace;
use crate::settings::{EXPECTED_FILTER, LogFormat, LogSettings, log_ceiling, parse_log_filter};

/// The largest number of queued lines: a few megabytes.
pub(super) const MAX_QUEUED_LINES: usize = 8192;
/// The time limit for queued lines at the end of the process. The writer's own limits add up to less.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(1500);

/// Why the log filter cannot be changed. The previous filter stays in force.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogFilterError {
    /// The text is not a filter.
    #[error("log.filter: expected {EXPECTED_FILTER}, found \"{0}\"")]
    Invalid(String),
    /// The process has another logger, or none.
    #[error("log.filter: the logger of this process cannot be changed")]
    Gone,
}

/// Changes the log filter and counts dropped lines. Clones share one logger.
#[derive(Debug, Clone)]
pub struct LogHandle {
    filter: reload::Handle<Targets, Registry>,
    dropped: ErrorCounter,
}

impl LogHandle {
    /// Replaces the filter.
    ///
    /// # Errors
    /// If the text is not a filter, or the logger is gone; the previous filter then stays in force.
    pub fn set_filter(&self, filter: &str) -> Result<(), LogFilterError> {
        let filter = parse_log_filter(filter).ok_or_else(|| LogFilterError::Invalid(filter.to_owned()))?;
        self.filter.reload(filter).map_err(|_| LogFilterError::Gone)
    }

    /// The number of lines that were dropped because standard error was too slow.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        u64::try_from(self.dropped.dropped_lines()).unwrap_or(u64::MAX)
    }
}

/// The logger of the process. Dropping it writes the queued lines, within a time limit.
#[derive(Debug)]
#[must_use = "dropping it ends the log"]
pub struct Logs {
    handle: LogHandle,
    writer: Option<WorkerGuard>,
}

impl Logs {
    /// The handle that changes the filter.
    #[must_use]
    pub fn handle(&self) -> LogHandle {
        self.handle.clone()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        let Some(writer) = self.writer.take() else { return };
        let dropped = self.handle.dropped_lines();
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "log lines dropped since the start because standard error was too slow"
            );
        }
        // A thread of its own drops the guard: if standard error blocks, the guard prints that to
        // standard output, which may block too.
        let (done, ended) = mpsc::channel::<()>();
        let flush = std::thread::Builder::new().spawn(move || {
            drop(writer);
            drop(done);
        });
        if flush.is_err() {
            return;
        }
        // The thread drops the sender at its end, so the expected result is an error.
        let _ = ended.recv_timeout(FLUSH_TIMEOUT);
    }
}

/// Installs the logger of the process. If one is installed already, the new one is discarded and its
/// handle has no effect. `use_color` colours lines for people.
pub fn init_logs(settings: &LogSettings, use_color: bool) -> Logs {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(MAX_QUEUED_LINES)
        .lossy(true)
        .thread_name("log")
        .finish(io::stderr());
    let dropped = writer.error_counter();
    let (subscriber, filter) = subscriber(settings, use_color, writer);
    if subscriber.try_init().is_err() {
        tracing::debug!("a logger is already installed");
    }
    Logs {
        handle: LogHandle { filter, dropped },
        writer: Some(guard),
    }
}

/// The subscriber that formats and filters, and the handle of its filter.
fn subscriber(
    settings: &LogSettings,
    use_color: bool,
    writer: NonBlocking,
) -> (Box<dyn Subscriber + Send + Sync>, reload::Handle<Targets, Registry>) {
    // The settings reader has parsed the filter, so the fallback is never used.
    let filter = parse_log_filter(&settings.filter).unwrap_or_else(log_ceiling);
    let (filter, handle) = reload::Layer::new(filter);
    let filter = filter.and(log_ceiling());
    let registry = tracing_subscriber::registry();
    let layer = fmt::layer().with_writer(writer);
    let subscriber: Box<dyn Subscriber + Send + Sync> = match settings.format {
        LogFormat::Human => Box::new(registry.with(layer.with_ansi(use_color).with_filter(filter))),
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).map_event_format(WithoutSourcePlace);
            Box::new(registry.with(layer.with_filter(filter)))
        }
    };
    (subscriber, handle)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, log: impl FnOnce(&LogHandle)) -> String {
        let lines = Lines::default();
        let (writer, guard) = NonBlockingBuilder::default().finish(lines.clone());
        let settings = LogSettings {
            format: LogFormat::Json,
            filter: filter.to_owned(),
        };
        let dropped = writer.error_counter();
        let (subscriber, filter) = subscriber(&settings, false, writer);
        let handle = LogHandle { filter, dropped };
        tracing::subscriber::with_default(subscriber, || log(&handle));
        drop(guard);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_new_filter_applies_at_once() {
        let text = logged("warn", |handle| {
            tracing::info!("before");
            handle.set_filter("certimix=debug").unwrap();
            tracing::debug!("between");
            handle.set_filter("off").unwrap();
            tracing::error!("after");
        });
        assert!(text.contains("between"), "{text}");
        assert!(!text.contains("before") && !text.contains("after"), "{text}");
    }

    #[test]
    fn a_wrong_filter_changes_nothing() {
        let text = logged("info", |handle| {
            let wrong = handle.set_filter("h2=trace").unwrap_err();
            assert!(wrong.to_string().starts_with("log.filter: expected "), "{wrong}");
            tracing::info!("still");
            tracing::debug!("not");
        });
        assert!(text.contains("still") && !text.contains("not\""), "{text}");
    }

    #[test]
    fn other_crates_log_no_debug_lines() {
        let text = logged("trace", |_| {
            tracing::trace!("ours");
            tracing::debug!(target: "mio::poll", "theirs");
            tracing::info!(target: "mio::poll", "theirs at info");
        });
        assert!(text.contains("ours") && text.contains("theirs at info"), "{text}");
        assert!(!text.contains("\"theirs\""), "{text}");
    }

    #[test]
    fn lines_for_a_stuck_reader_are_dropped_and_counted() {
        /// A reader that does not read.
        struct Stuck(mpsc::Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.recv();
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (release, stuck) = mpsc::channel();
        let (writer, guard) = NonBlockingBuilder::default()
            .buffered_lines_limit(4)
            .finish(Stuck(stuck));
        let dropped = writer.error_counter();
        let settings = LogSettings {
            format: LogFormat::Human,
            filter: "info".to_owned(),
        };
        let (subscriber, filter) = subscriber(&settings, false, writer);
        let handle = LogHandle { filter, dropped };
        tracing::subscriber::with_default(subscriber, || {
            for line in 0..100 {
                tracing::info!(line, "to nobody");
            }
        });
        assert!(handle.dropped_lines() >= 95, "{handle:?}");
        drop(release);
        drop(guard);
    }
}
