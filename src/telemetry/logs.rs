//! Log lines on standard error, for people or for machines.
//!
//! Lines are handed to a thread that writes them: whoever reads our standard error may be slow, and no request waits for
//! that. The queue is bounded; what does not fit is dropped and counted, because the choice is between a line and an
//! answer. A standard error that is closed or full costs lines, never the server.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc;
use std::time::Duration;

use thiserror::Error;
use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{FilterExt as _, Targets};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, fmt, reload};

use crate::settings::{EXPECTED_FILTER, LogFormat, LogSettings, log_ceiling, parse_log_filter};

/// Lines that wait to be written, at most: some megabytes.
const WAITING_LINES: usize = 8192;
/// How long the lines that wait may take at the end; the writer's own bounds add up to less.
const LAST_LINES: Duration = Duration::from_millis(1500);

/// A filter that cannot be had. What was logged before still is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogFilterError {
    /// It is no filter.
    #[error("log.filter: expected {EXPECTED_FILTER}, found \"{0}\"")]
    Invalid(String),
    /// The process has another logger, or none.
    #[error("log.filter: the logger cannot be reached")]
    Gone,
}

/// Changes what is logged, and tells what was lost. Clones share it.
#[derive(Debug, Clone)]
pub struct LogHandle {
    filter: reload::Handle<Targets, Registry>,
    dropped: ErrorCounter,
}

impl LogHandle {
    /// Logs what `filter` says from now on.
    ///
    /// # Errors
    /// If it is no filter, or the logger is gone; what was logged before still is.
    pub fn set_filter(&self, filter: &str) -> Result<(), LogFilterError> {
        let filter = parse_log_filter(filter).ok_or_else(|| LogFilterError::Invalid(filter.to_owned()))?;
        self.filter.reload(filter).map_err(|_| LogFilterError::Gone)
    }

    /// Lines that nobody will read, because standard error was slower than the log.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        u64::try_from(self.dropped.dropped_lines()).unwrap_or(u64::MAX)
    }
}

/// The process's logger. Dropping it writes the lines that wait, within a bound.
#[derive(Debug)]
#[must_use = "dropping it ends the log"]
pub struct Logs {
    handle: LogHandle,
    writer: Option<WorkerGuard>,
}

impl Logs {
    /// Changes what is logged.
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
                "log lines were dropped since the start: standard error was too slow"
            );
        }
        // On a thread of its own: where standard error is stuck, the writer's guard tells standard output about it, which may
        // be stuck as well.
        let (done, over) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            drop(writer);
            drop(done);
        });
        // An error is the end of the thread, which is what is waited for.
        let _ = over.recv_timeout(LAST_LINES);
    }
}

/// Installs the process's logger. A second one is not installed, and its handle changes nothing.
pub fn init_logs(settings: &LogSettings) -> Logs {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .lossy(true)
        .thread_name("log")
        .finish(io::stderr());
    let dropped = writer.error_counter();
    let (subscriber, filter) = subscriber(settings, writer);
    if subscriber.try_init().is_err() {
        tracing::debug!("a logger was installed before");
    }
    Logs {
        handle: LogHandle { filter, dropped },
        writer: Some(guard),
    }
}

/// What formats and filters, and the handle of its filter.
fn subscriber(
    settings: &LogSettings,
    writer: NonBlocking,
) -> (Box<dyn Subscriber + Send + Sync>, reload::Handle<Targets, Registry>) {
    // The filter was parsed when the settings were read.
    let filter = parse_log_filter(&settings.filter).unwrap_or_else(log_ceiling);
    let (filter, handle) = reload::Layer::new(filter);
    let filter = filter.and(log_ceiling());
    let registry = tracing_subscriber::registry();
    let layer = fmt::layer().with_writer(writer);
    let subscriber: Box<dyn Subscriber + Send + Sync> = match settings.format {
        LogFormat::Human => Box::new(registry.with(layer.with_ansi(io::stderr().is_terminal()).with_filter(filter))),
        LogFormat::Json => Box::new(registry.with(layer.json().flatten_event(true).with_filter(filter))),
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
        let (subscriber, filter) = subscriber(&settings, writer);
        let handle = LogHandle { filter, dropped };
        tracing::subscriber::with_default(subscriber, || log(&handle));
        drop(guard);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_filter_changes_while_it_logs() {
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
    fn other_crates_do_not_debug() {
        let text = logged("trace", |_| {
            tracing::trace!("ours");
            tracing::debug!(target: "h2::codec", "theirs");
            tracing::info!(target: "h2::codec", "theirs at info");
        });
        assert!(text.contains("ours") && text.contains("theirs at info"), "{text}");
        assert!(!text.contains("\"theirs\""), "{text}");
    }

    #[test]
    fn what_cannot_be_written_is_dropped_and_counted() {
        /// A reader that has stopped to read.
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
        let (subscriber, filter) = subscriber(&settings, writer);
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
