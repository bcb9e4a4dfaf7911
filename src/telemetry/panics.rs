//! Writes panics to the log, in the format of the log.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

/// Makes the panics of all threads events of the target `certimix::panic`. Before, the standard library
/// writes text to standard error, which is no line of a JSON log.
pub fn log_panics() {
    std::panic::set_hook(Box::new(log_panic));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        target: "certimix::panic",
        thread = thread.name(),
        location = panic.location().map(|place| format!("{}:{}", within_crate(place.file()), place.line())),
        backtrace,
        "panicked: {}",
        panic.payload_as_str().unwrap_or("without a message")
    );
}

/// The path of a source file without the folder of the machine that compiled it: crates of the
/// registry lie in `…/registry/src/INDEX/CRATE-VERSION`.
fn within_crate(path: &str) -> &str {
    let in_registry = path.split_once("/registry/src/").map(|(_, rest)| rest);
    let in_crate = in_registry.and_then(|rest| rest.split_once('/'));
    in_crate.map_or(path, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_location_does_not_name_the_folder_of_the_registry() {
        assert_eq!(
            within_crate("/home/a/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/h2-0.4.20/src/lib.rs"),
            "h2-0.4.20/src/lib.rs"
        );
        assert_eq!(within_crate("src/app/run.rs"), "src/app/run.rs");
    }

    #[test]
    fn a_panic_is_one_json_line() {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(move || writer.clone())
            .finish();
        let before = std::panic::take_hook();
        log_panics();
        tracing::subscriber::with_default(subscriber, || {
            let panicked = std::panic::catch_unwind(|| panic!("an \"unexpected\"\nstate"));
            assert!(panicked.is_err());
        });
        std::panic::set_hook(before);
        let bytes = written.0.lock().unwrap().clone();
        let line: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(line["fields"]["message"], "panicked: an \"unexpected\"\nstate");
        assert_eq!(
            (&line["level"], &line["target"]),
            (&"ERROR".into(), &"certimix::panic".into())
        );
    }
}
