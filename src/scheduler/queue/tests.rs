use std::ops::Range;

use super::*;
use crate::call::{Caller, Principal};
use crate::scheduler::urgency::Urgency;

mod every_row_once;
mod fairness;

/// The cost of a row in nanoseconds: so small that interactive rows leave bulk rows no debt.
const ROW_COST: PerRole<u64> = PerRole { standard: 1, robust: 1 };
const CALLER: Caller = Caller {
    principal: Principal::Unknown,
    connection: 1,
};

fn at(start: Instant, milliseconds: u64) -> Instant {
    start + Duration::from_millis(milliseconds)
}

const ANY_EXECUTOR: ExecutorState = ExecutorState {
    able: PerRole {
        standard: true,
        robust: true,
    },
    prefers: None,
    idle_others: 0,
};

fn limits(standard: usize, robust: usize, delay: u64) -> BatchLimits {
    BatchLimits {
        max_batch_size: PerRole { standard, robust },
        pads: PerRole {
            standard: false,
            robust: true,
        },
        max_queue_delay: Duration::from_millis(delay),
    }
}

fn request(priority: Priority, deadline: Instant, arrival: u64) -> AdmittedRequest {
    AdmittedRequest {
        urgency: Urgency {
            priority,
            deadline,
            arrival,
        },
        caller: CALLER,
        weight: 1.0,
    }
}

fn robust(rows: usize) -> PerRole<usize> {
    PerRole {
        standard: 0,
        robust: rows,
    }
}

/// The jobs and rows of the batch.
fn shape<J: Clone>(taken: &TakeResult<J>) -> Vec<(J, Range<usize>)> {
    let slices = taken.batch.iter().flat_map(|batch| &batch.slices);
    slices.map(|slice| (slice.job.clone(), slice.rows.clone())).collect()
}

#[test]
fn urgent_rows_run_first_and_bulk_fills_the_batch() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(1, 8, 0));
    queue.push(&"bulk", request(Priority::Bulk, at(start, 5), 1), robust(10), start);
    queue.push(
        &"late",
        request(Priority::Interactive, at(start, 50), 2),
        robust(2),
        start,
    );
    queue.push(
        &"soon",
        request(Priority::Interactive, at(start, 10), 3),
        robust(1),
        start,
    );
    let taken = queue.take(start, ANY_EXECUTOR, ROW_COST, |_| false);
    assert_eq!(shape(&taken), [("soon", 0..1), ("late", 0..2), ("bulk", 0..5)]);
    assert_eq!(
        shape(&queue.take(start, ANY_EXECUTOR, ROW_COST, |_| false)),
        [("bulk", 5..10)]
    );
    assert_eq!(queue.rows(), PerRole::default());
}

#[test]
fn the_most_urgent_row_chooses_the_model() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(4, 4, 0));
    let both = PerRole { standard: 1, robust: 1 };
    queue.push(&"bulk", request(Priority::Bulk, at(start, 5), 1), both, start);
    queue.push(
        &"votes",
        request(Priority::Interactive, at(start, 10), 2),
        robust(2),
        start,
    );
    let taken = queue.take(start, ANY_EXECUTOR, ROW_COST, |_| false);
    assert_eq!(taken.batch.as_ref().map(|batch| batch.role), Some(Role::Robust));
    assert_eq!(shape(&taken), [("votes", 0..2), ("bulk", 0..1)]);
    let taken = queue.take(start, ANY_EXECUTOR, ROW_COST, |_| false);
    assert_eq!(taken.batch.as_ref().map(|batch| batch.role), Some(Role::Standard));
    assert_eq!(shape(&taken), [("bulk", 0..1)]);
}

#[test]
fn rows_of_a_broken_model_are_not_taken() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(4, 4, 0));
    let both = PerRole { standard: 1, robust: 1 };
    queue.push(&"job", request(Priority::Interactive, at(start, 5), 1), both, start);
    let executor = ExecutorState {
        able: PerRole {
            standard: false,
            robust: true,
        },
        prefers: Some(Role::Standard),
        ..ANY_EXECUTOR
    };
    let taken = queue.take(start, executor, ROW_COST, |_| false);
    assert_eq!(taken.batch.map(|batch| batch.role), Some(Role::Robust));
    assert_eq!(queue.take(start, executor, ROW_COST, |_| false).batch, None);
    assert_eq!(queue.drain(Role::Standard), ["job"]);
    assert_eq!(queue.rows(), PerRole::default());
}

