//! Fairness between callers and priorities, in rows that cost one millisecond.

use std::collections::BTreeMap;

use super::*;

/// The cost of a row of each model in nanoseconds: the robust model is four times slower.
const MIXED_COST: PerRole<u64> = PerRole {
    standard: 1_000_000,
    robust: 4_000_000,
};

fn standard(rows: usize) -> PerRole<usize> {
    PerRole {
        standard: rows,
        robust: 0,
    }
}

fn caller(principal: u32, connection: u64) -> Caller {
    Caller {
        principal: Principal::UnixUser(principal),
        connection,
    }
}

fn request_of(caller: Caller, priority: Priority, deadline: Instant, arrival: u64) -> AdmittedRequest {
    AdmittedRequest {
        caller,
        ..request(priority, deadline, arrival)
    }
}

/// Takes batches until `time` nanoseconds of service are given. Returns the time that each job had.
fn serve<J: Clone + Ord>(queue: &mut Queue<J>, now: Instant, time: u64) -> BTreeMap<J, u64> {
    let mut served = BTreeMap::new();
    let mut total = 0;
    while total < time {
        let Some(batch) = queue.take(now, ANY_EXECUTOR, MIXED_COST, |_| false).batch else {
            break;
        };
        for slice in batch.slices {
            let cost = slice.rows.len() as u64 * MIXED_COST[batch.role];
            *served.entry(slice.job).or_default() += cost;
            total += cost;
        }
    }
    served
}

#[test]
fn principals_share_the_time_of_the_models_by_weight_whatever_their_deadlines() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(8, 8, 0));
    let shares = [(1, 1.0, 1), (2, 2.0, 50), (3, 1.0, 1000)];
    for (principal, weight, deadline) in shares {
        let mut request = request_of(caller(principal, 1), Priority::Interactive, at(start, deadline), 1);
        request.weight = weight;
        let rows = if principal == 3 { standard(10_000) } else { robust(2500) };
        queue.push(&principal, request, rows, start);
    }
    let served = serve(&mut queue, start, 4_000_000_000);
    for (principal, weight, _) in shares {
        let expected = weight * 1e9;
        let had = served[&principal] as f64;
        assert!(
            (had - expected).abs() <= 40e6,
            "principal {principal}: {had} of {expected}"
        );
    }
}

#[test]
fn connections_divide_the_share_of_their_principal() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(8, 1, 0));
    for connection in 0..20 {
        let request = request_of(caller(1, connection), Priority::Interactive, at(start, 1), connection);
        queue.push(&(1, connection), request, standard(1000), start);
    }
    queue.push(
        &(2, 0),
        request_of(caller(2, 0), Priority::Interactive, at(start, 99), 99),
        standard(1000),
        start,
    );
    let served = serve(&mut queue, start, 400_000_000);
    let alone = served[&(2, 0)];
    assert!((190_000_000..=210_000_000).contains(&alone), "{alone}");
    for connection in 0..20 {
        let had = served[&(1, connection)];
        assert!((8_000_000..=12_000_000).contains(&had), "{connection}: {had}");
    }
}

#[test]
fn a_principal_that_returns_on_new_connections_keeps_its_debt() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(1, 1, 0));
    queue.push(
        &0,
        request_of(caller(1, 0), Priority::Interactive, at(start, 99), 0),
        standard(1000),
        start,
    );
    let mut greedy = 0;
    // One row at a time, each on a connection of its own that is gone afterwards.
    for arrival in 1..=400 {
        queue.push(
            &arrival,
            request_of(caller(2, arrival), Priority::Interactive, at(start, 1), arrival),
            standard(1),
            start,
        );
        let served = serve(&mut queue, start, 1);
        greedy += served.iter().filter(|(job, _)| **job > 0).count();
    }
    assert!((195..=205).contains(&greedy), "{greedy} of 400");
}

#[test]
fn an_idle_share_goes_to_those_who_wait_and_is_not_saved_up() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(8, 1, 0));
    queue.push(
        &1,
        request_of(caller(1, 1), Priority::Interactive, at(start, 9), 1),
        standard(3000),
        start,
    );
    let alone = serve(&mut queue, start, 1_000_000_000);
    assert!(alone[&1] >= 1_000_000_000);
    queue.push(
        &2,
        request_of(caller(2, 1), Priority::Interactive, at(start, 9), 2),
        standard(3000),
        start,
    );
    let both = serve(&mut queue, start, 1_000_000_000);
    assert!(both[&1].abs_diff(both[&2]) <= 8_000_000, "{both:?}");
}

#[test]
fn a_new_caller_waits_for_at_most_one_turn_of_each_other() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(8, 1, 0));
    for other in 1..=4 {
        let request = request_of(caller(other, 1), Priority::Interactive, at(start, 1), u64::from(other));
        queue.push(&other, request, standard(1000), start);
    }
    serve(&mut queue, start, 100_000_000);
    queue.push(
        &9,
        request_of(caller(9, 1), Priority::Interactive, at(start, 50), 9),
        standard(1),
        start,
    );
    let served = serve(&mut queue, start, 1);
    assert!(served.contains_key(&9), "the next batch has its row: {served:?}");
}

#[test]
fn bulk_rows_keep_a_tenth_beside_an_interactive_overload_and_nothing_more() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(4, 4, 0));
    queue.push(
        &"bulk",
        request_of(caller(1, 1), Priority::Bulk, at(start, 1), 1),
        robust(10_000),
        start,
    );
    queue.push(
        &"flood",
        request_of(caller(2, 1), Priority::Interactive, at(start, 9), 2),
        standard(50_000),
        start,
    );
    let served = serve(&mut queue, start, 10_000_000_000);
    let bulk = served["bulk"];
    assert!((950_000_000..=1_050_000_000).contains(&bulk), "{bulk}");
}

#[test]
fn a_short_interactive_burst_runs_before_bulk() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(4, 4, 0));
    queue.push(
        &"bulk",
        request_of(caller(1, 1), Priority::Bulk, at(start, 1), 1),
        robust(100),
        start,
    );
    queue.push(
        &"burst",
        request_of(caller(2, 1), Priority::Interactive, at(start, 9), 2),
        standard(100),
        start,
    );
    let served = serve(&mut queue, start, 100_000_000);
    assert_eq!(served, BTreeMap::from([("burst", 100_000_000)]));
}

#[test]
fn callers_without_rows_are_forgotten() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(4, 4, 0));
    for principal in 0..3000 {
        let request = request_of(
            caller(principal, 1),
            Priority::Interactive,
            at(start, 9),
            u64::from(principal),
        );
        queue.push(&principal, request, PerRole { standard: 1, robust: 1 }, start);
    }
    assert_eq!(queue.drain(Role::Standard).len(), 3000);
    queue.sweep(0, |&job| job > 0);
    assert_eq!(queue.rows(), robust(1));
    assert_eq!(serve(&mut queue, start, 1_000_000_000_000).len(), 1);
    assert!(format!("{:?}", queue.interactive).contains("parties: {}"));
    assert!(format!("{:?}", queue.interactive).contains("principals: {}"));
}
