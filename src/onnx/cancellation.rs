//! Cancels a run when no caller waits for it any more.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts the callers that wait for one run, and cancels the run when the last of them leaves.
///
/// The running thread registers a callback for the duration of the run. The thread that removes the
/// last waiter calls it. Both threads hold the lock meanwhile, so the callback never runs after the
/// run has ended, when it could cancel the next one.
pub struct Cancellation {
    state: Mutex<State>,
}

struct State {
    waiters: usize,
    /// Set while the run is in progress.
    on_cancel: Option<Box<dyn FnOnce() + Send>>,
}

impl Cancellation {
    /// Creates the cancellation of a run that `waiters` callers wait for. Without waiters the run
    /// is cancelled before it starts.
    #[must_use]
    pub fn new(waiters: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiters,
                on_cancel: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes one waiter. The last one cancels the run.
    pub fn remove_waiter(&self) {
        let mut state = self.state();
        state.waiters = state.waiters.saturating_sub(1);
        if state.waiters == 0
            && let Some(on_cancel) = state.on_cancel.take()
        {
            on_cancel();
        }
    }

    /// Returns whether no waiter is left.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state().waiters == 0
    }

    /// Runs `work`. If the last waiter leaves meanwhile, another thread calls `on_cancel`. Returns
    /// `None` without running `work` if no waiter is left.
    pub fn run_cancellable<R>(&self, on_cancel: impl FnOnce() + Send + 'static, work: impl FnOnce() -> R) -> Option<R> {
        {
            let mut state = self.state();
            if state.waiters == 0 {
                return None;
            }
            state.on_cancel = Some(Box::new(on_cancel));
        }
        let _clear = ClearCallback(self);
        Some(work())
    }
}

/// Removes the callback when the run ends, also after a panic.
struct ClearCallback<'a>(&'a Cancellation);

impl Drop for ClearCallback<'_> {
    fn drop(&mut self) {
        self.0.state().on_cancel = None;
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        formatter
            .debug_struct("Cancellation")
            .field("waiters", &state.waiters)
            .field("running", &state.on_cancel.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_last_waiter_to_leave_cancels_the_run() {
        let (cancellation, calls) = (Cancellation::new(2), Arc::new(AtomicUsize::new(0)));
        let on_cancel = {
            let calls = Arc::clone(&calls);
            move || {
                calls.fetch_add(1, Ordering::SeqCst);
            }
        };
        let calls_after_each_waiter = cancellation.run_cancellable(on_cancel, || {
            cancellation.remove_waiter();
            let after_first = calls.load(Ordering::SeqCst);
            cancellation.remove_waiter();
            (after_first, calls.load(Ordering::SeqCst))
        });
        assert_eq!(calls_after_each_waiter, Some((0, 1)));
        assert!(cancellation.is_cancelled());
    }

    #[test]
    fn a_finished_run_is_not_cancelled() {
        let cancellation = Cancellation::new(1);
        let on_cancel = || panic!("called after the run");
        assert_eq!(cancellation.run_cancellable(on_cancel, || 7), Some(7));
        cancellation.remove_waiter();
        assert_eq!(cancellation.run_cancellable(|| (), || 7), None);
    }
}
