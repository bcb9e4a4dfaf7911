//! The thread that judges, and the bounded queue before it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

use super::counting_window::CountingWindow;
use super::observation::Observation;

/// Observations that wait, at most,
const MOST_WAITING: usize = 4096;

/// and the numbers in them: 16 MiB of float32. A single one may be larger: the limits on requests bound it.
const MOST_NUMBERS: usize = 4 << 20;

/// Observations gather for this long. While some come in every such time nobody has to wake the thread, which would cost each
/// request some microseconds.
const GATHER: Duration = Duration::from_millis(10);

struct EvaluationJob {
    era: Arc<CountingWindow>,
    observation: Observation,
}

/// The way to the thread; it ends with the last one.
#[derive(Clone)]
pub(in crate::classifier) struct EvaluationWorker {
    jobs: SyncSender<EvaluationJob>,
    waiting: Arc<AtomicUsize>,
}

impl EvaluationWorker {
    /// Starts the thread.
    pub(in crate::classifier) fn start() -> io::Result<Self> {
        let (jobs, receiver) = sync_channel(MOST_WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let worker = Self {
            jobs,
            waiting: Arc::clone(&waiting),
        };
        Builder::new().name("shadow".to_owned()).spawn(move || {
            yield_to_all_others();
            run(&receiver, &waiting);
        })?;
        Ok(worker)
    }

    /// Hands `observation` over, or drops it and counts that. Never waits.
    pub(in crate::classifier) fn offer(&self, era: &Arc<CountingWindow>, observation: Observation) {
        let (inputs, size) = (observation.inputs(), observation.size());
        let before = self.waiting.fetch_add(size, Ordering::Relaxed);
        let room = before == 0 || before.saturating_add(size) <= MOST_NUMBERS;
        let job = EvaluationJob {
            era: Arc::clone(era),
            observation,
        };
        if !room || self.jobs.try_send(job).is_err() {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            era.drop_inputs(inputs);
        }
    }
}

fn run(jobs: &Receiver<EvaluationJob>, waiting: &AtomicUsize) {
    let take = |job: EvaluationJob| {
        let size = job.observation.size();
        job.era.take(&job.observation);
        drop(job);
        waiting.fetch_sub(size, Ordering::Relaxed);
    };
    while let Ok(first) = jobs.recv() {
        take(first);
        loop {
            std::thread::sleep(GATHER);
            let before = jobs.try_iter().map(take).count();
            if before == 0 {
                break;
            }
        }
    }
}

/// Takes the lowest priority: the processors belong to the executors.
#[cfg(target_os = "linux")]
fn yield_to_all_others() {
    // On Linux this is about the calling thread alone; elsewhere it would be about the process.
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::warn!(%error, "the thread of the shadow alphas keeps the usual priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn yield_to_all_others() {}

#[cfg(test)]
mod tests {
    use super::super::observation::ServedPrediction;
    use super::*;
    use crate::domain::PerRole;

    fn observation(inputs: usize) -> Observation {
        let one = ServedPrediction {
            class: 0,
            standard_class: 1,
            radius: 0.0,
            votes: 0,
        };
        Observation::Rows {
            outputs: PerRole::of(|_| vec![0.5; 2 * inputs]),
            served: vec![one; inputs],
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_what_it_took_is_judged() {
        let (jobs, receiver) = sync_channel(MOST_WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let worker = EvaluationWorker {
            jobs,
            waiting: Arc::clone(&waiting),
        };
        let era = Arc::new(CountingWindow::example());
        for _ in 0..MOST_WAITING + 5 {
            worker.offer(&era, observation(3));
        }
        assert_eq!((era.seen(), era.dropped()), (0, 5 * 3));
        drop(worker);
        run(&receiver, &waiting);
        assert_eq!((era.seen(), era.dropped()), (3 * MOST_WAITING as u64, 5 * 3));
        assert_eq!(waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_waits_is_bounded_in_numbers_too_and_a_lone_one_is_always_taken() {
        let (jobs, receiver) = sync_channel(MOST_WAITING);
        let worker = EvaluationWorker {
            jobs,
            waiting: Arc::default(),
        };
        let era = Arc::new(CountingWindow::example());
        worker.offer(&era, observation(MOST_NUMBERS));
        worker.offer(&era, observation(1));
        assert_eq!(era.dropped(), 1);
        assert_eq!(receiver.try_iter().count(), 1);
    }
}
