//! Progress on standard error: a spinner on a terminal, plain lines in a log.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::console::print_line;

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

    /// Shows the step that starts now and may take seconds.
    pub fn set_step(&self, text: impl Into<String>) {
        let text = text.into();
        if self.bar.is_hidden() {
            print_line(&format!("{text} …"));
        }
        self.bar.set_message(text);
    }

    /// Prints a result above the spinner.
    pub fn print(&self, text: impl AsRef<str>) {
        if self.bar.is_hidden() {
            print_line(text.as_ref());
        }
        self.bar.println(text);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