#[test]
fn the_preferred_model_wins_only_among_equal_priorities() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(1, 1, 0));
    let both = PerRole { standard: 1, robust: 1 };
    for (arrival, deadline) in [(1, 5), (2, 9)] {
        queue.push(
            &arrival,
            request(Priority::Interactive, at(start, deadline), arrival),
            both,
            start,
        );
    }
    queue.push(&3, request(Priority::Bulk, at(start, 1), 3), robust(1), start);
    let robust_first = ExecutorState {
        prefers: Some(Role::Robust),
        ..ANY_EXECUTOR
    };
    let mut order = Vec::new();
    while let Some(batch) = queue.take(start, robust_first, ROW_COST, |_| false).batch {
        order.push((batch.role, batch.slices[0].job));
    }
    let (g, h) = (Role::Standard, Role::Robust);
    assert_eq!(order, [(h, 1), (h, 2), (g, 1), (g, 2), (h, 3)]);
}

#[test]
fn idle_executors_get_their_share_unless_batches_are_padded() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(8, 8, 0));
    let rows = PerRole { standard: 7, robust: 8 };
    queue.push(&"job", request(Priority::Interactive, at(start, 5), 1), rows, start);
    let sharing = ExecutorState {
        idle_others: 2,
        ..ANY_EXECUTOR
    };
    // A third of 15 and of 10 rows; then a whole padded batch.
    for expected in [0..5, 5..7, 0..8] {
        assert_eq!(
            shape(&queue.take(start, sharing, ROW_COST, |_| false)),
            [("job", expected)]
        );
    }
}

#[test]
fn expired_and_ended_jobs_do_not_run() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(3, 3, 0));
    queue.push(
        &"expired",
        request(Priority::Interactive, at(start, 1), 1),
        robust(3),
        start,
    );
    queue.push(
        &"dead",
        request(Priority::Interactive, at(start, 9), 2),
        robust(3),
        start,
    );
    queue.push(
        &"alive",
        request(Priority::Interactive, at(start, 9), 3),
        robust(3),
        start,
    );
    let taken = queue.take(at(start, 1), ANY_EXECUTOR, ROW_COST, |job| *job == "dead");
    assert_eq!(taken.expired, ["expired"]);
    assert_eq!(shape(&taken), [("alive", 0..3)]);
}

#[test]
fn ended_jobs_are_swept_before_they_accumulate() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(100, 100, 0));
    for job in 0..100u64 {
        queue.push(&job, request(Priority::Bulk, at(start, 1000), job), robust(3), start);
        queue.sweep(10, |job| job % 50 != 0);
        assert!(queue.rows().robust <= 10, "{:?}", queue.rows());
    }
    let alive: Vec<_> = shape(&queue.take(start, ANY_EXECUTOR, ROW_COST, |_| false))
        .into_iter()
        .map(|(job, _)| job)
        .filter(|job| job % 50 == 0)
        .collect();
    assert_eq!(alive, [0, 50]);
}

#[test]
fn rows_wait_for_a_fuller_batch_within_the_limit_and_half_their_time() {
    let start = Instant::now();
    let mut queue = Queue::new(limits(4, 4, 10));
    queue.push(&1, request(Priority::Interactive, at(start, 1000), 1), robust(1), start);
    let taken = queue.take(at(start, 9), ANY_EXECUTOR, ROW_COST, |_| false);
    assert_eq!((taken.batch, taken.retry_at), (None, Some(at(start, 10))));
    // Less urgent rows that have waited long enough take the new row along.
    queue.push(
        &2,
        request(Priority::Interactive, at(start, 500), 2),
        robust(1),
        at(start, 9),
    );
    assert_eq!(
        shape(&queue.take(at(start, 10), ANY_EXECUTOR, ROW_COST, |_| false)),
        [(2, 0..1), (1, 0..1)]
    );
    queue.push(
        &3,
        request(Priority::Interactive, at(start, 16), 3),
        robust(1),
        at(start, 12),
    );
    assert_eq!(
        queue.take(at(start, 13), ANY_EXECUTOR, ROW_COST, |_| false).retry_at,
        Some(at(start, 14))
    );
    assert_eq!(
        shape(&queue.take(at(start, 14), ANY_EXECUTOR, ROW_COST, |_| false)),
        [(3, 0..1)]
    );
    // A full batch does not wait.
    queue.push(&4, request(Priority::Bulk, at(start, 500), 4), robust(4), at(start, 20));
    assert_eq!(
        shape(&queue.take(at(start, 20), ANY_EXECUTOR, ROW_COST, |_| false)),
        [(4, 0..4)]
    );
}
