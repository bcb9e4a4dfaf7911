//! Which rows run next: a state machine without clock, threads or models.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use thiserror::Error;

/// How urgent a job is, before its deadline is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Somebody waits in a loop: Predict.
    Interactive,
    /// Many rows that fill the slots left over: Certify.
    Bulk,
}

/// No room: the rows admitted and not yet finished reach the capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the queue is full: {admitted} of {capacity} rows are taken, {wanted} more were wanted")]
pub struct Full {
    /// Rows taken.
    pub admitted: usize,
    /// Rows that there may be.
    pub capacity: usize,
    /// Rows wanted.
    pub wanted: usize,
}

/// The order in which jobs run: class, then deadline, then arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Urgency {
    class: Class,
    deadline: Instant,
    arrival: u64,
}

#[derive(Debug)]
struct Waiting<J> {
    job: J,
    rows: Range<usize>,
}

/// Rows of one job that run together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slice<J> {
    pub(super) job: J,
    pub(super) rows: Range<usize>,
}

/// What [`Queue::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken<J> {
    /// To run now, most urgent first; together at most as many rows as asked for.
    pub(super) slices: Vec<Slice<J>>,
    /// Too late: to be answered without a run.
    pub(super) expired: Vec<J>,
}

/// Rows that bulk jobs may be admitted to: the rest is kept for interactive ones, so that a crowd of certifications cannot
/// have every Predict refused.
#[must_use]
pub fn bulk_capacity(capacity: usize) -> usize {
    capacity - capacity / 4
}

/// Jobs that wait, and the rows that are admitted.
#[derive(Debug)]
pub(super) struct Queue<J> {
    waiting: BTreeMap<Urgency, Waiting<J>>,
    /// Of jobs whose caller left too, until they are swept.
    waiting_rows: usize,
    admitted: usize,
    capacity: usize,
    arrivals: u64,
}

