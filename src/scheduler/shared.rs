//! The one lock between callers and executors.
//!
//! An executor that is woken takes the most urgent batch and, if what is left is worth it, wakes the next one: callers wake
//! one executor at most. So the two rows of a lone request wake two executors one after the other, the second by the
//! first, which keeps its processor: the second is put on another. (Woken both by the thread that read the request, which
//! is about to sleep, they were often put on the same one, and ran one after the other.) And rows so small that they are
//! done before another thread has woken wake nobody.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::admission::{Admissions, Demand, Refusal};
use super::bell::Bell;
use super::condition::Condition;
use super::job::{Job, ScheduleError};
use super::queue::{Batch, Limits, Queue, Taker};
use super::speed::Speed;
use super::urgency::{Class, Urgency};
use crate::domain::{PerRole, Role};

/// About what it takes to wake a thread: rows that wait less than this wake nobody.
const WORTH_WAKING: Duration = Duration::from_micros(40);

pub(super) type Work = Batch<Arc<Job>>;

pub(super) struct Shared {
    state: Mutex<State>,
    work: Condvar,
    healthy: watch::Sender<bool>,
}

struct State {
    queue: Queue<Arc<Job>>,
    admissions: Admissions,
    speed: Speed,
    condition: Condition,
    bell: Bell,
    stopping: bool,
}

/// What an executor does next.
pub(super) enum Next {
    /// Rows to run.
    Run(Work),
    /// The moment that it asked to be woken at has come.
    Due,
    /// Nothing, ever again.
    Stop,
}

impl Shared {
    pub(super) fn new(limits: Limits, capacity: usize, speed: Speed, executors: usize) -> Self {
        let state = State {
            queue: Queue::new(limits),
            admissions: Admissions::new(capacity),
            speed,
            condition: Condition::new(executors),
            bell: Bell::default(),
            stopping: false,
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            healthy: watch::Sender::new(true),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether both models work, from now on.
    pub(super) fn healthy(&self) -> watch::Receiver<bool> {
        self.healthy.subscribe()
    }

    pub(super) fn admit(&self, class: Class, deadline: Instant, demand: &Demand) -> Result<Urgency, Refusal> {
        let state = &mut *self.state();
        state
            .admissions
            .admit(class, deadline, demand, Instant::now(), &state.speed)
    }

    pub(super) fn release(&self, request: &Urgency, outstanding: &PerRole<usize>) {
        self.state().admissions.release(request, outstanding);
    }

    /// Lets the rows of `job` wait for an executor.
    pub(super) fn submit(&self, job: &Arc<Job>, request: Urgency, rows: PerRole<usize>) {
        let mut state = self.state();
        let impossible = if state.stopping {
            Some(ScheduleError::Stopping)
        } else {
            Role::ALL
                .into_iter()
                .find(|&role| rows[role] > 0 && state.condition.unable(role))
                .map(|role| ScheduleError::Broken { role })
        };
        if let Some(error) = impossible {
            drop(state);
            job.fail(error);
            return;
        }
        state.queue.push(job, request, rows, Instant::now());
        let capacity = state.admissions.capacity();
        state.queue.sweep(capacity, |job| job.is_over());
        self.wake_one(state);
    }

    /// Wakes an executor, unless one is on its way: that one will see to it.
    fn wake_one(&self, mut state: MutexGuard<'_, State>) {
        if state.condition.anyone_lacks_a_session() {
            // Not everyone can take everything: whoever can must hear of it.
            drop(state);
            self.work.notify_all();
            return;
        }
        let ring = state.bell.rings();
        drop(state);
        if ring {
            self.work.notify_one();
        }
    }

    /// Waits for work for an executor that wants to be woken at `due` in any case.
    pub(super) fn next(&self, taker: Taker, due: Option<Instant>) -> Next {
        let mut state = self.state();
        loop {
            if state.stopping {
                return Next::Stop;
            }
            let now = Instant::now();
            if due.is_some_and(|due| due <= now) {
                return Next::Due;
            }
            let taken = state.queue.take(now, taker, |job| job.is_over());
            for job in taken.expired {
                job.fail(ScheduleError::Expired);
            }
            if let Some(batch) = taken.batch {
                if state.leaves_enough(&batch) {
                    self.wake_one(state);
                }
                return Next::Run(batch);
            }
            state = self.sleep(state, [taken.next, due].into_iter().flatten().min());
        }
    }

    fn sleep<'a>(&self, mut state: MutexGuard<'a, State>, until: Option<Instant>) -> MutexGuard<'a, State> {
        state.bell.sleeps();
        let mut state = match until {
            None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                let waited = self.work.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.bell.looks();
        state
    }

    /// `done` rows of each request are done with. If the model `ran` them, that it works and how long they took is learnt.
    pub(super) fn done(&self, role: Role, done: &[(Urgency, usize)], ran: Option<Duration>) {
        let mut state = self.state();
        for (request, rows) in done {
            state.admissions.done(request, role, *rows);
        }
        if let Some(elapsed) = ran {
            state
                .speed
                .observe(role, done.iter().map(|(_, rows)| rows).sum(), elapsed);
            state.condition.worked(role);
            self.tell_health(&state.condition);
        }
    }

    /// An executor's session is broken.
    pub(super) fn failed(&self, role: Role) {
        let mut state = self.state();
        state.condition.failed(role);
        self.tell_health(&state.condition);
    }

    /// An executor goes on without a session of `role`. If it was the last one, what waits for it is answered.
    pub(super) fn lost(&self, role: Role) {
        let mut state = self.state();
        state.condition.lost(role);
        let left = if state.condition.unable(role) {
            state.queue.drain(role)
        } else {
            Vec::new()
        };
        self.tell_health(&state.condition);
        drop(state);
        for job in left {
            job.fail(ScheduleError::Broken { role });
        }
    }

    /// An executor has a session of `role` again.
    pub(super) fn repaired(&self, role: Role) {
        let mut state = self.state();
        state.condition.repaired(role);
        self.tell_health(&state.condition);
    }

    fn tell_health(&self, condition: &Condition) {
        let now = condition.is_healthy();
        self.healthy
            .send_if_modified(|healthy| std::mem::replace(healthy, now) != now);
    }

    /// Lets the executors end after the batch they run; what waits is answered.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stopping = true;
        let left: Vec<_> = Role::ALL.into_iter().flat_map(|role| state.queue.drain(role)).collect();
        drop(state);
        for job in left {
            job.fail(ScheduleError::Stopping);
        }
        self.work.notify_all();
    }
}

impl State {
    /// Whether another executor is worth waking once `batch` is taken: what is left would wait for as long as that runs.
    fn leaves_enough(&self, batch: &Work) -> bool {
        let left = self.queue.rows();
        let wide = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
        let left = PerRole::of(|role| wide(left[role]));
        if left == PerRole::default() {
            return false;
        }
        let mut own = PerRole::default();
        own[batch.role] = wide(batch.rows());
        self.speed.work(&own).max(self.speed.work(&left)) > WORTH_WAKING
    }
}
