//! Callers who admit, submit, leave and end in any order, and executors that take rows.

use std::time::Duration;

use arbitrary::Unstructured;

use super::adapter::Subject;
use super::expected::{Expected, Job, Request};
use crate::domain::{PerRole, Priority, Role};
use crate::scheduler::admission::Demand;
use crate::scheduler::queue::{BatchLimits, ExecutorState};

/// The most steps of one input.
const MAX_STEPS: usize = 400;

/// Any executor without a preference.
const ANY_EXECUTOR: ExecutorState = ExecutorState {
    able: PerRole {
        standard: true,
        robust: true,
    },
    prefers: None,
    idle_others: 0,
};

/// Draws the limits, the capacity and the steps from `data`, and checks every step.
pub(crate) fn scheduler(data: &[u8]) {
    let mut steps = Steps(Unstructured::new(data));
    let limits = BatchLimits {
        max_batch_size: PerRole {
            standard: 1 + steps.below(4),
            robust: 1 + steps.below(8),
        },
        pads: PerRole {
            standard: steps.flag(),
            robust: steps.flag(),
        },
        max_queue_delay: Duration::from_millis(steps.wide(6)),
    };
    let capacity = 1 + steps.below(32);
    let mut adversary = Adversary {
        subject: Subject::new(limits, capacity),
        expected: Expected::default(),
        running: Vec::new(),
    };
    for _ in 0..MAX_STEPS {
        if steps.0.is_empty() {
            break;
        }
        adversary.step(&mut steps);
        adversary.expected.check_counts(&adversary.subject);
    }
    adversary.finish();
}

/// Draws numbers from bytes. Exhausted bytes count as zeros.
struct Steps<'a>(Unstructured<'a>);

impl Steps<'_> {
    fn below(&mut self, end: usize) -> usize {
        self.0.int_in_range(0..=end - 1).unwrap_or_default()
    }

    fn wide(&mut self, end: u64) -> u64 {
        self.0.int_in_range(0..=end - 1).unwrap_or_default()
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    fn executor(&mut self) -> ExecutorState {
        ExecutorState {
            able: PerRole {
                standard: self.below(4) > 0,
                robust: self.below(4) > 0,
            },
            prefers: match self.below(3) {
                0 => None,
                1 => Some(Role::Standard),
                _ => Some(Role::Robust),
            },
            idle_others: self.below(3),
        }
    }

    fn demand(&mut self) -> Demand {
        let outstanding = PerRole {
            standard: self.below(6),
            robust: self.below(16),
        };
        let needed = PerRole::of(|role| self.wide(outstanding[role] as u64 + 1));
        let expected = PerRole::of(|role| needed[role] + self.wide(64));
        Demand {
            outstanding,
            expected,
            needed,
        }
    }
}

struct Adversary {
    subject: Subject,
    expected: Expected,
    /// The rows that run, each with its request.
    running: Vec<(usize, Role, usize)>,
}

impl Adversary {
    fn step(&mut self, steps: &mut Steps<'_>) {
        match steps.below(16) {
            0..=3 => self.admit(steps),
            4..=7 => self.submit(steps),
            8..=10 => self.take(steps.executor()),
            11 => self.subject.clock += steps.wide(9),
            12 => self.finish_batches(steps.below(4)),
            13 => {
                let job = steps.below(64);
                if let Some(job) = self.expected.jobs.get_mut(job) {
                    job.is_gone = true;
                }
            }
            14 => self.release(steps.below(64)),
            _ if steps.below(8) == 0 => self.drain(if steps.flag() { Role::Standard } else { Role::Robust }),
            _ => {}
        }
    }

    fn admit(&mut self, steps: &mut Steps<'_>) {
        let priority = if steps.flag() {
            Priority::Bulk
        } else {
            Priority::Interactive
        };
        let caller = u8::try_from(steps.below(4)).unwrap_or_default();
        let deadline = self.subject.clock + steps.wide(64);
        let demand = steps.demand();
        let Some(ticket) = self.subject.admit(caller, priority, deadline, &demand) else {
            return;
        };
        self.expected.requests.push(Request {
            ticket,
            caller,
            priority,
            deadline,
            outstanding: demand.outstanding,
            has_ended: false,
        });
        let held = self.expected.held(priority);
        for role in Role::ALL.into_iter().filter(|&role| demand.outstanding[role] > 0) {
            let limit = self.subject.capacity(priority);
            assert!(held[role] <= limit, "admitted over the capacity of its priority");
        }
    }

