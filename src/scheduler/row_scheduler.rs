//! The scheduler: a queue of rows and the executor threads that serve it.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use core_affinity::CoreId;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::admission::Demand;
use super::caller_share::CallerShare;
use super::executor::Executor;
use super::model_observer::ModelObserver;
use super::queue::BatchLimits;
use super::refusal::Refusal;
use super::reply_dispatcher::ReplyDispatcher;
use super::reservation::Reservation;
use super::row_time::RowTimes;
use super::scheduler_load::SchedulerLoad;
use super::shared_state::{Decision, SharedState};
use crate::domain::{PerRole, Priority, Role};
use crate::onnx::Backend;
use crate::settings::CpuQuota;

/// The limits of the queue and the placement of the executors.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// The largest number of outstanding rows of one model.
    pub rows: usize,
    /// How long rows may wait for a fuller batch; zero does not wait.
    pub max_delay: Duration,
    /// The time per row of each model, measured at start-up.
    pub row_time: PerRole<Duration>,
    /// The processor time that the process may use; `None` if there is no bound.
    pub cpu_quota: Option<CpuQuota>,
    /// Whether each executor is pinned to one processor. `None` pins if there are as many executors as
    /// usable processors.
    pub pin: Option<bool>,
}

/// The executors of both models and their queue. Dropping it stops the executors.
pub struct Scheduler {
    shared: Arc<SharedState>,
    observer: Arc<dyn ModelObserver>,
    threads: Vec<JoinHandle<()>>,
    max_batch_size: PerRole<usize>,
    output_len: PerRole<usize>,
}

impl Scheduler {
    /// Starts one thread for each element of `backends`, which is a session of each model. Replies are
    /// sent on `runtime`; `observer` receives the events of the scheduler.
    ///
    /// # Errors
    /// If there are no backends, or a thread cannot be started.
    pub fn start<B: Backend>(
        backends: Vec<PerRole<B>>,
        settings: QueueSettings,
        runtime: &Handle,
        observer: &Arc<dyn ModelObserver>,
    ) -> io::Result<Self> {
        let Some(first) = backends.first() else {
            let reason = "a scheduler needs at least one executor";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        };
        let max_batch_size = PerRole::of(|role| first[role].max_batch_size());
        let output_len = PerRole::of(|role| first[role].output_len());
        let limits = BatchLimits {
            max_batch_size,
            pads: PerRole::of(|role| first[role].pads_batches()),
            max_queue_delay: settings.max_delay,
        };
        // The quota bounds what runs on processors.
        let on_processors = Role::ALL.into_iter().all(|role| first[role].runs_on_calling_thread());
        let quota = settings.cpu_quota.filter(|_| on_processors);
        let row_times = RowTimes::new(settings.row_time, max_batch_size, backends.len(), quota);
        let mut scheduler = Self {
            shared: Arc::new(SharedState::new(limits, settings.rows, row_times, backends.len())),
            observer: Arc::clone(observer),
            threads: Vec::new(),
            max_batch_size,
            output_len,
        };
        // The last executor to end drops the dispatcher.
        let dispatcher = Arc::new(ReplyDispatcher::start(runtime));
        let processors = processors(settings.pin, backends.len());
        for (number, backends) in backends.into_iter().enumerate() {
            let processor = processors.get(number % processors.len().max(1)).copied();
            let executor = Executor::new(
                Arc::clone(&scheduler.shared),
                Arc::clone(&dispatcher),
                Arc::clone(observer),
                backends,
            );
            let thread = thread::Builder::new().name(format!("executor-{number}"));
            scheduler.threads.push(thread.spawn(move || {
                if let Some(processor) = processor
                    && !core_affinity::set_for_current(processor)
                {
                    tracing::warn!(executor = number, "cannot pin the executor to a processor");
                }
                executor.run();
            })?);
        }
        Ok(scheduler)
    }

    /// Admits a request of a caller or refuses it at once. Bulk requests have the smaller capacity
    /// [`bulk_capacity`](super::bulk_capacity).
    ///
    /// # Errors
    /// If the rows exceed the capacity that is free for the caller, or the deadline cannot be met behind
    /// the admitted rows.
    pub fn admit(
        &self,
        share: &CallerShare,
        priority: Priority,
        deadline: Instant,
        demand: &Demand,
    ) -> Result<Reservation, Refusal> {
        let Decision { admitted, demanded } = self.shared.admit(share, priority, deadline, demand);
        self.observer.demanded(priority, admitted.is_ok(), demanded);
        let request = admitted.inspect_err(|refusal| self.observer.refused(&share.name, refusal.reason()))?;
        self.observer.admitted(&share.name);
        Ok(Reservation {
            shared: Arc::clone(&self.shared),
            request,
            caller_name: Arc::clone(&share.name),
            outstanding: demand.outstanding,
            output_len: self.output_len,
        })
    }

    /// The first audit result that proves that a model is not a function of its input; `None` if there
    /// is none. The call costs one atomic load.
    #[must_use]
    pub fn audit_difference(&self) -> Option<&str> {
        self.shared.audit_difference()
    }

    /// The largest number of rows in one run, by model.
    #[must_use]
    pub fn max_batch_size(&self) -> PerRole<usize> {
        self.max_batch_size
    }

    /// The number of executor threads. Each has a session of each model.
    #[must_use]
    pub fn executors(&self) -> usize {
        self.threads.len()
    }

    /// The current load. The call holds the queue lock in proportion to the waiting jobs, so it is meant
    /// for occasional readers.
    #[must_use]
    pub fn load(&self) -> SchedulerLoad {
        self.shared.load(self.executors())
    }

    /// A channel with the health of both models.
    #[must_use]
    pub fn healthy(&self) -> watch::Receiver<bool> {
        self.shared.healthy()
    }
}

/// The processors for the executors; empty if they are not pinned.
///
/// An executor that changes processors leaves the weights of its models in the old cache, and two
/// executors on one processor run one after the other. But a process with many more processors than
/// executors shares them with other processes, and there the operating system places threads better.
fn processors(pin: Option<bool>, executors: usize) -> Vec<CoreId> {
    let usable = core_affinity::get_core_ids().unwrap_or_default();
    if pin.unwrap_or(usable.len() == executors) {
        usable
    } else {
        Vec::new()
    }
}

impl Drop for Scheduler {
    /// Waits for the running batches: a session must not outlive its thread or ONNX Runtime.
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an executor thread panicked");
            }
        }
    }
}
