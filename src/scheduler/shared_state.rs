//! The state that callers and executors share, under one lock.
//!
//! A woken executor takes the next batch and wakes the next executor if enough rows are left, so
//! a caller wakes at most one executor. The two rows of a single request therefore wake two executors
//! one after the other. The first one keeps its processor, so the operating system places the second on
//! another. (When the thread that read the request woke both and then slept, both were often placed on
//! the same processor and ran one after the other.) Rows that finish before another thread could wake
//! wake nobody.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::ClockId;
use tokio::sync::watch;

use super::admission::{Admissions, Demand};
use super::caller_share::CallerShare;
use super::demand_meter::DemandMeter;
use super::model_health::ModelHealth;
use super::processor_time::processor_time;
use super::queue::{Batch, BatchLimits, ExecutorState, Queue};
use super::refusal::Refusal;
use super::remeasurement::Remeasurement;
use super::row_job::{Job, ScheduleError, WakeExecutors};
use super::row_time::{BatchTime, RowTimes, Rows};
use super::scheduler_load::SchedulerLoad;
use super::urgency::AdmittedRequest;
use super::wakeup::Wakeup;
use crate::domain::{PerRole, Priority, Role};

/// About the time of one wake. Rows that take less do not wake another executor.
const WAKE_COST: Duration = Duration::from_micros(40);

/// A batch for an executor.
pub(super) type Work = Batch<Arc<Job>>;

/// The state that callers and executors share.
pub(super) struct SharedState {
    locked: Mutex<LockedState>,
    work: Condvar,
    healthy: watch::Sender<bool>,
    /// The first audit result with a difference.
    audit_difference: OnceLock<String>,
}

/// The part of the state that the lock protects.
struct LockedState {
    queue: Queue<Arc<Job>>,
    admissions: Admissions,
    row_times: RowTimes,
    demand: DemandMeter,
    remeasurement: Remeasurement,
    health: ModelHealth,
    wakeup: Wakeup,
    stopping: bool,
}

/// A batch that has ended.
pub(super) struct FinishedBatch<'a> {
    pub(super) work: &'a Work,
    /// The time of the run; `None` if the batch did not run or failed.
    pub(super) time: Option<BatchTime>,
}

/// The decision about a request, and the executor time that its caller asks for.
pub(super) struct Decision {
    pub(super) admitted: Result<AdmittedRequest, Refusal>,
    /// The time that counts as demand; see [`Admissions::demanded`] and [`DemandMeter`].
    pub(super) demanded: Duration,
}

/// The next step of an executor.
pub(super) enum NextStep {
    /// Run this batch.
    Run(Work),
    /// Measure the time per row of this model.
    Measure(Role),
    /// The requested wake-up time has come.
    Due,
    /// End the thread.
    Stop,
}

