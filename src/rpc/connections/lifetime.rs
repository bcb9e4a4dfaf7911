//! Decides when a connection ends, as a function of the time and of its activity.

use std::fmt;
use std::time::{Duration, Instant};

use super::activity::ActivitySnapshot;
use crate::settings::ConnectionSettings;

/// How long a peer without requests may take to close its side after a graceful close began. It is
/// longer than any network round trip.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The shortest handshake timeout, which applies when all slots are taken. It is enough for a TLS
/// handshake over a round trip of 200 ms.
const MIN_HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(500);

/// How often a connection in its handshake is checked. Its deadline comes closer as slots run out.
pub(super) const HANDSHAKE_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// How often a connection is checked within one timeout. A connection therefore closes at most a
/// quarter of its timeout too late.
const CHECKS_PER_TIMEOUT: u32 = 4;

/// The time limits of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct LifetimeLimits {
    idle: Duration,
    age: Option<Duration>,
    grace: Duration,
}

impl LifetimeLimits {
    /// The limits of the connection with the given `number`.
    pub(super) fn new(settings: &ConnectionSettings, number: u64) -> Self {
        Self {
            idle: settings.idle_timeout,
            age: settings.max_connection_age.map(|age| spread(age, number)),
            grace: settings.max_connection_age_grace,
        }
    }
}

/// From 0.9 to 1.1 of `age`, so that connections that began together do not end together.
///
/// Multiples of the golden ratio are spread more evenly than random numbers.
fn spread(age: Duration, number: u64) -> Duration {
    const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
    // 16 bits are exact in every type, and finer than any clock needs here.
    let fraction = number.wrapping_add(1).wrapping_mul(GOLDEN_RATIO) >> 48;
    let share = 0.9 + 0.2 * f64::from(u16::try_from(fraction).unwrap_or(u16::MAX)) / f64::from(u16::MAX);
    age.mul_f64(share)
}

/// The time that a handshake may take while `open` of `max_connections` slots are taken: `configured`
/// up to half of them, then less with each, down to `MIN_HANDSHAKE_TIMEOUT` when all are taken. The
/// same number of slots always shortens the time by the same factor.
pub(super) fn handshake_timeout(configured: Duration, open: usize, max_connections: usize) -> Duration {
    let shortest = MIN_HANDSHAKE_TIMEOUT.min(configured);
    let scale = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let taken_beyond_half = (2.0 * scale(open) / scale(max_connections.max(1)) - 1.0).clamp(0.0, 1.0);
    let factor = (shortest.as_secs_f64() / configured.as_secs_f64().max(f64::MIN_POSITIVE)).powf(taken_beyond_half);
    // Rounding must not end a handshake before the shortest time, or extend the setting.
    configured.mul_f64(factor.clamp(0.0, 1.0)).max(shortest)
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The peer did not send the HTTP/2 preface within `server.handshake_timeout`.
    NoPreface,
    /// The peer began headers and did not end them within `server.handshake_timeout`.
    HeadersIncomplete,
    /// Another connection needed the slot.
    Evicted,
    /// The connection had no request for `server.idle_timeout`.
    Idle,
    /// The connection reached `server.max_connection_age`.
    Age,
    /// The server shuts down.
    Shutdown,
    /// The peer has no requests and did not close its side after a graceful close began.
    NotClosedByPeer,
    /// Requests were open beyond `server.max_connection_age_grace`.
    GracePeriodOver,
    /// The peer read no part of a response for `server.idle_timeout`.
    ResponsesNotRead,
}

/// As a log line names it.
impl fmt::Display for CloseReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoPreface => "no HTTP/2 preface within server.handshake_timeout",
            Self::HeadersIncomplete => "incomplete headers after server.handshake_timeout",
            Self::Evicted => "another connection needs the slot",
            Self::Idle => "no request for server.idle_timeout",
            Self::Age => "server.max_connection_age is reached",
            Self::Shutdown => "the server stops",
            Self::NotClosedByPeer => "the peer does not close its side",
            Self::GracePeriodOver => "requests are open beyond server.max_connection_age_grace",
            Self::ResponsesNotRead => "the peer reads no response for server.idle_timeout",
        })
    }
}

/// The next action on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LifetimeAction {
    /// Check again at this time at the latest.
    Wait(Instant),
    /// Begin a graceful close, which ends once the open requests are answered. Check again at this
    /// time.
    CloseGracefully(CloseReason, Instant),
    /// Close the connection now.
    Abort(CloseReason),
}

/// The state of one connection from its start to its end.
#[derive(Debug)]
pub(super) struct ConnectionLifetime {
    limits: LifetimeLimits,
    accepted_at: Instant,
    /// The time of the last observed progress, and the progress count at that time.
    last_progress: (Instant, u64),
    graceful_close: Option<GracefulClose>,
    is_shutting_down: bool,
    is_evicted: bool,
}

