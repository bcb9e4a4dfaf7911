//! When a connection ends: a function of the time and of what was seen on it.

use std::time::{Duration, Instant};

use super::activity::Seen;
use crate::settings::ConnectionSettings;

/// How long a peer without requests may take to leave when it is asked to; longer than any way there and back.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// How often a connection is looked at while it is idle: it is closed a quarter too late at most.
const LOOKS: u32 = 4;

/// What a connection may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    handshake: Duration,
    idle: Duration,
    age: Option<Duration>,
    grace: Duration,
}

impl Limits {
    /// Of the connection that is the `number`th.
    pub(super) fn of(settings: &ConnectionSettings, number: u64) -> Self {
        Self {
            handshake: settings.handshake_timeout,
            idle: settings.idle_timeout,
            age: settings.max_connection_age.map(|age| spread(age, number)),
            grace: settings.max_connection_age_grace,
        }
    }
}

/// From nine to eleven tenths of `age`: multiples of the golden ratio are spread more evenly than chance would, so connections that
/// were made together do not end together.
fn spread(age: Duration, number: u64) -> Duration {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    // 16 bits are exact in every type, and finer than any clock needs here.
    let fraction = number.wrapping_add(1).wrapping_mul(GOLDEN) >> 48;
    let share = 0.9 + 0.2 * f64::from(u16::try_from(fraction).unwrap_or(u16::MAX)) / f64::from(u16::MAX);
    age.mul_f64(share)
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It never spoke HTTP/2.
    NoGreeting,
    /// No request for `server.idle_timeout`.
    Idle,
    /// `server.max_connection_age`.
    Age,
    /// The server stops.
    Stop,
    /// Asked to leave, it has no requests and stays.
    Stays,
    /// Its requests went on beyond `server.max_connection_age_grace`.
    GraceOver,
    /// It has taken no piece of an answer for `server.idle_timeout`.
    NotTaken,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing: look again then, at the latest.
    Wait(Instant),
    /// Ask the peer to leave once its requests are answered, and look again then.
    Close(Why, Instant),
    /// Close it now.
    Cut(Why),
}

/// The way of one connection to its end.
#[derive(Debug)]
pub(super) struct Lifetime {
    limits: Limits,
    born: Instant,
    /// Since when nothing has moved, and the count of moves then.
    quiet: (Instant, u64),
    closing: Option<Closing>,
    is_stopping: bool,
}

#[derive(Debug, Clone, Copy)]
struct Closing {
    since: Instant,
    /// Whatever is still open then is cut.
    until: Option<Instant>,
}

impl Lifetime {
    pub(super) fn new(limits: Limits, born: Instant) -> Self {
        Self {
            limits,
            born,
            quiet: (born, 0),
            closing: None,
            is_stopping: false,
        }
    }

    /// The server stops. How long requests in flight may take is bounded for all connections together, not here.
    pub(super) fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// What is to be done at `now`.
    pub(super) fn look(&mut self, now: Instant, seen: Seen) -> Verdict {
        let greeting_by = self.born + self.limits.handshake;
        if !seen.greeted && now >= greeting_by {
            return Verdict::Cut(Why::NoGreeting);
        }
        // A request that is worked on, or that is still coming, is no silence.
        if seen.open > seen.untaken || seen.moves != self.quiet.1 {
            self.quiet = (now, seen.moves);
        }
        let is_silent_for = |limit| now.duration_since(self.quiet.0) >= limit;
        if is_silent_for(self.limits.idle) && seen.open > 0 {
            return Verdict::Cut(Why::NotTaken);
        }
        let mut next = now + self.limits.idle / LOOKS;
        if !seen.greeted {
            next = next.min(greeting_by);
        }
        if let Some(closing) = self.closing {
            if closing.until.is_some_and(|until| now >= until) {
                return Verdict::Cut(Why::GraceOver);
            }
            // A request may have been under way when the peer was asked to leave: it is waited for anew after each.
            let left_by = self.quiet.0.max(closing.since) + LINGER;
            if seen.open == 0 && now >= left_by {
                return Verdict::Cut(Why::Stays);
            }
            let look = now + LINGER / LOOKS;
            return Verdict::Wait(
                [Some(look), closing.until]
                    .into_iter()
                    .flatten()
                    .fold(next, Instant::min),
            );
        }
        let old_at = self.limits.age.map(|age| self.born + age);
        if self.is_stopping {
            self.close(Why::Stop, now, None)
        } else if old_at.is_some_and(|old| now >= old) {
            self.close(Why::Age, now, Some(now + self.limits.grace))
        } else if is_silent_for(self.limits.idle) {
            self.close(Why::Idle, now, None)
        } else {
            Verdict::Wait(old_at.map_or(next, |old| next.min(old)))
        }
    }

