//! Every row runs once, in order, or its job expires: all short histories, and random long ones.

use proptest::prelude::*;

use super::*;

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
