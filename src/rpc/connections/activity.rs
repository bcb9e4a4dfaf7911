//! Records the activity of one connection.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::eviction::ConnectionStage;
use crate::call::Principal;

/// The activity of one connection.
#[derive(Debug)]
pub(super) struct ConnectionActivity {
    accepted_at: Instant,
    preface_received: AtomicBool,
    /// The party of the first accepted request or of the client certificate.
    established_as: OnceLock<Principal>,
    pub(super) open_requests: AtomicU32,
    pub(super) unread_responses: AtomicU32,
    /// The open requests that the server works on.
    pub(super) busy_requests: AtomicU32,
    progress: AtomicU64,
    /// The time of the last progress, in nanoseconds after `accepted_at`.
    last_progress: AtomicU64,
    /// The time at which unfinished headers began, in nanoseconds after `accepted_at`; `NO_HEADERS`
    /// without any.
    headers_begun: AtomicU64,
}

const NO_HEADERS: u64 = u64::MAX;

/// The activity counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ActivitySnapshot {
    /// Whether the peer has sent the HTTP/2 preface.
    pub(super) preface_received: bool,
    /// Requests that have arrived and whose responses are not sent completely.
    pub(super) open_requests: u32,
    /// The open requests that only wait for the peer to read more of the response.
    pub(super) unread_responses: u32,
    /// When headers began that have not ended.
    pub(super) headers_begun_at: Option<Instant>,
    /// Grows with every request and every part of a response.
    pub(super) progress: u64,
}

impl ConnectionActivity {
    pub(super) fn new(accepted_at: Instant) -> Self {
        Self {
            accepted_at,
            preface_received: AtomicBool::new(false),
            established_as: OnceLock::new(),
            open_requests: AtomicU32::new(0),
            unread_responses: AtomicU32::new(0),
            busy_requests: AtomicU32::new(0),
            progress: AtomicU64::new(0),
            last_progress: AtomicU64::new(0),
            headers_begun: AtomicU64::new(NO_HEADERS),
        }
    }

    pub(super) fn snapshot(&self) -> ActivitySnapshot {
        ActivitySnapshot {
            preface_received: self.preface_received.load(Relaxed),
            open_requests: self.open_requests.load(Relaxed),
            unread_responses: self.unread_responses.load(Relaxed),
            headers_begun_at: match self.headers_begun.load(Relaxed) {
                NO_HEADERS => None,
                after => Some(self.accepted_at + Duration::from_nanos(after)),
            },
            progress: self.progress.load(Relaxed),
        }
    }

    /// Records that the peer has sent the HTTP/2 preface.
    pub(super) fn record_preface(&self) {
        self.preface_received.store(true, Relaxed);
    }

    /// Records whether the bytes so far end within headers.
    pub(super) fn record_headers(&self, are_open: bool) {
        let were_open = self.headers_begun.load(Relaxed) != NO_HEADERS;
        if are_open != were_open {
            let begun = if are_open {
                self.after_accept(Instant::now())
            } else {
                NO_HEADERS
            };
            self.headers_begun.store(begun, Relaxed);
        }
    }

    /// The nanoseconds from the accept to `now`.
    fn after_accept(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.accepted_at).as_nanos();
        u64::try_from(elapsed).unwrap_or(NO_HEADERS - 1)
    }

    /// When the connection was accepted.
    pub(super) fn accepted_at(&self) -> Instant {
        self.accepted_at
    }

    /// Records that the connection belongs to `principal`, by its client certificate or by a request
    /// that the server accepts. Later calls have no effect.
    pub(super) fn record_established(&self, principal: Principal) {
        let _ = self.established_as.set(principal);
    }

    /// What the connection has shown, and the party that it belongs to if that is known.
    pub(super) fn stage(&self) -> (ConnectionStage, Option<Principal>) {
        let principal = self.established_as.get().copied();
        let stage = if self.busy_requests.load(Relaxed) > 0 {
            ConnectionStage::Busy
        } else if principal.is_some() {
            ConnectionStage::Idle
        } else {
            ConnectionStage::Pending
        };
        (stage, principal)
    }

    /// The time since the last progress.
    pub(super) fn quiet_for(&self, now: Instant) -> Duration {
        let last_progress = self.accepted_at + Duration::from_nanos(self.last_progress.load(Relaxed));
        now.saturating_duration_since(last_progress)
    }

    pub(super) fn record_progress(&self, now: Instant) {
        self.progress.fetch_add(1, Relaxed);
        self.last_progress.store(self.after_accept(now), Relaxed);
    }
}