impl SharedState {
    pub(super) fn new(limits: BatchLimits, capacity: usize, row_times: RowTimes, executors: usize) -> Self {
        let locked = LockedState {
            queue: Queue::new(limits),
            demand: DemandMeter::new(row_times.sustained_executors()),
            admissions: Admissions::new(capacity),
            row_times,
            remeasurement: Remeasurement::default(),
            health: ModelHealth::new(executors),
            wakeup: Wakeup::default(),
            stopping: false,
        };
        Self {
            locked: Mutex::new(locked),
            work: Condvar::new(),
            healthy: watch::Sender::new(true),
            audit_difference: OnceLock::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, LockedState> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A channel with the health of both models.
    pub(super) fn healthy(&self) -> watch::Receiver<bool> {
        self.healthy.subscribe()
    }

    /// Records that a model is not a function of its input. The first report stays.
    pub(super) fn report_audit_difference(&self, difference: String) {
        self.audit_difference.get_or_init(|| difference);
    }

    /// The first report of [`SharedState::report_audit_difference`].
    pub(super) fn audit_difference(&self) -> Option<&str> {
        self.audit_difference.get().map(String::as_str)
    }

    /// Admits a request; see [`Admissions::admit`]. A request that takes too long by itself may be the
    /// victim of a wrong estimate, which an idle executor then measures again.
    pub(super) fn admit(
        &self,
        share: &CallerShare,
        priority: Priority,
        deadline: Instant,
        demand: &Demand,
    ) -> Decision {
        let mut locked = self.lock();
        let (state, now) = (&mut *locked, Instant::now());
        state.record_processor_time(now);
        let admitted = state
            .admissions
            .admit(share, priority, deadline, demand, now, &state.row_times);
        let left = deadline.saturating_duration_since(now);
        let work = Admissions::demanded(left, demand, &state.row_times);
        let executors = state.row_times.sustained_executors();
        let demanded = state.demand.demanded(work, admitted.as_ref().err(), executors, now);
        if matches!(admitted, Err(Refusal::TooShort { .. })) && state.remeasurement.refused(&demand.needed, now) {
            self.wake_one(locked);
        }
        Decision { admitted, demanded }
    }

    /// Records a measurement: a batch of `rows` rows took `time` on an executor that was idle.
    pub(super) fn measured(&self, role: Role, rows: usize, time: BatchTime) {
        self.lock().row_times.remeasure(role, rows, time);
    }

    /// Ends a request and returns its capacity.
    pub(super) fn release(&self, request: &AdmittedRequest, outstanding: &PerRole<usize>) {
        self.lock().admissions.release(request, outstanding);
    }

    /// The current load.
    pub(super) fn load(&self, executors: usize) -> SchedulerLoad {
        let (state, now) = (self.lock(), Instant::now());
        let waiting = |priority| state.queue.waiting(priority, now, |job| job.has_ended());
        SchedulerLoad {
            interactive: waiting(Priority::Interactive),
            bulk: waiting(Priority::Bulk),
            admitted: state.admissions.outstanding(),
            capacity: state.admissions.capacity(),
            executors,
            sustained_executors: state.row_times.sustained_executors(),
            idle: state.wakeup.asleep(),
            broken: state.health.broken(),
            healthy: PerRole::of(|role| state.health.works(role)),
        }
    }

    /// Queues the rows of `job` at `now`. [`WakeExecutors::wake_executors`] notifies the executors.
    pub(super) fn submit(&self, job: &Arc<Job>, request: AdmittedRequest, rows: PerRole<usize>, now: Instant) {
        let mut state = self.lock();
        let error = if state.stopping {
            Some(ScheduleError::Stopping)
        } else {
            Role::ALL
                .into_iter()
                .find(|&role| rows[role] > 0 && state.health.all_sessions_broken(role))
                .map(|role| ScheduleError::Broken { role })
        };
        if let Some(error) = error {
            drop(state);
            job.fail(error);
            return;
        }
        state.queue.push(job, request, rows, now);
        let capacity = state.admissions.capacity();
        state.queue.sweep(capacity, |job| job.has_ended());
    }

    /// Wakes an executor unless one is waking already, which then takes the rows.
    fn wake_one(&self, mut state: MutexGuard<'_, LockedState>) {
        if state.health.any_session_broken() {
            // An executor without a session cannot take all rows, so all executors must look.
            drop(state);
            self.work.notify_all();
            return;
        }
        let wake = state.wakeup.should_wake();
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    /// Waits for the next step of an executor, at most until `due`. The number of other idle executors
    /// in `executor` is filled in here.
    pub(super) fn next(&self, executor: ExecutorState, due: Option<Instant>) -> NextStep {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return NextStep::Stop;
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                return NextStep::Due;
            }
            match self.take(state, executor) {
                Ok(batch) => return NextStep::Run(batch),
                Err((mut locked, next)) => {
                    if let Some(role) = locked.remeasurement.begin(executor.able, Instant::now()) {
                        return NextStep::Measure(role);
                    }
                    state = self.sleep(locked, [next, due].into_iter().flatten().min());
                }
            }
        }
    }

    fn sleep<'a>(&self, mut state: MutexGuard<'a, LockedState>, until: Option<Instant>) -> MutexGuard<'a, LockedState> {
        state.wakeup.sleep();
        let mut state = match until {
            None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                let waited = self.work.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.wakeup.awake();
        state
    }

