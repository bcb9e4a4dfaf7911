//! Attackers against the table: an honest peer that connects and sends a request at once is served.
//!
//! An honest peer needs `HANDSHAKE` from its connection to its first request, works for `WORK`, and
//! stays idle. It must never lose its slot before its request is answered. The server holds its
//! promise below a stated number of arrivals: attackers of `n` addresses who open `r` connections per
//! second displace a pending connection after `share² / (n x r)` seconds, but no earlier than
//! `share / r`, where `share` is a quarter of the slots.

use super::*;

const SLOTS: usize = 64;
const HANDSHAKE: Duration = Duration::from_millis(100);
const WORK: Duration = Duration::from_millis(50);
const TICK: Duration = Duration::from_millis(1);
const SECONDS: u64 = 4;

/// How the attackers' connections behave.
#[derive(Debug, Clone, Copy)]
enum Attack {
    /// They send nothing.
    Silent,
    /// They send a request at once, and then nothing.
    Idle,
    /// One half does the one, one half the other.
    Mixed,
}

/// The number of honest requests that were answered and that were not.
#[derive(Debug, Default)]
struct Outcome {
    answered: usize,
    lost: usize,
}

/// Simulates attackers of `addresses`, who open `per_second` connections, beside honest peers of
/// which one arrives every 40 ms.
fn simulate(attack: Attack, addresses: u32, per_second: u64) -> Outcome {
    let mut table = ConnectionTable::default();
    let (start, limits) = (Instant::now(), limits(SLOTS));
    let mut honest: Vec<(u64, Instant)> = Vec::new();
    let (mut outcome, mut attackers, mut arrived) = (Outcome::default(), 0u64, 0);
    // The attackers fill the table before the first honest peer arrives.
    for _ in 0..SLOTS {
        arrive(&mut table, attack, &mut attackers, addresses, start, &limits);
    }
    for tick in 0..SECONDS * 1000 {
        let now = start + TICK * u32::try_from(tick).unwrap();
        let mut evicted = Vec::new();
        while arrived < tick * per_second / 1000 {
            arrived += 1;
            evicted.extend(arrive(&mut table, attack, &mut attackers, addresses, now, &limits));
        }
        if tick % 40 == 20 {
            let number = 1 << 24 | u32::try_from(tick / 40).unwrap();
            match admit(&mut table, number, Pending, now, &limits) {
                Admission::Accepted(id, eviction) => {
                    honest.push((id, now));
                    evicted.extend(eviction.map(|eviction| eviction.connection));
                }
                Admission::Refused(_) => outcome.lost += 1,
            }
        }
        for id in honest_progress(&mut table, &mut honest, now, &mut outcome) {
            // An honest peer that has been answered may go.
            table.remove(id);
        }
        // The closed connections have ended by the next tick.
        table.closing = 0;
    }
    outcome
}

fn arrive(
    table: &mut ConnectionTable<FakeConnection>,
    attack: Attack,
    attackers: &mut u64,
    addresses: u32,
    now: Instant,
    limits: &TableLimits,
) -> Option<FakeConnection> {
    let number = u32::try_from(*attackers % u64::from(addresses)).unwrap();
    let stage = match attack {
        Attack::Silent => Pending,
        Attack::Idle => Idle,
        Attack::Mixed => [Pending, Idle][usize::try_from(*attackers / 7 % 2).unwrap()],
    };
    *attackers += 1;
    match admit(table, number, stage, now, limits) {
        Admission::Accepted(_, eviction) => eviction.map(|eviction| eviction.connection),
        Admission::Refused(_) => None,
    }
}

/// Moves the honest connections on, counts those that lost their slot before their answer, and
/// returns those that have been idle for a second.
fn honest_progress(
    table: &mut ConnectionTable<FakeConnection>,
    honest: &mut Vec<(u64, Instant)>,
    now: Instant,
    outcome: &mut Outcome,
) -> Vec<u64> {
    let mut gone = Vec::new();
    honest.retain(|(id, accepted_at)| {
        let age = now - *accepted_at;
        let Some(entry) = table.entries.get_mut(id) else {
            outcome.lost += usize::from(age <= HANDSHAKE + WORK);
            return false;
        };
        if age == HANDSHAKE {
            entry.connection.stage = Busy;
        } else if age == HANDSHAKE + WORK {
            entry.connection.stage = Idle;
            entry.connection.quiet_since = now;
            outcome.answered += 1;
        } else if age > Duration::from_secs(1) {
            gone.push(*id);
            return false;
        }
        true
    });
    gone
}

/// A quarter of 64 slots is 16. 16 addresses or more may open 16 connections per 100 ms, that is 160
/// per second; one address 16 times as many.
#[test]
fn honest_peers_are_served_beside_every_attack() {
    for attack in [Attack::Silent, Attack::Idle, Attack::Mixed] {
        for (addresses, per_second) in [(1, 2_000), (4, 500), (16, 120), (64, 120), (1 << 20, 120)] {
            let outcome = simulate(attack, addresses, per_second);
            assert_eq!(outcome.lost, 0, "{attack:?} {addresses} {per_second} {outcome:?}");
            assert!(outcome.answered > 80, "{outcome:?}");
        }
    }
}

/// The simulation can fail: far above the stated number, new connections are displaced.
#[test]
fn a_flood_above_the_stated_number_displaces_honest_peers() {
    let outcome = simulate(Attack::Silent, 1 << 20, 2_000);
    assert!(outcome.lost > 80, "{outcome:?}");
}