    /// Submits a job of a live request within the rows that it was admitted with.
    fn submit(&mut self, steps: &mut Steps<'_>) {
        let number = steps.below(64);
        let Some(request) = self.expected.requests.get(number).filter(|request| !request.has_ended) else {
            return;
        };
        let rows = PerRole::of(|role| steps.below(request.outstanding[role] + 1));
        let (job, ticket) = (self.expected.jobs.len(), request.ticket);
        self.expected.jobs.push(Job {
            request: number,
            rows,
            taken: PerRole::default(),
            drained: PerRole::default(),
            is_gone: false,
        });
        let expected = &self.expected;
        self.subject.submit(job, ticket, rows, |&job| expected.is_gone(job));
    }

    fn take(&mut self, executor: ExecutorState) {
        let expected = &self.expected;
        let taken = self.subject.take(executor, |&job| expected.is_gone(job));
        self.expected.check_taken(&self.subject, executor, &taken);
        if let Some(batch) = &taken.batch {
            let rows = batch
                .slices
                .iter()
                .map(|slice| (self.expected.jobs[slice.job].request, batch.role, slice.rows.len()));
            self.running.extend(rows);
        }
    }

    /// Finishes all running rows but the last `left` slices.
    fn finish_batches(&mut self, left: usize) {
        let count = self.running.len().saturating_sub(left);
        for (request, role, rows) in self.running.drain(..count) {
            // The rows of a request may finish after the request has ended.
            self.subject.done(&self.expected.requests[request].ticket, role, rows);
        }
    }

    /// Ends a request: its caller has left or has its answer.
    fn release(&mut self, number: usize) {
        let Some(request) = self.expected.requests.get_mut(number) else {
            return;
        };
        if std::mem::replace(&mut request.has_ended, true) {
            return;
        }
        self.subject.release(&request.ticket, &request.outstanding);
        let jobs = self.expected.jobs.iter_mut();
        jobs.filter(|job| job.request == number)
            .for_each(|job| job.is_gone = true);
    }

    /// A model is lost: its jobs fail.
    fn drain(&mut self, role: Role) {
        for job in self.subject.drain(role) {
            self.expected.jobs[job].drained[role] = true;
        }
        assert_eq!(self.subject.queued_rows()[role], 0, "a drained queue holds rows");
        assert!(
            self.expected.open(role, self.subject.clock).is_empty(),
            "a drain lost rows"
        );
    }

    /// Runs what waits, ends every request, and checks that nothing is left.
    fn finish(&mut self) {
        let rows: usize = self
            .expected
            .jobs
            .iter()
            .map(|job| job.rows.standard + job.rows.robust)
            .sum();
        self.subject.clock += 8;
        for _ in 0..=rows {
            self.take(ANY_EXECUTOR);
        }
        assert_eq!(self.subject.queued_rows(), PerRole::default(), "rows were lost");
        self.finish_batches(0);
        for request in 0..self.expected.requests.len() {
            self.release(request);
        }
        self.expected.check_counts(&self.subject);
        assert_eq!(self.subject.outstanding(), PerRole::default(), "capacity was lost");
        // A request that fits alone is admitted: the counts of expected rows went back to zero.
        let whole = PerRole {
            standard: self.subject.capacity(Priority::Bulk),
            robust: self.subject.capacity(Priority::Bulk),
        };
        let rows = PerRole::of(|role| whole[role] as u64);
        let demand = Demand {
            outstanding: whole,
            expected: rows,
            needed: rows,
        };
        let deadline = self.subject.clock + 1000;
        let admitted = self.subject.admit(0, Priority::Bulk, deadline, &demand);
        assert!(admitted.is_some(), "an idle server refused a request that fits");
    }
}