impl<J: Clone> Queue<J> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            waiting: BTreeMap::new(),
            waiting_rows: 0,
            admitted: 0,
            capacity,
            arrivals: 0,
        }
    }

    /// Admits `rows` rows of `class`, all or none.
    pub(super) fn reserve(&mut self, rows: usize, class: Class) -> Result<(), Full> {
        let capacity = match class {
            Class::Interactive => self.capacity,
            Class::Bulk => bulk_capacity(self.capacity),
        };
        if rows > capacity.saturating_sub(self.admitted) {
            return Err(Full {
                admitted: self.admitted,
                capacity,
                wanted: rows,
            });
        }
        self.admitted += rows;
        Ok(())
    }

    /// Gives admitted rows back.
    pub(super) fn release(&mut self, rows: usize) {
        self.admitted = self.admitted.saturating_sub(rows);
    }

    /// Lets `rows` rows of `job` wait. They must be admitted.
    pub(super) fn push(&mut self, job: J, rows: usize, class: Class, deadline: Instant) {
        self.arrivals += 1;
        self.waiting_rows += rows;
        self.waiting.insert(
            Urgency {
                class,
                deadline,
                arrival: self.arrivals,
            },
            Waiting { job, rows: 0..rows },
        );
    }

    /// Takes the most urgent rows, at most `most`; drops jobs that are `dead`, sets aside those whose time is up.
    pub(super) fn take(&mut self, now: Instant, most: usize, dead: impl Fn(&J) -> bool) -> Taken<J> {
        let mut taken = Taken {
            slices: Vec::new(),
            expired: Vec::new(),
        };
        let mut room = most;
        while room > 0
            && let Some(mut first) = self.waiting.first_entry()
        {
            let rows_waiting = first.get().rows.len();
            if dead(&first.get().job) {
                first.remove();
                self.waiting_rows -= rows_waiting;
            } else if first.key().deadline <= now {
                taken.expired.push(first.remove().job);
                self.waiting_rows -= rows_waiting;
            } else {
                let waiting = first.get_mut();
                let count = waiting.rows.len().min(room);
                let rows = waiting.rows.start..waiting.rows.start + count;
                room -= count;
                self.waiting_rows -= count;
                waiting.rows.start = rows.end;
                let job = if waiting.rows.is_empty() {
                    first.remove().job
                } else {
                    waiting.job.clone()
                };
                taken.slices.push(Slice { job, rows });
            }
        }
        taken
    }

    /// Forgets the dead jobs, once more rows wait than there is room for: a caller who leaves gives its room back at once, but
    /// its jobs stay where they are, and behind more urgent ones they might stay for ever.
    pub(super) fn sweep(&mut self, dead: impl Fn(&J) -> bool) {
        if self.waiting_rows > self.capacity {
            self.waiting.retain(|_, waiting| !dead(&waiting.job));
            self.waiting_rows = self.waiting.values().map(|waiting| waiting.rows.len()).sum();
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Everything that waits, taken out.
    pub(super) fn drain(&mut self) -> Vec<J> {
        self.waiting_rows = 0;
        std::mem::take(&mut self.waiting)
            .into_values()
            .map(|waiting| waiting.job)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn urgent_rows_go_first_and_bulk_fills_the_rest() {
        let start = Instant::now();
        let mut queue = Queue::new(100);
        queue.push("bulk", 10, Class::Bulk, at(start, 5));
        queue.push("late", 2, Class::Interactive, at(start, 50));
        queue.push("soon", 1, Class::Interactive, at(start, 10));
        let taken = queue.take(start, 8, |_| false);
        let slice = |job, rows| Slice { job, rows };
        assert_eq!(
            taken.slices,
            [slice("soon", 0..1), slice("late", 0..2), slice("bulk", 0..5)]
        );
        assert_eq!(queue.take(start, 8, |_| false).slices, [slice("bulk", 5..10)]);
        assert!(queue.is_empty());
    }

    #[test]
    fn late_and_dead_jobs_do_not_run() {
        let start = Instant::now();
        let mut queue = Queue::new(100);
        queue.push("expired", 3, Class::Interactive, at(start, 1));
        queue.push("dead", 3, Class::Interactive, at(start, 9));
        queue.push("alive", 3, Class::Interactive, at(start, 9));
        let taken = queue.take(at(start, 1), 3, |job| *job == "dead");
        assert_eq!(taken.expired, ["expired"]);
        assert_eq!(
            taken.slices,
            [Slice {
                job: "alive",
                rows: 0..3
            }]
        );
    }

    #[test]
    fn admission_is_all_or_none() {
        let mut queue = Queue::<()>::new(10);
        assert_eq!(queue.reserve(8, Class::Interactive), Ok(()));
        assert_eq!(
            queue.reserve(3, Class::Interactive),
            Err(Full {
                admitted: 8,
                capacity: 10,
                wanted: 3
            })
        );
        assert_eq!(queue.reserve(2, Class::Interactive), Ok(()));
        queue.release(8);
        assert_eq!(queue.reserve(8, Class::Interactive), Ok(()));
    }

    #[test]
    fn bulk_leaves_room_for_interactive_rows() {
        let mut queue = Queue::<()>::new(8);
        assert_eq!(queue.reserve(6, Class::Bulk), Ok(()));
        assert!(queue.reserve(1, Class::Bulk).is_err());
        assert_eq!(queue.reserve(2, Class::Interactive), Ok(()));
    }

    #[test]
    fn jobs_of_callers_who_left_are_swept_before_they_pile_up() {
        let start = Instant::now();
        let mut queue = Queue::new(10);
        for job in 0..100 {
            queue.push(job, 3, Class::Bulk, at(start, 1000));
            queue.sweep(|job| job % 50 != 0);
            assert!(queue.waiting_rows <= 10, "{}", queue.waiting_rows);
        }
        let taken = queue.take(start, 100, |_| false);
        let alive: Vec<_> = taken
            .slices
            .iter()
            .map(|slice| slice.job)
            .filter(|job| job % 50 == 0)
            .collect();
        assert_eq!(alive, [0, 50]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push { rows: usize, bulk: bool, deadline: u64 },
        Take { most: usize, later: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1usize..9, any::<bool>(), 0u64..40).prop_map(|(rows, bulk, deadline)| Step::Push { rows, bulk, deadline }),
            (0usize..7, 0u64..4).prop_map(|(most, later)| Step::Take { most, later }),
        ]
    }

    proptest! {
        /// No row is lost, none runs twice, none after its deadline, none before a more urgent one, never too many.
        #[test]
        fn every_row_runs_once_or_its_job_expires(steps in prop::collection::vec(step(), 1..60)) {
            let start = Instant::now();
            let (mut queue, mut clock) = (Queue::new(usize::MAX), 0);
            let mut jobs: Vec<(usize, Class, u64)> = Vec::new();
            let mut done: Vec<usize> = Vec::new();
            let mut expired: Vec<bool> = Vec::new();
            let mut run = |queue: &mut Queue<usize>, jobs: &[(usize, Class, u64)], clock: u64, most: usize| {
                done.resize(jobs.len(), 0);
                expired.resize(jobs.len(), false);
                let before: Vec<usize> = (0..jobs.len()).filter(|&job| done[job] < jobs[job].0 && !expired[job]).collect();
                let taken = queue.take(at(start, clock), most, |_| false);
                for &job in &taken.expired {
                    assert!(jobs[job].2 <= clock && !expired[job]);
                    expired[job] = true;
                }
                let mut rows = 0;
                for slice in &taken.slices {
                    assert!(jobs[slice.job].2 > clock);
                    assert_eq!(slice.rows.start, done[slice.job], "rows run in order, once");
                    assert!(!slice.rows.is_empty());
                    done[slice.job] = slice.rows.end;
                    rows += slice.rows.len();
                }
                assert!(rows <= most);
                let left = |job: &usize| done[*job] < jobs[*job].0 && !expired[*job] && jobs[*job].2 > clock;
                let key = |job: &usize| (jobs[*job].1, jobs[*job].2, *job);
                let most_urgent_left = before.iter().filter(|job| left(job)).map(key).min();
                for slice in &taken.slices {
                    assert!(most_urgent_left.is_none_or(|left| key(&slice.job) <= left));
                }
                assert!(rows == most || most_urgent_left.is_none(), "no slot is left empty while rows wait");
                done.iter().zip(jobs).zip(&expired).all(|((done, job), expired)| *expired || *done == job.0)
            };
            for step in steps {
                match step {
                    Step::Push { rows, bulk, deadline } => {
                        let class = if bulk { Class::Bulk } else { Class::Interactive };
                        queue.push(jobs.len(), rows, class, at(start, deadline));
                        jobs.push((rows, class, deadline));
                    }
                    Step::Take { most, later } => {
                        clock += later;
                        run(&mut queue, &jobs, clock, most);
                    }
                }
            }
            prop_assert!(run(&mut queue, &jobs, clock, usize::MAX), "something was lost");
            prop_assert!(queue.is_empty());
        }
    }
}