#[derive(Debug, Clone, Copy)]
struct GracefulClose {
    began_at: Instant,
    /// The time at which open requests are aborted.
    abort_at: Option<Instant>,
}

impl ConnectionLifetime {
    pub(super) fn new(limits: LifetimeLimits, accepted_at: Instant) -> Self {
        Self {
            limits,
            accepted_at,
            last_progress: (accepted_at, 0),
            graceful_close: None,
            is_shutting_down: false,
            is_evicted: false,
        }
    }

    /// Begins the shutdown of the server. Another limit, for all connections together, bounds how
    /// long open requests may take.
    pub(super) fn begin_shutdown(&mut self) {
        self.is_shutting_down = true;
    }

    /// Takes the slot of the connection away. Its peer has `CLOSE_TIMEOUT` to close its side, and
    /// requests that have just arrived have as long to finish.
    pub(super) fn begin_eviction(&mut self) {
        self.is_evicted = true;
    }

    /// The action to take at `now`. `handshake_timeout` is the present limit on the time from the
    /// accept to the preface.
    pub(super) fn next_action(
        &mut self,
        now: Instant,
        activity: ActivitySnapshot,
        handshake_timeout: Duration,
    ) -> LifetimeAction {
        let preface_deadline = self.accepted_at + handshake_timeout;
        if !activity.preface_received && now >= preface_deadline {
            return LifetimeAction::Abort(CloseReason::NoPreface);
        }
        let headers_deadline = activity.headers_begun_at.map(|begun_at| begun_at + handshake_timeout);
        if headers_deadline.is_some_and(|deadline| now >= deadline) {
            return LifetimeAction::Abort(CloseReason::HeadersIncomplete);
        }
        // A request in progress, or one that is still arriving, counts as progress.
        if activity.open_requests > activity.unread_responses || activity.progress != self.last_progress.1 {
            self.last_progress = (now, activity.progress);
        }
        let is_idle = now.duration_since(self.last_progress.0) >= self.limits.idle;
        if is_idle && activity.open_requests > 0 {
            return LifetimeAction::Abort(CloseReason::ResponsesNotRead);
        }
        // Headers may begin between two checks.
        let headers_check = (handshake_timeout / CHECKS_PER_TIMEOUT).max(HANDSHAKE_CHECK_INTERVAL);
        let mut next_check = now + headers_check.min(self.limits.idle / CHECKS_PER_TIMEOUT);
        if let Some(deadline) = headers_deadline {
            next_check = next_check.min(deadline);
        }
        if !activity.preface_received {
            next_check = next_check.min(preface_deadline).min(now + HANDSHAKE_CHECK_INTERVAL);
        }
        if let Some(close) = &mut self.graceful_close {
            if self.is_evicted {
                let latest = now + CLOSE_TIMEOUT;
                close.abort_at = Some(close.abort_at.map_or(latest, |abort_at| abort_at.min(latest)));
            }
            let close = *close;
            if close.abort_at.is_some_and(|abort_at| now >= abort_at) {
                return LifetimeAction::Abort(CloseReason::GracePeriodOver);
            }
            // A request may have been on its way when the close began. The timeout therefore starts
            // again after each request.
            let peer_deadline = self.last_progress.0.max(close.began_at) + CLOSE_TIMEOUT;
            if activity.open_requests == 0 && now >= peer_deadline {
                return LifetimeAction::Abort(CloseReason::NotClosedByPeer);
            }
            let close_check = now + CLOSE_TIMEOUT / CHECKS_PER_TIMEOUT;
            return LifetimeAction::Wait(
                [Some(close_check), close.abort_at]
                    .into_iter()
                    .flatten()
                    .fold(next_check, Instant::min),
            );
        }
        let max_age_at = self.limits.age.map(|age| self.accepted_at + age);
        if self.is_shutting_down {
            self.close_gracefully(CloseReason::Shutdown, now, None)
        } else if max_age_at.is_some_and(|max_age_at| now >= max_age_at) {
            self.close_gracefully(CloseReason::Age, now, Some(now + self.limits.grace))
        } else if self.is_evicted {
            self.close_gracefully(CloseReason::Evicted, now, Some(now + CLOSE_TIMEOUT))
        } else if is_idle {
            self.close_gracefully(CloseReason::Idle, now, None)
        } else {
            LifetimeAction::Wait(max_age_at.map_or(next_check, |max_age_at| next_check.min(max_age_at)))
        }
    }

    fn close_gracefully(&mut self, reason: CloseReason, now: Instant, abort_at: Option<Instant>) -> LifetimeAction {
        self.graceful_close = Some(GracefulClose {
            began_at: now,
            abort_at,
        });
        let next_check = now + CLOSE_TIMEOUT / CHECKS_PER_TIMEOUT;
        let next_check = abort_at.map_or(next_check, |abort_at| next_check.min(abort_at));
        LifetimeAction::CloseGracefully(reason, next_check)
    }
}

#[cfg(test)]
mod tests;
