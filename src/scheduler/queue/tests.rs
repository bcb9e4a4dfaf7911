use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::call::{Caller, Principal};
use crate::scheduler::urgency::Urgency;

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

/// A queue beside a simple model of what it must do.
struct CheckedQueue {
    queue: Queue<usize>,
    limits: BatchLimits,
    start: Instant,
    clock: u64,
    jobs: Vec<(AdmittedRequest, PerRole<usize>)>,
    done: Vec<PerRole<usize>>,
    gone: Vec<bool>,
    expired: Vec<PerRole<bool>>,
}

impl CheckedQueue {
    fn new(limits: BatchLimits) -> Self {
        Self {
            queue: Queue::new(limits),
            limits,
            start: Instant::now(),
            clock: 0,
            jobs: Vec::new(),
            done: Vec::new(),
            gone: Vec::new(),
            expired: Vec::new(),
        }
    }

    fn push(&mut self, rows: PerRole<usize>, priority: Priority, deadline: u64) {
        let (job, now) = (self.jobs.len(), at(self.start, self.clock));
        let request = request(priority, at(self.start, deadline), job as u64);
        self.queue.push(&job, request, rows, now);
        self.jobs.push((request, rows));
        self.done.push(PerRole::default());
        self.gone.push(false);
        self.expired.push(PerRole::default());
    }

    /// Whether rows of `role` must still run: not finished, not abandoned, not expired.
    fn must_run(&self, role: Role, job: usize) -> bool {
        let (request, rows) = self.jobs[job];
        self.done[job][role] < rows[role] && !self.gone[job] && request.urgency.deadline > at(self.start, self.clock)
    }

    /// Takes a batch and checks it against the rules. Returns whether there was one.
    fn take(&mut self, executor: ExecutorState) -> bool {
        let able = executor.able;
        let now = at(self.start, self.clock);
        let open = |checked: &Self, role| -> Vec<usize> {
            (0..checked.jobs.len())
                .filter(|&job| checked.must_run(role, job))
                .collect()
        };
        let before = PerRole::of(|role| open(self, role));
        let taken = self.queue.take(now, executor, ROW_COST, |&job| self.gone[job]);
        for &job in &taken.expired {
            assert!(
                self.jobs[job].0.urgency.deadline <= now && !self.gone[job],
                "the job is not late"
            );
        }
        let Some(batch) = taken.batch else {
            for role in Role::ALL.into_iter().filter(|&role| able[role]) {
                let waits = taken.retry_at.is_some_and(|next| next > now);
                assert!(
                    before[role].is_empty() || waits,
                    "an executor got no batch although rows wait"
                );
            }
            return false;
        };
        let role = batch.role;
        assert!(able[role]);
        assert!((1..=self.limits.max_batch_size[role]).contains(&batch.rows()));
        for slice in &batch.slices {
            assert!(self.must_run(role, slice.job), "the job is late or abandoned");
            assert_eq!(slice.request, self.jobs[slice.job].0);
            assert_eq!(
                slice.rows.start, self.done[slice.job][role],
                "rows run once and in order"
            );
            assert!(!slice.rows.is_empty());
            self.done[slice.job][role] = slice.rows.end;
        }
        let most_urgent = |jobs: &[usize]| jobs.iter().map(|&job| self.jobs[job].0.urgency).min();
        let left = most_urgent(&open(self, role));
        for slice in &batch.slices {
            assert!(
                left.is_none_or(|left| slice.request.urgency <= left),
                "a more urgent row was skipped"
            );
        }
        assert!(
            left.is_none() || batch.rows() == self.limits.max_batch_size[role] || executor.idle_others > 0,
            "a slot stayed empty"
        );
        if self.limits.max_queue_delay.is_zero() {
            let first = batch.slices[0].request.urgency;
            for other in Role::ALL.into_iter().filter(|&other| able[other]) {
                let equal = |best: Urgency| executor.prefers == Some(role) && best.priority == first.priority;
                let best = most_urgent(&before[other]);
                assert!(
                    best.is_none_or(|best| first <= best || equal(best)),
                    "the other model was more urgent"
                );
            }
        }
        true
    }

