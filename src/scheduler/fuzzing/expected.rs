//! A simple model of requests and jobs, and the rules that hold for every batch.

use super::adapter::{Subject, Ticket};
use crate::domain::{PerRole, Priority, Role};
use crate::scheduler::queue::{ExecutorState, TakeResult};

/// An admitted request.
pub(super) struct Request {
    pub(super) ticket: Ticket,
    pub(super) caller: u8,
    pub(super) priority: Priority,
    /// Milliseconds since the start.
    pub(super) deadline: u64,
    pub(super) outstanding: PerRole<usize>,
    pub(super) has_ended: bool,
}

/// Rows that a request has submitted.
pub(super) struct Job {
    pub(super) request: usize,
    pub(super) rows: PerRole<usize>,
    /// The rows that were taken, from the first.
    pub(super) taken: PerRole<usize>,
    /// Whether a lost model has drained the rows.
    pub(super) drained: PerRole<bool>,
    /// Whether the caller has left.
    pub(super) is_gone: bool,
}

/// Everything that was admitted and submitted.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) requests: Vec<Request>,
    pub(super) jobs: Vec<Job>,
}

impl Expected {
    pub(super) fn is_gone(&self, job: usize) -> bool {
        self.jobs.get(job).is_none_or(|job| job.is_gone)
    }

    /// The rows that the live requests of `priority` were admitted with.
    pub(super) fn held(&self, priority: Priority) -> PerRole<usize> {
        let is_live = |request: &&Request| !request.has_ended && request.priority == priority;
        let sum = |role: Role| {
            let live = self.requests.iter().filter(is_live);
            live.map(|request| request.outstanding[role]).sum()
        };
        PerRole::of(sum)
    }

    fn request_of(&self, job: usize) -> &Request {
        &self.requests[self.jobs[job].request]
    }

    /// The rows of `job` that must still run by `clock`.
    fn left(&self, job: usize, role: Role, clock: u64) -> usize {
        if self.request_of(job).deadline <= clock {
            return 0;
        }
        self.left_at_any_time(job, role)
    }

    /// The rows of `job` that have a caller, late or not.
    fn left_at_any_time(&self, job: usize, role: Role) -> usize {
        let found = &self.jobs[job];
        if found.is_gone || found.drained[role] {
            return 0;
        }
        found.rows[role] - found.taken[role]
    }

    /// The jobs with rows that must still run by `clock`.
    pub(super) fn open(&self, role: Role, clock: u64) -> Vec<usize> {
        let jobs = 0..self.jobs.len();
        jobs.filter(|&job| self.left(job, role, clock) > 0).collect()
    }

    /// Checks the counts of `subject`: no row is lost, and no row is counted that nobody submitted.
    pub(super) fn check_counts(&self, subject: &Subject) {
        let waiting = subject.waiting_rows(|&job| self.is_gone(job));
        let (queued, outstanding) = (subject.queued_rows(), subject.outstanding());
        for role in Role::ALL {
            let must_run: usize = (0..self.jobs.len())
                .map(|job| self.left(job, role, subject.clock))
                .sum();
            let late: usize = (0..self.jobs.len()).map(|job| self.left_at_any_time(job, role)).sum();
            assert!(
                (must_run..=late).contains(&waiting[role]),
                "{} rows wait, expected {must_run} to {late}",
                waiting[role]
            );
            assert!(queued[role] >= waiting[role], "the queue counts fewer rows than wait");
            let submitted: usize = self.jobs.iter().map(|job| job.rows[role] - job.taken[role]).sum();
            assert!(queued[role] <= submitted, "the queue counts rows that nobody submitted");
            let live = self.requests.iter().filter(|request| !request.has_ended);
            let admitted: usize = live.map(|request| request.outstanding[role]).sum();
            assert_eq!(outstanding[role], admitted, "the admitted rows are miscounted");
            assert!(admitted <= subject.capacity(Priority::Interactive), "over the capacity");
        }
    }

    /// Checks what `executor` got, and counts its rows as taken.
    pub(super) fn check_taken(&mut self, subject: &Subject, executor: ExecutorState, taken: &TakeResult<usize>) {
        let clock = subject.clock;
        for &job in &taken.expired {
            assert!(self.request_of(job).deadline <= clock, "the job is not late");
            assert!(!self.is_gone(job), "the job has no caller");
        }
        let Some(batch) = &taken.batch else {
            let waits = taken.retry_at.is_some_and(|next| next > subject.now());
            for role in Role::ALL.into_iter().filter(|&role| executor.able[role]) {
                assert!(
                    waits || self.open(role, clock).is_empty(),
                    "rows wait and none was taken"
                );
            }
            return;
        };
        let role = batch.role;
        assert!(executor.able[role], "the executor cannot run this model");
        assert!(
            (1..=subject.limits.max_batch_size[role]).contains(&batch.rows()),
            "a batch of {} rows",
            batch.rows()
        );
        for slice in &batch.slices {
            assert!(
                self.left(slice.job, role, clock) >= slice.rows.len(),
                "the rows must not run"
            );
            let job = &mut self.jobs[slice.job];
            assert_eq!(slice.rows.start, job.taken[role], "rows run once and in order");
            assert!(!slice.rows.is_empty(), "a slice without rows");
            assert_eq!(
                slice.request, self.requests[job.request].ticket,
                "another request's rows"
            );
            job.taken[role] = slice.rows.end;
        }
        let jobs: Vec<usize> = batch.slices.iter().map(|slice| slice.job).collect();
        self.check_order(&jobs, role, clock);
    }

    /// Checks that no row was taken before a more urgent one of its caller: the rows of one caller and
    /// one priority go in the order of their deadlines.
    fn check_order(&self, taken: &[usize], role: Role, clock: u64) {
        for left in self.open(role, clock) {
            let waiting = self.request_of(left);
            for &job in taken {
                let ran = self.request_of(job);
                let same = ran.caller == waiting.caller && ran.priority == waiting.priority;
                assert!(!same || ran.deadline <= waiting.deadline, "a later deadline first");
            }
        }
    }
}
