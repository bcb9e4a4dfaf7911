//! What an attack is, and what it counts.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::target::Target;

/// The interval at which a waiting attack looks whether it must stop.
const STOP_POLL: Duration = Duration::from_millis(20);

/// An attack on a server.
pub trait Attack: Send + Sync {
    /// The name in reports, such as `SETTINGS flood`.
    fn name(&self) -> &'static str;

    /// Opens connections to `target` and attacks until `session` is stopped. An error means that
    /// the server has ended a connection, or that it accepts none; the attack then starts again.
    fn run(&self, target: &Target, session: &Session) -> io::Result<()>;
}

/// The part of a running attack that its thread and its owner share.
#[derive(Debug, Default)]
pub struct Session {
    stopped: AtomicBool,
    connections: AtomicU64,
    sent: AtomicU64,
    refused: AtomicU64,
}

/// What an attack has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttackCounts {
    /// Connections that the attack has opened.
    pub connections: u64,
    /// The frames, messages or requests that it has sent.
    pub sent: u64,
    /// How often the server ended a connection or accepted none.
    pub refused: u64,
}

impl Session {
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Waits for `time`, or until the attack is stopped.
    pub fn wait(&self, time: Duration) {
        let start = Instant::now();
        while !self.is_stopped() {
            let remaining = time.saturating_sub(start.elapsed());
            if remaining.is_zero() {
                return;
            }
            std::thread::sleep(remaining.min(STOP_POLL));
        }
    }

    pub fn count_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_sent(&self, number: u64) {
        self.sent.fetch_add(number, Ordering::Relaxed);
    }

    pub fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub fn counts(&self) -> AttackCounts {
        AttackCounts {
            connections: self.connections.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}