    /// Runs everything that waits, and checks that no row is lost.
    fn finish(&mut self) {
        self.clock += self.limits.max_queue_delay.as_millis() as u64;
        while self.take(ANY_EXECUTOR) {}
        for (job, (request, rows)) in self.jobs.iter().enumerate() {
            let late = request.urgency.deadline <= at(self.start, self.clock);
            assert!(self.done[job] == *rows || self.gone[job] || late, "job {job} was lost");
        }
        assert_eq!(self.queue.rows(), PerRole::default());
    }
}

/// Checks every sequence of six steps over a small alphabet: pushes, takes, abandoned jobs, time.
#[test]
fn every_short_history_keeps_the_rules() {
    type Step = fn(&mut CheckedQueue);
    let steps: [Step; 8] = [
        |checked| {
            checked.push(
                PerRole { standard: 1, robust: 1 },
                Priority::Interactive,
                checked.clock + 2,
            )
        },
        |checked| checked.push(robust(3), Priority::Bulk, checked.clock + 3),
        |checked| {
            checked.push(
                PerRole { standard: 2, robust: 0 },
                Priority::Interactive,
                checked.clock + 1,
            )
        },
        |checked| {
            checked.take(ANY_EXECUTOR);
        },
        |checked| {
            let able = PerRole {
                standard: true,
                robust: false,
            };
            checked.take(ExecutorState { able, ..ANY_EXECUTOR });
        },
        |checked| {
            let prefers = Some(Role::Robust);
            checked.take(ExecutorState {
                prefers,
                ..ANY_EXECUTOR
            });
        },
        |checked| {
            if let Some(first) = checked.gone.iter_mut().find(|gone| !**gone) {
                *first = true;
            }
        },
        |checked| checked.clock += 1,
    ];
    let histories = steps.len().pow(6);
    for delay in [0, 1] {
        for history in 0..histories {
            let mut checked = CheckedQueue::new(limits(1, 2, delay));
            let mut rest = history;
            for _ in 0..6 {
                steps[rest % steps.len()](&mut checked);
                rest /= steps.len();
            }
            checked.finish();
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push {
        rows: PerRole<usize>,
        bulk: bool,
        deadline: u64,
    },
    Take {
        executor: ExecutorState,
        later: u64,
    },
    Leave {
        job: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let push = (0usize..4, 0usize..9, any::<bool>(), 0u64..40).prop_map(|(standard, robust, bulk, deadline)| {
        let rows = PerRole { standard, robust };
        Step::Push { rows, bulk, deadline }
    });
    let prefers = prop_oneof![Just(None), Just(Some(Role::Standard)), Just(Some(Role::Robust))];
    let take = (any::<(bool, bool)>(), prefers, 0u64..4).prop_map(|((standard, robust), prefers, later)| {
        let able = PerRole { standard, robust };
        let idle_others = usize::try_from(later % 2).unwrap();
        let executor = ExecutorState {
            able,
            prefers,
            idle_others,
        };
        Step::Take { executor, later }
    });
    prop_oneof![4 => push, 6 => take, 1 => (0usize..20).prop_map(|job| Step::Leave { job })]
}

proptest! {
    /// No row is lost, runs twice, runs after its deadline or runs before a more urgent row, and no
    /// batch is too large.
    #[test]
    fn every_row_runs_once_or_its_job_expires(
        steps in prop::collection::vec(step(), 1..60),
        (standard, robust) in (1usize..4, 1usize..7),
        delay in prop_oneof![Just(0u64), 1u64..6],
    ) {
        let mut checked = CheckedQueue::new(limits(standard, robust, delay));
        for step in steps {
            match step {
                Step::Push { rows, bulk, deadline } => {
                    let priority = if bulk { Priority::Bulk } else { Priority::Interactive };
                    checked.push(rows, priority, deadline);
                }
                Step::Take { executor, later } => {
                    checked.clock += later;
                    checked.take(executor);
                }
                Step::Leave { job } => {
                    if let Some(gone) = checked.gone.get_mut(job) {
                        *gone = true;
                    }
                }
            }
        }
        checked.finish();
    }
}
