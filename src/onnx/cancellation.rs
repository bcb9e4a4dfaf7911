//! The end of a run that nobody waits for any more.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts who waits for one run, and ends it when the last of them has left.
///
/// The thread that runs arms it for as long as the runtime works; whoever leaves last, on any thread, pulls the trigger.
/// Both hold the lock while they do, so that a trigger is never pulled on a run that is over and might hit the next one.
pub struct Halt {
    state: Mutex<State>,
}

struct State {
    waiting: usize,
    trigger: Option<Box<dyn FnOnce() + Send>>,
}

impl Halt {
    /// For a run that `waiting` callers wait for; with none it is over before it begins.
    #[must_use]
    pub fn new(waiting: usize) -> Self {
        Self {
            state: Mutex::new(State { waiting, trigger: None }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of those who wait has left.
    pub fn leave(&self) {
        let mut state = self.state();
        state.waiting = state.waiting.saturating_sub(1);
        if state.waiting == 0
            && let Some(trigger) = state.trigger.take()
        {
            trigger();
        }
    }

    /// Whether all have left.
    #[must_use]
    pub fn is_orphaned(&self) -> bool {
        self.state().waiting == 0
    }

    /// Does `work`, which `trigger` can end from another thread; `None`, without doing it, if all have left already.
    pub fn guard<R>(&self, trigger: impl FnOnce() + Send + 'static, work: impl FnOnce() -> R) -> Option<R> {
        {
            let mut state = self.state();
            if state.waiting == 0 {
                return None;
            }
            state.trigger = Some(Box::new(trigger));
        }
        let _disarm = Disarm(self);
        Some(work())
    }
}

/// The run is over, by a panic too.
struct Disarm<'a>(&'a Halt);

impl Drop for Disarm<'_> {
    fn drop(&mut self) {
        self.0.state().trigger = None;
    }
}

impl fmt::Debug for Halt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        formatter
            .debug_struct("Halt")
            .field("waiting", &state.waiting)
            .field("armed", &state.trigger.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_last_to_leave_ends_the_run() {
        let (halt, pulled) = (Halt::new(2), Arc::new(AtomicUsize::new(0)));
        let trigger = {
            let pulled = Arc::clone(&pulled);
            move || {
                pulled.fetch_add(1, Ordering::SeqCst);
            }
        };
        let seen = halt.guard(trigger, || {
            halt.leave();
            let after_one = pulled.load(Ordering::SeqCst);
            halt.leave();
            (after_one, pulled.load(Ordering::SeqCst))
        });
        assert_eq!(seen, Some((0, 1)));
        assert!(halt.is_orphaned());
    }

    #[test]
    fn a_run_that_is_over_is_not_hit() {
        let halt = Halt::new(1);
        assert_eq!(halt.guard(|| panic!("pulled after the run"), || 7), Some(7));
        halt.leave();
        assert_eq!(halt.guard(|| (), || 7), None);
    }
}
