//! Progress on the terminal: a bar for long commands, and lines that change in place.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;

/// A command that takes less time shows no bar.
const SHOW_AFTER: Duration = Duration::from_secs(2);

/// A bar on stderr that appears after two seconds, only on a terminal whose user wants more than
/// results, and disappears when it is dropped.
pub(super) struct DelayedProgressBar {
    bar: ProgressBar,
    started: Instant,
    is_shown: bool,
}

impl DelayedProgressBar {
    /// A bar that counts to `total`. `unit` is the plural name of the counted items.
    #[must_use]
    pub(super) fn new(total: u64, unit: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template(&format!(
            "{{wide_bar}} {{pos}}/{{len}} {unit}, {{per_sec}}, {{eta}} left"
        ));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            bar,
            started: Instant::now(),
            is_shown: false,
        }
    }

    /// Begins after items that were completed earlier, which do not count for the rate.
    pub(super) fn start_at(&mut self, completed: u64) {
        self.bar.set_position(completed);
        self.bar.reset_eta();
    }

    /// Sets the number of completed items.
    pub(super) fn set_position(&mut self, completed: u64) {
        self.bar.set_position(completed);
        if !self.is_shown && self.started.elapsed() > SHOW_AFTER && !output::is_quiet() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.is_shown = true;
        }
    }

    /// Prints something while the bar is off the screen.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Adds to the number of completed items.
    pub(super) fn advance(&mut self, completed: u64) {
        self.set_position(self.bar.position() + completed);
    }
}

impl Drop for DelayedProgressBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A status line on stderr that changes in place. Hidden where stdout is no terminal on which lines
/// can change.
pub(super) fn status_line() -> ProgressBar {
    let line = ProgressBar::new_spinner();
    if output::is_quiet() || !output::stdout_can_redraw() {
        line.set_draw_target(ProgressDrawTarget::hidden());
    }
    line
}

/// A block of lines on stdout that changes in place.
pub(super) fn live_block() -> ProgressBar {
    let block = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
    block.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
    block
}
