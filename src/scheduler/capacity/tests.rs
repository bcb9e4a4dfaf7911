use std::sync::Arc;

use super::*;

fn share(principal: u32, connection: u64) -> CallerShare {
    CallerShare {
        caller: Caller {
            principal: Principal::UnixUser(principal),
            connection,
        },
        weight: 1.0,
        max_share: 1.0,
        name: Arc::from("other"),
    }
}

fn robust(rows: usize) -> PerRole<usize> {
    PerRole {
        standard: 0,
        robust: rows,
    }
}

/// Takes requests of `rows` rows until one is refused. Returns how many rows were taken.
fn fill(capacity: &mut CapacityShares, priority: Priority, share: &CallerShare, rows: usize) -> usize {
    let mut taken = 0;
    while capacity.check(priority, share, &robust(rows)).is_ok() {
        capacity.take(priority, share, &robust(rows));
        taken += rows;
    }
    taken
}

#[test]
fn one_connection_leaves_room_for_its_siblings_and_one_principal_for_others() {
    let mut capacity = CapacityShares::new(800);
    let all = |capacity: &mut CapacityShares, share| fill(capacity, Priority::Interactive, &share, 1);
    assert_eq!(all(&mut capacity, share(1, 1)), 500);
    let error = capacity.check(Priority::Interactive, &share(1, 1), &robust(1));
    let expected = CapacityError::ShareExhausted {
        role: Role::Robust,
        held: 500,
        capacity: 800,
    };
    assert_eq!(error, Err(expected));
    assert_eq!(all(&mut capacity, share(1, 2)), 100);
    // A thousand connections of one principal take no more than three quarters.
    for connection in 3..1000 {
        assert_eq!(all(&mut capacity, share(1, connection)), 0);
    }
    // Another principal has the rest: less than its share.
    assert_eq!(all(&mut capacity, share(2, 1)), 200);
    assert!(matches!(
        capacity.check(Priority::Interactive, &share(3, 1), &robust(1)),
        Err(CapacityError::Full { admitted: 800, .. })
    ));
}

/// Eight greedy principals, which open many connections, take what they can again and again. Once the
/// requests of the first of them have ended, a newcomer always finds its share.
#[test]
fn greedy_principals_leave_a_newcomer_its_share() {
    for connections in [1, 16] {
        let mut capacity = CapacityShares::new(800);
        let mut requests = std::collections::VecDeque::new();
        for round in 0..4000 {
            let greedy = share(round % 8, u64::from(round / 8 % connections));
            while capacity.check(Priority::Interactive, &greedy, &robust(4)).is_ok() {
                capacity.take(Priority::Interactive, &greedy, &robust(4));
                requests.push_back(greedy.caller);
            }
            if round >= 2000 && round % 100 == 0 {
                let newcomer = share(9, 1);
                let taken = fill(&mut capacity, Priority::Interactive, &newcomer, 1);
                assert!(
                    taken >= 800 / 10 * 7 / 8,
                    "{connections} connections, round {round}: {taken}"
                );
                for _ in 0..taken {
                    capacity.release(Priority::Interactive, newcomer.caller, &robust(1));
                }
            }
            let ended = requests.pop_front().unwrap();
            capacity.release(Priority::Interactive, ended, &robust(4));
        }
    }
}

#[test]
fn bulk_rows_of_a_caller_leave_its_interactive_rows_and_other_callers_room() {
    let mut capacity = CapacityShares::new(800);
    let bulk = fill(&mut capacity, Priority::Bulk, &share(1, 1), 1);
    assert_eq!(bulk, 600 - 150 - 75);
    let interactive = fill(&mut capacity, Priority::Interactive, &share(1, 1), 1);
    assert_eq!(interactive, 425 - 106 - 53);
    // Others predict or certify.
    capacity
        .check(Priority::Interactive, &share(2, 1), &robust(100))
        .unwrap();
    capacity.check(Priority::Bulk, &share(3, 1), &robust(100)).unwrap();
}

#[test]
fn a_principal_without_rows_may_take_all_free_capacity() {
    let mut capacity = CapacityShares::new(100);
    capacity
        .check(Priority::Interactive, &share(1, 1), &robust(100))
        .unwrap();
    capacity.take(Priority::Interactive, &share(1, 1), &robust(100));
    capacity
        .check(Priority::Interactive, &share(2, 1), &robust(1))
        .unwrap_err();
    capacity.release(Priority::Interactive, share(1, 1).caller, &robust(100));
    capacity
        .check(Priority::Interactive, &share(2, 1), &robust(100))
        .unwrap();
    assert!(capacity.principals.is_empty());
}

#[test]
fn weights_and_bounds_of_the_operator_count() {
    let mut capacity = CapacityShares::new(800);
    let bounded = CallerShare {
        max_share: 0.25,
        ..share(1, 1)
    };
    assert_eq!(fill(&mut capacity, Priority::Interactive, &bounded, 1), 200);
    // Seven eighths of 8/10 of the capacity; its other connections have the rest.
    let heavy = CallerShare {
        weight: 8.0,
        ..share(2, 1)
    };
    assert_eq!(fill(&mut capacity, Priority::Interactive, &heavy, 1), 560);
    let release_all = |capacity: &mut CapacityShares, share: &CallerShare, rows| {
        for _ in 0..rows {
            capacity.release(Priority::Interactive, share.caller, &robust(1));
        }
    };
    release_all(&mut capacity, &bounded, 200);
    release_all(&mut capacity, &heavy, 560);
    assert_eq!(capacity.outstanding(), PerRole::default());
    assert!(capacity.principals.is_empty() && capacity.weights == 0.0);
    // A release without a request returns nothing.
    capacity.release(Priority::Interactive, heavy.caller, &robust(1));
    assert_eq!(capacity.outstanding(), PerRole::default());
}
