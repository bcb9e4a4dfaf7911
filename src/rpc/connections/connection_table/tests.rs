use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use ConnectionStage::{Busy, Idle, Pending};

mod simulation;

#[derive(Debug, Clone, Copy)]
struct FakeConnection {
    peer: Principal,
    stage: ConnectionStage,
    quiet_since: Instant,
}

impl ObservableConnection for FakeConnection {
    fn view(&self, now: Instant) -> ConnectionView {
        ConnectionView {
            peer: self.peer,
            stage: self.stage,
            quiet_for: now.saturating_duration_since(self.quiet_since),
        }
    }
}

fn peer(number: u32) -> Principal {
    Principal::at(Ipv4Addr::from_bits(number).into())
}

fn limits(connections: usize) -> TableLimits {
    TableLimits {
        connections,
        per_peer: connections,
    }
}

fn admit(
    table: &mut ConnectionTable<FakeConnection>,
    number: u32,
    stage: ConnectionStage,
    now: Instant,
    limits: &TableLimits,
) -> Admission<FakeConnection> {
    let connection = FakeConnection {
        peer: peer(number),
        stage,
        quiet_since: now,
    };
    table.admit(peer(number), connection, now, limits)
}

#[test]
fn a_full_table_refuses_only_if_every_connection_is_busy() {
    let (mut table, now) = (ConnectionTable::default(), Instant::now());
    for number in 0..6 {
        let admission = admit(&mut table, number, Busy, now, &limits(6));
        assert!(matches!(admission, Admission::Accepted(_, None)), "{admission:?}");
    }
    let refused = admit(&mut table, 9, Pending, now, &limits(6));
    assert!(
        matches!(refused, Admission::Refused(RefusalReason::AllBusy)),
        "{refused:?}"
    );
    table.remove(0);
    assert!(matches!(
        admit(&mut table, 9, Idle, now, &limits(6)),
        Admission::Accepted(_, None)
    ));
    let Admission::Accepted(_, Some(eviction)) = admit(&mut table, 10, Pending, now, &limits(6)) else {
        panic!("the idle connection keeps its slot")
    };
    assert_eq!(eviction.connection.peer, peer(9));
    assert_eq!((eviction.stage, eviction.mode), (Idle, EvictionMode::Graceful));
    assert_eq!(table.open(), 6);
}

#[test]
fn connections_that_close_slowly_are_bounded() {
    let (mut table, now) = (ConnectionTable::default(), Instant::now());
    let limits = limits(16);
    for number in 0..16 {
        admit(&mut table, number, Idle, now - Duration::from_secs(9), &limits);
    }
    let modes: Vec<EvictionMode> = (0..4)
        .map(|number| match admit(&mut table, 100 + number, Idle, now, &limits) {
            Admission::Accepted(_, Some(eviction)) => eviction.mode,
            other => panic!("{other:?}"),
        })
        .collect();
    let (graceful, immediate) = (EvictionMode::Graceful, EvictionMode::Immediate);
    assert_eq!(modes, [graceful, graceful, immediate, immediate]);
    // Their ends make room again.
    (0..16).for_each(|number| {
        if !table.entries.contains_key(&number) {
            table.remove(number);
        }
    });
    assert_eq!(table.open(), 16);
    let Some(eviction) = table.evict(now, &limits) else {
        panic!("an idle connection is open")
    };
    assert_eq!(eviction.mode, graceful);
}

#[test]
fn a_peer_at_its_limit_loses_one_of_its_own() {
    let (mut table, now) = (ConnectionTable::default(), Instant::now());
    let limits = TableLimits {
        connections: 100,
        per_peer: 2,
    };
    admit(&mut table, 2, Pending, now, &limits);
    admit(&mut table, 1, Idle, now, &limits);
    admit(&mut table, 1, Busy, now, &limits);
    let Admission::Accepted(_, Some(eviction)) = admit(&mut table, 1, Busy, now, &limits) else {
        panic!("the peer exceeds its limit")
    };
    assert_eq!((eviction.connection.peer, eviction.stage), (peer(1), Idle));
    let refused = admit(&mut table, 1, Pending, now, &limits);
    assert!(
        matches!(refused, Admission::Refused(RefusalReason::PeerLimit)),
        "{refused:?}"
    );
}

