//! A bar on stderr for what takes longer than two seconds, where a person watches.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::output;

/// Anything faster needs no bar.
const PATIENCE: Duration = Duration::from_secs(2);

/// Hidden until it is needed; gone when it is dropped.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    shown: bool,
}

impl Progress {
    /// A bar of `total` things, called `unit`.
    #[must_use]
    pub fn new(total: u64, unit: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {unit}, {{eta}} left"));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            bar,
            started: Instant::now(),
            shown: false,
        }
    }

    /// So many are done.
    pub fn set(&mut self, done: u64) {
        self.bar.set_position(done);
        if !self.shown && self.started.elapsed() > PATIENCE && output::stderr_is_terminal() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown = true;
        }
    }

    /// So many more are done.
    pub fn advance(&mut self, more: u64) {
        self.set(self.bar.position() + more);
    }

    /// A line that changes in place, for a stream.
    pub(crate) fn live_line() -> ProgressBar {
        let bar = ProgressBar::new_spinner();
        if !output::stdout_is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar
    }

    /// Some lines on stdout that change in place.
    pub(crate) fn live_lines() -> ProgressBar {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress")
            .field("done", &self.bar.position())
            .finish_non_exhaustive()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
