//! The thread that evaluates observations, and the bounded queue in front of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use super::counting_window::CountingWindow;
use super::recorded_outputs::RecordedOutputs;

/// The most observations that wait in the queue.
const MAX_QUEUED: usize = 4096;

/// The most values in all queued observations: 16 MiB of float32. A single observation may be
/// larger, because the limits on requests bound it.
const MAX_QUEUED_VALUES: usize = 4 << 20;

/// The memory of one observation beside its values.
const OBSERVATION_BYTES: usize = 512;

/// The most memory of the queue, in bytes.
pub const MAX_SHADOW_QUEUE_BYTES: usize = MAX_QUEUED_VALUES * size_of::<f32>() + MAX_QUEUED * OBSERVATION_BYTES;

/// The pause between two reads of the queue. While observations arrive in every pause, no request
/// has to wake the thread, which would cost it several microseconds.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

struct EvaluationJob {
    window: Arc<CountingWindow>,
    observation: RecordedOutputs,
}

/// A handle to the evaluation thread. The thread ends when the last handle is dropped.
#[derive(Clone)]
pub(super) struct EvaluationWorker {
    jobs: SyncSender<EvaluationJob>,
    queued_values: Arc<AtomicUsize>,
}

impl EvaluationWorker {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, receiver) = sync_channel(MAX_QUEUED);
        let queued_values = Arc::new(AtomicUsize::new(0));
        let worker = Self {
            jobs,
            queued_values: Arc::clone(&queued_values),
        };
        Builder::new().name("shadow".to_owned()).spawn(move || {
            lower_thread_priority();
            run(&receiver, &queued_values);
        })?;
        Ok(worker)
    }

    /// Queues `observation` for `window`. If the queue is full, drops it and counts its inputs as
    /// dropped. Never blocks.
    pub(super) fn submit(&self, window: &Arc<CountingWindow>, observation: RecordedOutputs) {
        let (inputs, values) = (observation.input_count(), observation.value_count());
        let queued_before = self.queued_values.fetch_add(values, Ordering::Relaxed);
        let fits = queued_before == 0 || queued_before.saturating_add(values) <= MAX_QUEUED_VALUES;
        let job = EvaluationJob {
            window: Arc::clone(window),
            observation,
        };
        if !fits || self.jobs.try_send(job).is_err() {
            self.queued_values.fetch_sub(values, Ordering::Relaxed);
            window.count_dropped(inputs);
        }
    }
}

fn run(jobs: &Receiver<EvaluationJob>, queued_values: &AtomicUsize) {
    let evaluate = |job: EvaluationJob| {
        let values = job.observation.value_count();
        job.window.evaluate(&job.observation);
        drop(job);
        queued_values.fetch_sub(values, Ordering::Relaxed);
    };
    while let Ok(first) = jobs.recv() {
        evaluate(first);
        loop {
            std::thread::sleep(POLL_INTERVAL);
            let evaluated = jobs.try_iter().map(evaluate).count();
            if evaluated == 0 {
                break;
            }
        }
    }
}

/// Sets the lowest priority, because the processors are for the executors.
#[cfg(target_os = "linux")]
fn lower_thread_priority() {
    // On Linux this applies to the calling thread only. Elsewhere it would apply to the process.
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::warn!(%error, "the shadow evaluation thread keeps the default priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_thread_priority() {}

#[cfg(test)]
mod tests {
    use super::super::shadow_prediction::ServedPrediction;
    use super::*;
    use crate::domain::PerRole;

    fn observation(inputs: usize) -> RecordedOutputs {
        let served = ServedPrediction {
            class: 0,
            standard_class: 1,
            radius: 0.0,
            votes: 0,
        };
        RecordedOutputs::Rows {
            outputs: PerRole::of(|_| vec![0.5; 2 * inputs]),
            served: vec![served; inputs],
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts_observations_and_evaluates_the_queued_ones() {
        let (jobs, receiver) = sync_channel(MAX_QUEUED);
        let queued_values = Arc::new(AtomicUsize::new(0));
        let worker = EvaluationWorker {
            jobs,
            queued_values: Arc::clone(&queued_values),
        };
        let window = Arc::new(CountingWindow::example());
        for _ in 0..MAX_QUEUED + 5 {
            worker.submit(&window, observation(3));
        }
        assert_eq!((window.evaluated_inputs(), window.dropped_inputs()), (0, 5 * 3));
        drop(worker);
        run(&receiver, &queued_values);
        assert_eq!(
            (window.evaluated_inputs(), window.dropped_inputs()),
            (3 * MAX_QUEUED as u64, 5 * 3)
        );
        assert_eq!(queued_values.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_queue_bounds_the_number_of_values_but_always_takes_a_single_observation() {
        let (jobs, receiver) = sync_channel(MAX_QUEUED);
        let worker = EvaluationWorker {
            jobs,
            queued_values: Arc::default(),
        };
        let window = Arc::new(CountingWindow::example());
        worker.submit(&window, observation(MAX_QUEUED_VALUES));
        worker.submit(&window, observation(1));
        assert_eq!(window.dropped_inputs(), 1);
        assert_eq!(receiver.try_iter().count(), 1);
    }
}
