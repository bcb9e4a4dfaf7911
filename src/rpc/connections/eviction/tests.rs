use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::ConnectionStage::{Busy, Idle, Pending};
use super::*;

fn peer(number: u32) -> Principal {
    Principal::at(Ipv4Addr::from_bits(number).into())
}

fn view(number: u32, stage: ConnectionStage, seconds: u64) -> ConnectionView {
    ConnectionView {
        peer: peer(number),
        stage,
        quiet_for: Duration::from_secs(seconds),
    }
}

#[test]
fn many_pending_connections_lose_their_slots_before_idle_ones() {
    let mut connections = vec![view(1, Idle, 100); 6];
    connections.extend([view(2, Pending, 3), view(3, Pending, 4), view(4, Pending, 2)]);
    assert_eq!(choose_victim(&connections), Some(7));
    // Two are within the share of pending connections: a caller that has just arrived is safe.
    connections.truncate(8);
    assert!(choose_victim(&connections).unwrap() < 6);
}

#[test]
fn a_peer_with_many_connections_loses_its_own_first() {
    let mut connections = vec![view(1, Idle, 10)];
    connections.extend((0..20).map(|seconds| view(2, Idle, seconds % 5)));
    // 20 connections x 4 s exceed 1 connection x 10 s, and the longest silent one goes.
    let victim = choose_victim(&connections).unwrap();
    assert_eq!(connections[victim], view(2, Idle, 4));
    connections[0] = view(1, Idle, 300);
    assert_eq!(choose_victim(&connections), Some(0));
}

#[test]
fn a_busy_connection_never_loses_its_slot() {
    assert_eq!(choose_victim(&[]), None);
    assert_eq!(choose_victim(&[view(1, Busy, 1000), view(1, Busy, 0)]), None);
    assert_eq!(choose_victim(&[view(1, Busy, 1000), view(2, Pending, 0)]), Some(1));
}

fn any_connections() -> impl Strategy<Value = Vec<ConnectionView>> {
    let stage = prop_oneof![Just(Pending), Just(Idle), Just(Busy)];
    let connection = (0..6u32, stage, 0..50u64).prop_map(|(number, stage, seconds)| view(number, stage, seconds));
    prop::collection::vec(connection, 0..60)
}

proptest! {
    #[test]
    fn the_victim_is_the_longest_silent_of_its_peer_and_stage(connections in any_connections()) {
        let Some(victim) = choose_victim(&connections).map(|index| connections[index]) else {
            prop_assert!(connections.iter().all(|connection| connection.stage == Busy));
            return Ok(());
        };
        prop_assert_ne!(victim.stage, Busy);
        let same = |other: &&ConnectionView| other.peer == victim.peer && other.stage == victim.stage;
        prop_assert!(connections.iter().filter(same).all(|other| other.quiet_for <= victim.quiet_for));
        // Pending connections go first exactly if they hold more than their share.
        let count = |stage| connections.iter().filter(|connection| connection.stage == stage).count();
        let (pending, idle) = (count(Pending), count(Idle));
        let pending_first = pending > (connections.len() / PENDING_SHARE_DIVISOR).max(1);
        let expected = match (pending_first, pending, idle) {
            (true, _, _) | (false, _, 0) => Pending,
            _ => Idle,
        };
        prop_assert_eq!(victim.stage, expected);
    }
}