    /// Records the end of a batch. With an `executor`, returns the next batch for it if there is one.
    pub(super) fn done(&self, done: &FinishedBatch<'_>, executor: Option<ExecutorState>) -> Option<Work> {
        let mut state = self.lock();
        // Failed rows and rows of callers who left count too: they take no more time.
        let (role, slices) = (done.work.role, &done.work.slices);
        for slice in slices {
            state.admissions.done(&slice.request, role, slice.rows.len());
        }
        if let Some(time) = done.time {
            let now = Instant::now();
            state.record_processor_time(now);
            state.row_times.observe(role, done.work.rows(), time);
            state.remeasurement.ran(role, now);
            state.health.worked(role);
            self.publish_health(&state.health);
        }
        if state.stopping {
            return None;
        }
        let Some(executor) = executor else {
            // This executor repairs or audits a session first, so another one must take the waiting rows.
            if state.queue.rows() != PerRole::default() {
                self.wake_one(state);
            }
            return None;
        };
        self.take(state, executor).ok()
    }

    /// The next batch for `executor`, or the time at which there may be one.
    fn take<'a>(
        &self,
        mut state: MutexGuard<'a, LockedState>,
        mut executor: ExecutorState,
    ) -> Result<Work, (MutexGuard<'a, LockedState>, Option<Instant>)> {
        executor.idle_others = state.executors_to_share_with();
        let row_cost = state.row_times.row_cost();
        let taken = state
            .queue
            .take(Instant::now(), executor, row_cost, |job| job.has_ended());
        for job in taken.expired {
            job.fail(ScheduleError::Expired);
        }
        let Some(batch) = taken.batch else {
            return Err((state, taken.retry_at));
        };
        if state.leaves_enough(&batch) {
            self.wake_one(state);
        }
        Ok(batch)
    }

    /// Records a session failure.
    pub(super) fn failed(&self, role: Role) {
        let mut state = self.lock();
        state.health.failed(role);
        self.publish_health(&state.health);
    }

    /// Records that an executor continues without a session of `role`. If it was the last session, all
    /// waiting jobs of this model fail.
    pub(super) fn lost(&self, role: Role) {
        let mut state = self.lock();
        state.health.lost(role);
        let left = if state.health.all_sessions_broken(role) {
            state.queue.drain(role)
        } else {
            Vec::new()
        };
        self.publish_health(&state.health);
        drop(state);
        // The other executors must take the rows that this one would have taken.
        self.work.notify_all();
        for job in left {
            job.fail(ScheduleError::Broken { role });
        }
    }

    /// Records that an executor has a session of `role` again.
    pub(super) fn repaired(&self, role: Role) {
        let mut state = self.lock();
        state.health.repaired(role);
        self.publish_health(&state.health);
    }

    fn publish_health(&self, health: &ModelHealth) {
        let now = health.is_healthy();
        self.healthy
            .send_if_modified(|healthy| std::mem::replace(healthy, now) != now);
    }

    /// Stops the executors after their current batch, and fails all waiting jobs.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        let left: Vec<_> = Role::ALL.into_iter().flat_map(|role| state.queue.drain(role)).collect();
        drop(state);
        for job in left {
            job.fail(ScheduleError::Stopping);
        }
        self.work.notify_all();
    }
}

impl WakeExecutors for SharedState {
    fn wake_executors(&self) {
        let state = self.lock();
        if state.queue.rows() != PerRole::default() {
            self.wake_one(state);
        }
    }
}

impl fmt::Debug for SharedState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedState").finish_non_exhaustive()
    }
}

impl LockedState {
    /// Records what is used of the quota, if there is one.
    fn record_processor_time(&mut self, now: Instant) {
        if self.row_times.has_quota() {
            self.row_times.record_use(now, processor_time(ClockId::ProcessCPUTime));
        }
    }

    /// The number of idle executors to leave a share of the waiting rows to.
    fn executors_to_share_with(&self) -> usize {
        if self.row_times.on_one_executor(&self.waiting()) > WAKE_COST {
            self.wakeup.asleep()
        } else {
            0
        }
    }

    /// Whether to wake another executor after `batch` is taken: the other rows would wait while it runs.
    fn leaves_enough(&self, batch: &Work) -> bool {
        let left = self.waiting();
        if left == PerRole::default() {
            return false;
        }
        let mut own = PerRole::default();
        own[batch.role] = wide(batch.rows());
        self.row_times
            .on_one_executor(&own)
            .max(self.row_times.on_one_executor(&left))
            > WAKE_COST
    }

    fn waiting(&self) -> Rows {
        let rows = self.queue.rows();
        PerRole::of(|role| wide(rows[role]))
    }
}

fn wide(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
