//! Tests of the scheduler with its threads, on scripted models.

mod adversaries;
mod audits;
mod autoscaling;
mod execution;
mod failures;
mod remeasurement;
mod simulation;
mod throttling;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::call::{Caller, Principal};
use crate::domain::{PerRole, Priority, Role};
use crate::onnx::{Backend, BackendError, Cancellation};
use crate::scheduler::*;

/// The behaviour of a run.
type RunHook = Arc<dyn Fn(&[f32], &Cancellation) -> Result<(), BackendError> + Send + Sync>;

/// A model that doubles each value. The test scripts everything else.
struct DoublingModel {
    batch: usize,
    on_run: RunHook,
    works: Arc<AtomicBool>,
    opens: Arc<AtomicBool>,
}

impl Backend for DoublingModel {
    fn input_len(&self) -> usize {
        1
    }
    fn output_len(&self) -> usize {
        1
    }
    fn max_batch_size(&self) -> usize {
        self.batch
    }
    fn pads_batches(&self) -> bool {
        false
    }
    fn run(
        &mut self,
        rows: usize,
        input: &[f32],
        output: &mut Vec<f32>,
        cancellation: &Cancellation,
    ) -> Result<(), BackendError> {
        assert_eq!(input.len(), rows);
        (self.on_run)(input, cancellation)?;
        output.clear();
        output.extend(input.iter().map(|value| 2.0 * value));
        Ok(())
    }
    fn probe(&mut self) -> Result<(), BackendError> {
        if self.works.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err(failed("the probe"))
        }
    }
    fn reopen(&self) -> Result<Self, BackendError> {
        if !self.opens.load(Ordering::SeqCst) {
            return Err(failed("opening"));
        }
        self.works.store(true, Ordering::SeqCst);
        Ok(double(self.batch, &self.on_run, &self.works, &self.opens))
    }
}

fn double(batch: usize, on_run: &RunHook, works: &Arc<AtomicBool>, opens: &Arc<AtomicBool>) -> DoublingModel {
    DoublingModel {
        batch,
        on_run: Arc::clone(on_run),
        works: Arc::clone(works),
        opens: Arc::clone(opens),
    }
}

fn failed(reason: &str) -> BackendError {
    BackendError::Failed {
        model: "double".to_owned(),
        reason: reason.to_owned(),
    }
}

/// The flags of a [`DoublingModel`]: whether its probe succeeds, and whether it can be reopened.
fn flags() -> (Arc<AtomicBool>, Arc<AtomicBool>) {
    (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)))
}

/// An observer that ignores all events.
fn no_observer() -> Arc<dyn ModelObserver> {
    Arc::new(())
}

fn start(backends: Vec<PerRole<DoublingModel>>, rows: usize) -> Scheduler {
    start_with_row_time(Duration::from_millis(1), backends, rows)
}

/// A scheduler with this estimate of the row time. Rows of less than 40 us wake no second executor.
fn start_with_row_time(row_time: Duration, backends: Vec<PerRole<DoublingModel>>, rows: usize) -> Scheduler {
    let settings = QueueSettings {
        rows,
        max_delay: Duration::ZERO,
        pin: None,
        row_time: PerRole::of(|_| row_time),
        cpu_quota: None,
    };
    Scheduler::start(backends, settings, &tokio::runtime::Handle::current(), &no_observer()).unwrap()
}

/// A scheduler whose robust model runs `on_run`.
fn scheduler(
    executors: usize,
    batch: usize,
    on_run: impl Fn(&[f32], &Cancellation) -> Result<(), BackendError> + Send + Sync + 'static,
) -> Scheduler {
    let (works, opens) = flags();
    let (on_run, nothing): (RunHook, RunHook) = (Arc::new(on_run), Arc::new(|_, _| Ok(())));
    let executor = |_| PerRole {
        standard: double(batch, &nothing, &works, &opens),
        robust: double(batch, &on_run, &works, &opens),
    };
    start((0..executors).map(executor).collect(), 100)
}

/// A scheduler whose models work while `works` is true. A reopened session sets it if `opens` is true.
fn fragile(executors: usize, works: &Arc<AtomicBool>, opens: &Arc<AtomicBool>) -> Scheduler {
    let flag = Arc::clone(works);
    let on_run: RunHook = Arc::new(move |_, _| {
        let works = flag.load(Ordering::SeqCst);
        works.then_some(()).ok_or_else(|| failed("broken"))
    });
    let executor = |_| PerRole::of(|_| double(1, &on_run, works, opens));
    start((0..executors).map(executor).collect(), 100)
}

/// A source whose row `i` is `first + i`.
struct CountingRows(u16);

impl RowSource for CountingRows {
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String> {
        out[0] = f32::from(self.0 + u16::try_from(row).unwrap());
        Ok(())
    }
}

/// The share of a caller that the operator has not named.
fn share() -> CallerShare {
    CallerShares::new(&[]).of(Caller {
        principal: Principal::Unknown,
        connection: 1,
    })
}

fn far_deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn rows(robust: usize) -> PerRole<usize> {
    PerRole { standard: 0, robust }
}

fn outstanding(robust: usize) -> Demand {
    Demand {
        outstanding: rows(robust),
        ..Demand::default()
    }
}

/// Submits rows of the robust model that count from `first`.
fn submit(scheduler: &Scheduler, first: u16, count: usize) -> JobHandle {
    scheduler
        .admit(&share(), Priority::Interactive, far_deadline(), &outstanding(count))
        .unwrap()
        .submit(Box::new(CountingRows(first)), rows(count))
}

/// A gate that holds a run until the test opens it.
struct Gate {
    entered: Receiver<Vec<f32>>,
    open: Sender<()>,
}

fn gate() -> (Gate, impl Fn(&[f32]) + Send + Sync + 'static) {
    let ((enter, entered), (open, opened)) = (channel(), channel());
    let (enter, opened) = (std::sync::Mutex::new(enter), std::sync::Mutex::new(opened));
    let pass = move |input: &[f32]| {
        // A dropped gate is open.
        let _ = enter.lock().unwrap().send(input.to_vec());
        let _ = opened.lock().unwrap().recv();
    };
    (Gate { entered, open }, pass)
}

const TEST_TIMEOUT: Duration = Duration::from_secs(30);

impl Gate {
    /// Waits for a run to reach the gate. Returns its rows.
    fn wait_for_run(&self) -> Vec<f32> {
        self.entered
            .recv_timeout(TEST_TIMEOUT)
            .expect("no run reached the gate")
    }
    fn open_once(&self) {
        self.open.send(()).unwrap();
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(TEST_TIMEOUT, future).await.expect("timed out")
}
