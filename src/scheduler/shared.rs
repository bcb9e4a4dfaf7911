//! The one lock between callers and executors.
//!
//! An executor that is woken takes the most urgent batch and, if what is left is worth it, wakes the next one: callers wake
//! one executor at most. So the two rows of a lone request wake two executors one after the other, the second by the
//! first, which keeps its processor: the second is put on another. (Woken both by the thread that read the request, which
//! is about to sleep, they were often put on the same one, and ran one after the other.) And rows so small that they are
//! done before another thread has woken wake nobody.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::admission::{Admissions, Demand, Refusal};
use super::bell::Bell;
use super::condition::Condition;
use super::job::{Job, Ring, ScheduleError};
use super::load::SchedulerLoad;
use super::queue::{Batch, Limits, Queue, Taker};
use super::speed::{Rows, Speed};
use super::urgency::Urgency;
use crate::domain::{PerRole, Priority, Role};

/// About what it takes to wake a thread: rows that wait less than this wake nobody.
const WORTH_WAKING: Duration = Duration::from_micros(40);

pub(super) type Work = Batch<Arc<Job>>;

pub(super) struct Shared {
    state: Mutex<State>,
    work: Condvar,
    healthy: watch::Sender<bool>,
    /// What the first audit that found a difference says.
    refuted: OnceLock<String>,
}

struct State {
    queue: Queue<Arc<Job>>,
    admissions: Admissions,
    speed: Speed,
    condition: Condition,
    bell: Bell,
    stopping: bool,
}

/// A batch that is done with.
pub(super) struct Done<'a> {
    pub(super) work: &'a Work,
    /// How long the model took for it; none if it did not run, or failed.
    pub(super) elapsed: Option<Duration>,
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
            refuted: OnceLock::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether both models work, from now on.
    pub(super) fn healthy(&self) -> watch::Receiver<bool> {
        self.healthy.subscribe()
    }

    /// A model was found to be no function of its input; the first finding stays.
    pub(super) fn refute(&self, what: String) {
        self.refuted.get_or_init(|| what);
    }

    /// What [`Shared::refute`] was told.
    pub(super) fn refuted(&self) -> Option<&str> {
        self.refuted.get().map(String::as_str)
    }

    pub(super) fn admit(&self, priority: Priority, deadline: Instant, demand: &Demand) -> Result<Urgency, Refusal> {
        let state = &mut *self.state();
        state
            .admissions
            .admit(priority, deadline, demand, Instant::now(), &state.speed)
    }

    pub(super) fn release(&self, request: &Urgency, outstanding: &PerRole<usize>) {
        self.state().admissions.release(request, outstanding);
    }

    /// What waits and who works at this moment.
    pub(super) fn load(&self, executors: usize) -> SchedulerLoad {
        let (state, now) = (self.state(), Instant::now());
        let waiting = |priority| state.queue.waiting(priority, now, |job| job.is_over());
        SchedulerLoad {
            interactive: waiting(Priority::Interactive),
            bulk: waiting(Priority::Bulk),
            admitted: state.admissions.outstanding(),
            capacity: state.admissions.capacity(),
            executors,
            idle: state.bell.asleep(),
            broken: state.condition.broken(),
            healthy: PerRole::of(|role| state.condition.works(role)),
        }
    }

    /// Lets the rows of `job` wait for an executor, from `now` on. They are told by [`Ring::ring`].
    pub(super) fn submit(&self, job: &Arc<Job>, request: Urgency, rows: PerRole<usize>, now: Instant) {
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
        state.queue.push(job, request, rows, now);
        let capacity = state.admissions.capacity();
        state.queue.sweep(capacity, |job| job.is_over());
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

    /// Waits for work for an executor that wants to be woken at `due` in any case. Which others are idle is known here.
    pub(super) fn next(&self, taker: Taker, due: Option<Instant>) -> Next {
        let mut state = self.state();
        loop {
            if state.stopping {
                return Next::Stop;
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                return Next::Due;
            }
            match self.take(state, taker) {
                Ok(batch) => return Next::Run(batch),
                Err((locked, next)) => state = self.sleep(locked, [next, due].into_iter().flatten().min()),
            }
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

    /// A batch is done with. With a `taker`, returns the next batch for it if there is one.
    pub(super) fn done(&self, done: &Done<'_>, taker: Option<Taker>) -> Option<Work> {
        let mut state = self.state();
        // Rows of callers who left and rows that failed count too: nobody waits for them.
        let (role, slices) = (done.work.role, &done.work.slices);
        for slice in slices {
            state.admissions.done(&slice.request, role, slice.rows.len());
        }
        if let Some(elapsed) = done.elapsed {
            state.speed.observe(role, done.work.rows(), elapsed);
            state.condition.worked(role);
            self.tell_health(&state.condition);
        }
        if state.stopping {
            return None;
        }
        let Some(taker) = taker else {
            // This executor looks after a session first: another sees to what it was about to take.
            if state.queue.rows() != PerRole::default() {
                self.wake_one(state);
            }
            return None;
        };
        self.take(state, taker).ok()
    }

    /// The next batch for `taker`, or when there may be one.
    fn take<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        mut taker: Taker,
    ) -> Result<Work, (MutexGuard<'a, State>, Option<Instant>)> {
        taker.idle_others = state.worth_sharing();
        let taken = state.queue.take(Instant::now(), taker, |job| job.is_over());
        for job in taken.expired {
            job.fail(ScheduleError::Expired);
        }
        let Some(batch) = taken.batch else {
            return Err((state, taken.next));
        };
        if state.leaves_enough(&batch) {
            self.wake_one(state);
        }
        Ok(batch)
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
        // What it would have taken is for the others now.
        self.work.notify_all();
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

impl Ring for Shared {
    fn ring(&self) {
        let state = self.state();
        if state.queue.rows() != PerRole::default() {
            self.wake_one(state);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl State {
    /// Idle executors that are worth leaving a part of what waits.
    fn worth_sharing(&self) -> usize {
        if self.speed.work(&self.waiting()) > WORTH_WAKING {
            self.bell.asleep()
        } else {
            0
        }
    }

    /// Whether another executor is worth waking once `batch` is taken: what is left would wait for as long as that runs.
    fn leaves_enough(&self, batch: &Work) -> bool {
        let left = self.waiting();
        if left == PerRole::default() {
            return false;
        }
        let mut own = PerRole::default();
        own[batch.role] = wide(batch.rows());
        self.speed.work(&own).max(self.speed.work(&left)) > WORTH_WAKING
    }

    fn waiting(&self) -> Rows {
        let rows = self.queue.rows();
        PerRole::of(|role| wide(rows[role]))
    }
}

fn wide(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
