//! What happens now, on stderr: a line where people watch, and lines for a log.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise}  {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar }
    }

    /// What begins now and may take seconds.
    pub fn begin(&self, text: impl Into<String>) {
        let text = text.into();
        if self.bar.is_hidden() {
            writeln!(std::io::stderr().lock(), "{text} …").unwrap_or_default();
        }
        self.bar.set_message(text);
    }

    /// What is known now.
    pub fn tell(&self, text: impl AsRef<str>) {
        if self.bar.is_hidden() {
            writeln!(std::io::stderr().lock(), "{}", text.as_ref()).unwrap_or_default();
        }
        self.bar.println(text);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
