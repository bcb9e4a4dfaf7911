//! Counts the activity of one connection. It uses no clock, because every request updates it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// The activity counts of one connection.
#[derive(Debug, Default)]
pub(super) struct ConnectionActivity {
    preface_received: AtomicBool,
    open_requests: AtomicU32,
    unread_responses: AtomicU32,
    progress: AtomicU64,
}

/// The activity counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ActivitySnapshot {
    /// Whether the peer has sent the HTTP/2 preface.
    pub(super) preface_received: bool,
    /// Requests that have arrived and whose responses are not sent completely.
    pub(super) open_requests: u32,
    /// The open requests that only wait for the peer to read more of the response.
    pub(super) unread_responses: u32,
    /// Grows with every request and every part of a response.
    pub(super) progress: u64,
}

impl ConnectionActivity {
    pub(super) fn snapshot(&self) -> ActivitySnapshot {
        ActivitySnapshot {
            preface_received: self.preface_received.load(Relaxed),
            open_requests: self.open_requests.load(Relaxed),
            unread_responses: self.unread_responses.load(Relaxed),
            progress: self.progress.load(Relaxed),
        }
    }

    /// Records that the peer has sent the HTTP/2 preface.
    pub(super) fn record_preface(&self) {
        self.preface_received.store(true, Relaxed);
    }

    fn record_progress(&self) {
        self.progress.fetch_add(1, Relaxed);
    }
}

/// One open request, from its headers to the last part of its response. Dropping it ends the request.
pub(super) struct OpenRequest {
    activity: Arc<ConnectionActivity>,
    is_unread: bool,
}

impl OpenRequest {
    pub(super) fn new(activity: &Arc<ConnectionActivity>) -> Self {
        activity.open_requests.fetch_add(1, Relaxed);
        activity.record_progress();
        Self {
            activity: Arc::clone(activity),
            is_unread: false,
        }
    }

    /// Records that a part of the response waits for the peer to read it.
    pub(super) fn part_available(&mut self) {
        self.activity.record_progress();
        if !std::mem::replace(&mut self.is_unread, true) {
            self.activity.unread_responses.fetch_add(1, Relaxed);
        }
    }

    /// Records that the peer has read every available part of the response.
    pub(super) fn all_parts_read(&mut self) {
        if std::mem::replace(&mut self.is_unread, false) {
            self.activity.unread_responses.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.all_parts_read();
        self.activity.open_requests.fetch_sub(1, Relaxed);
        self.activity.record_progress();
    }
}
