//! What happens on one connection, counted: without a clock, because it is counted for each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// The counts of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    greeted: AtomicBool,
    open: AtomicU32,
    untaken: AtomicU32,
    moves: AtomicU64,
}

/// The counts at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether the peer has spoken HTTP/2.
    pub(super) greeted: bool,
    /// Requests that have come and whose answers are not all gone.
    pub(super) open: u32,
    /// Those of them that wait for nothing but the peer to take more of an answer.
    pub(super) untaken: u32,
    /// Grows with every request and every piece of an answer.
    pub(super) moves: u64,
}

impl Activity {
    pub(super) fn seen(&self) -> Seen {
        Seen {
            greeted: self.greeted.load(Relaxed),
            open: self.open.load(Relaxed),
            untaken: self.untaken.load(Relaxed),
            moves: self.moves.load(Relaxed),
        }
    }

    /// The peer has spoken HTTP/2.
    pub(super) fn greet(&self) {
        self.greeted.store(true, Relaxed);
    }

    pub(super) fn moved(&self) {
        self.moves.fetch_add(1, Relaxed);
    }
}

/// One request, from its headers to the last piece of its answer.
pub(super) struct Open {
    activity: Arc<Activity>,
    is_untaken: bool,
}

impl Open {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.open.fetch_add(1, Relaxed);
        activity.moved();
        Self {
            activity: Arc::clone(activity),
            is_untaken: false,
        }
    }

    /// A piece of the answer is there for the peer to take.
    pub(super) fn offered(&mut self) {
        self.activity.moved();
        if !std::mem::replace(&mut self.is_untaken, true) {
            self.activity.untaken.fetch_add(1, Relaxed);
        }
    }

    /// The peer has taken all that there was.
    pub(super) fn taken(&mut self) {
        if std::mem::replace(&mut self.is_untaken, false) {
            self.activity.untaken.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.taken();
        self.activity.open.fetch_sub(1, Relaxed);
        self.activity.moved();
    }
}