/// A proxy may have nearly all slots, and a peer that works on all of them leaves an eighth.
#[test]
fn one_address_cannot_keep_the_last_slots_busy() {
    let (mut table, now) = (ConnectionTable::default(), Instant::now());
    let limits = limits(64);
    for _ in 0..56 {
        assert!(matches!(
            admit(&mut table, 1, Busy, now, &limits),
            Admission::Accepted(_, None)
        ));
    }
    assert!(matches!(
        admit(&mut table, 1, Busy, now, &limits),
        Admission::Refused(RefusalReason::PeerLimit)
    ));
    for number in 2..10 {
        assert!(matches!(
            admit(&mut table, number, Busy, now, &limits),
            Admission::Accepted(_, None)
        ));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Admit(u32, ConnectionStage),
    End(prop::sample::Index),
}

fn any_step() -> impl Strategy<Value = Step> {
    let stage = prop_oneof![Just(Pending), Just(Idle), Just(Busy)];
    prop_oneof![
        4 => (0..5u32, stage).prop_map(|(number, stage)| Step::Admit(number, stage)),
        1 => any::<prop::sample::Index>().prop_map(Step::End),
    ]
}

proptest! {
    /// The table holds what a list of the connections holds, and never more than its limits.
    #[test]
    fn the_table_agrees_with_a_list(
        steps in prop::collection::vec(any_step(), 1..200),
        connections in 1usize..20,
        per_peer in 1usize..20,
    ) {
        let limits = TableLimits { connections, per_peer };
        let (mut table, mut now) = (ConnectionTable::default(), Instant::now());
        let mut open: Vec<(u64, u32, ConnectionStage, Instant)> = Vec::new();
        let mut graceful = Vec::new();
        for step in steps {
            now += Duration::from_millis(1);
            match step {
                Step::Admit(number, stage) => {
                    let of_peer = open.iter().filter(|(_, peer, ..)| *peer == number).count();
                    match admit(&mut table, number, stage, now, &limits) {
                        Admission::Accepted(id, eviction) => {
                            if let Some(eviction) = eviction {
                                prop_assert!(open.len() >= connections - connections / 8 || of_peer >= per_peer);
                                prop_assert_ne!(eviction.stage, Busy);
                                let victim = open.iter().position(|(.., since)| *since == eviction.connection.quiet_since);
                                let (victim, number, stage, _) = open.remove(victim.unwrap());
                                prop_assert_eq!((peer(number), stage), (eviction.connection.peer, eviction.stage));
                                match eviction.mode {
                                    EvictionMode::Graceful => graceful.push(victim),
                                    EvictionMode::Immediate => table.remove(victim),
                                }
                            }
                            open.push((id, number, stage, now));
                        }
                        Admission::Refused(RefusalReason::AllBusy) => {
                            prop_assert!(open.len() >= connections && open.iter().all(|(_, _, stage, _)| *stage == Busy));
                        }
                        Admission::Refused(RefusalReason::PeerLimit) => {
                            let own = open.iter().filter(|(_, peer, ..)| *peer == number);
                            prop_assert!(own.clone().count() >= per_peer.min(connections / 2));
                            prop_assert!(own.clone().all(|(_, _, stage, _)| *stage == Busy));
                        }
                    }
                }
                Step::End(index) if !open.is_empty() => {
                    let (id, ..) = open.swap_remove(index.index(open.len()));
                    table.remove(id);
                }
                Step::End(_) => {
                    if let Some(id) = graceful.pop() {
                        table.remove(id);
                    }
                }
            }
            prop_assert_eq!(table.open(), open.len());
            prop_assert!(open.len() <= connections);
            prop_assert!(graceful.len() <= limits.closing());
            let held: usize = table.by_address.values().map(IndexSet::len).sum();
            prop_assert_eq!(held, open.len());
        }
    }
}
