//! The scheduler as its callers see it: executors, and a queue before them.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use core_affinity::CoreId;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::admission::{Demand, Refusal};
use super::executor::Executor;
use super::load::SchedulerLoad;
use super::observer::ModelObserver;
use super::post::Post;
use super::queue::Limits;
use super::reservation::Reservation;
use super::shared::Shared;
use super::speed::Speed;
use crate::domain::{PerRole, Priority};
use crate::onnx::Backend;

/// What bounds the queue.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// Rows of one model that may be outstanding.
    pub rows: usize,
    /// How long rows may wait for a fuller batch; zero: not at all.
    pub max_delay: Duration,
    /// Time per row of each model, as measured at start.
    pub row_time: PerRole<Duration>,
    /// Keep each executor on one processor; `None`: where there are as many executors as processors to run on.
    pub pin: Option<bool>,
}

/// The executors of both models and their queue.
pub struct Scheduler {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    max_batch_size: PerRole<usize>,
    output_len: PerRole<usize>,
}

impl Scheduler {
    /// Starts a thread for each of `backends`: a session of each model. Callers are answered on `runtime`; `observer` is told what
    /// the executors do.
    ///
    /// # Errors
    /// If there are no backends, or no thread can be started.
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
        let limits = Limits {
            max_batch_size,
            pads: PerRole::of(|role| first[role].pads()),
            max_queue_delay: settings.max_delay,
        };
        let speed = Speed::new(settings.row_time, max_batch_size, backends.len());
        let mut scheduler = Self {
            shared: Arc::new(Shared::new(limits, settings.rows, speed, backends.len())),
            threads: Vec::new(),
            max_batch_size,
            output_len,
        };
        // The last executor takes it along.
        let post = Arc::new(Post::start(runtime));
        let processors = processors(settings.pin, backends.len());
        for (number, backends) in backends.into_iter().enumerate() {
            let processor = processors.get(number % processors.len().max(1)).copied();
            let executor = Executor::new(
                Arc::clone(&scheduler.shared),
                Arc::clone(&post),
                Arc::clone(observer),
                backends,
            );
            let thread = thread::Builder::new().name(format!("executor-{number}"));
            scheduler.threads.push(thread.spawn(move || {
                if let Some(processor) = processor
                    && !core_affinity::set_for_current(processor)
                {
                    tracing::warn!(executor = number, "cannot be kept on one processor");
                }
                executor.work();
            })?);
        }
        Ok(scheduler)
    }

    /// Lets a request in, or refuses at once. Bulk rows are refused earlier: [`bulk_capacity`](super::bulk_capacity).
    ///
    /// # Errors
    /// If its rows do not fit beside those admitted already, or its deadline cannot be met behind them.
    pub fn admit(&self, priority: Priority, deadline: Instant, demand: &Demand) -> Result<Reservation, Refusal> {
        let request = self.shared.admit(priority, deadline, demand)?;
        Ok(Reservation {
            shared: Arc::clone(&self.shared),
            request,
            outstanding: demand.outstanding,
            output_len: self.output_len,
        })
    }

    /// What an audit found that shows that a model is no function of its input; none so far, if none did. Costs a load.
    #[must_use]
    pub fn refuted(&self) -> Option<&str> {
        self.shared.refuted()
    }

    /// Rows in one run, at most.
    #[must_use]
    pub fn max_batch_size(&self) -> PerRole<usize> {
        self.max_batch_size
    }

    /// Threads, each with a session of each model.
    #[must_use]
    pub fn executors(&self) -> usize {
        self.threads.len()
    }

    /// What waits and who works at this moment. It takes the queue's lock for a while if much waits: for those who ask now and then.
    #[must_use]
    pub fn load(&self) -> SchedulerLoad {
        self.shared.load(self.executors())
    }

    /// Whether both models work, from now on.
    #[must_use]
    pub fn healthy(&self) -> watch::Receiver<bool> {
        self.shared.healthy()
    }
}

/// A processor for each executor, if they are to be pinned.
///
/// Executors that change processors leave their models' weights behind, and two that were put on the same one run one after the
/// other. But a process that may run on many more processors than it has executors shares them with others: there the
/// operating system knows better.
fn processors(pin: Option<bool>, executors: usize) -> Vec<CoreId> {
    let usable = core_affinity::get_core_ids().unwrap_or_default();
    if pin.unwrap_or(usable.len() == executors) {
        usable
    } else {
        Vec::new()
    }
}

impl Drop for Scheduler {
    /// Waits for the batches that run: a session must not outlive its thread, nor the process's runtime.
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an executor thread ended by a panic");
            }
        }
    }
}