    fn close(&mut self, why: Why, now: Instant, until: Option<Instant>) -> Verdict {
        self.closing = Some(Closing { since: now, until });
        let look = now + LINGER / LOOKS;
        Verdict::Close(why, until.map_or(look, |until| look.min(until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LIMITS: Limits = Limits {
        handshake: Duration::from_secs(5),
        idle: Duration::from_secs(40),
        age: Some(Duration::from_secs(600)),
        grace: Duration::from_secs(30),
    };
    const GREETED: Seen = Seen {
        greeted: true,
        open: 0,
        untaken: 0,
        moves: 0,
    };

    /// Looks whenever it is asked to, until something is to be done, and says when that was.
    fn until_done(life: &mut Lifetime, mut now: Instant, seen: Seen) -> (Instant, Verdict) {
        for _ in 0..10_000 {
            match life.look(now, seen) {
                Verdict::Wait(next) => {
                    assert!(next > now, "it would be looked at without end");
                    now = next;
                }
                verdict => return (now, verdict),
            }
        }
        (now, Verdict::Wait(now))
    }

    #[test]
    fn who_says_nothing_is_cut() {
        let born = Instant::now();
        let mut life = Lifetime::new(LIMITS, born);
        let (at, verdict) = until_done(&mut life, born, Seen::default());
        assert_eq!((at, verdict), (born + 5 * SECOND, Verdict::Cut(Why::NoGreeting)));
    }

    #[test]
    fn the_idle_are_asked_to_leave_and_then_cut() {
        let born = Instant::now();
        let mut life = Lifetime::new(LIMITS, born);
        let (at, verdict) = until_done(&mut life, born, GREETED);
        assert_eq!(at, born + 40 * SECOND);
        assert!(matches!(verdict, Verdict::Close(Why::Idle, _)), "{verdict:?}");
        let (at, verdict) = until_done(&mut life, at, GREETED);
        assert_eq!((at, verdict), (born + 41 * SECOND, Verdict::Cut(Why::Stays)));
    }

    #[test]
    fn a_request_in_between_is_no_silence() {
        let born = Instant::now();
        let mut life = Lifetime::new(LIMITS, born);
        assert!(matches!(life.look(born + 39 * SECOND, GREETED), Verdict::Wait(_)));
        let moved = Seen { moves: 2, ..GREETED };
        let (at, _) = until_done(&mut life, born + 39 * SECOND + SECOND / 2, moved);
        assert!(at > born + 79 * SECOND, "{:?}", at - born);
        // One that is worked on or watched goes on until the connection is too old.
        let mut life = Lifetime::new(LIMITS, born);
        let (at, verdict) = until_done(&mut life, born, Seen { open: 1, ..GREETED });
        assert!(at >= born + 540 * SECOND && at <= born + 660 * SECOND);
        assert!(matches!(verdict, Verdict::Close(Why::Age, _)), "{verdict:?}");
        let (end, verdict) = until_done(&mut life, at, Seen { open: 1, ..GREETED });
        assert_eq!((end, verdict), (at + LIMITS.grace, Verdict::Cut(Why::GraceOver)));
    }

    #[test]
    fn answers_that_nobody_takes_end_it() {
        let born = Instant::now();
        let mut life = Lifetime::new(LIMITS, born);
        let untaken = Seen {
            open: 3,
            untaken: 3,
            ..GREETED
        };
        let (at, verdict) = until_done(&mut life, born, untaken);
        assert_eq!((at, verdict), (born + 40 * SECOND, Verdict::Cut(Why::NotTaken)));
    }

    #[test]
    fn a_server_that_stops_waits_for_requests_alone() {
        let born = Instant::now();
        let busy = Seen { open: 1, ..GREETED };
        let mut life = Lifetime::new(LIMITS, born);
        life.stop();
        assert!(matches!(life.look(born, busy), Verdict::Close(Why::Stop, _)));
        for seconds in 1..1000 {
            assert!(matches!(life.look(born + seconds * SECOND, busy), Verdict::Wait(_)));
        }
        let done = Seen { moves: 9, ..GREETED };
        assert!(matches!(life.look(born + 1000 * SECOND, done), Verdict::Wait(_)));
        assert_eq!(life.look(born + 1001 * SECOND, done), Verdict::Cut(Why::Stays));
    }

    #[test]
    fn connections_of_the_same_moment_end_apart() {
        let age = Duration::from_secs(1000);
        let mut ends: Vec<u64> = (0..100).map(|number| spread(age, number).as_secs()).collect();
        ends.sort_unstable();
        assert!(*ends.first().unwrap() >= 900 && *ends.last().unwrap() <= 1100);
        let widest = ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(widest <= 6, "{ends:?}");
    }
}
