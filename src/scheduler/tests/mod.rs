//! The scheduler with its threads, on models that do what a test wants.

mod audited;
mod failing;
mod running;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::domain::{PerRole, Priority, Role};
use crate::onnx::{Backend, BackendError, Halt};
use crate::scheduler::*;

type During = Arc<dyn Fn(&[f32], &Halt) -> Result<(), BackendError> + Send + Sync>;

/// Doubles each value; what it does beside that is up to the test.
struct Double {
    batch: usize,
    during: During,
    works: Arc<AtomicBool>,
    opens: Arc<AtomicBool>,
}

impl Backend for Double {
    fn input_len(&self) -> usize {
        1
    }
    fn output_len(&self) -> usize {
        1
    }
    fn max_batch_size(&self) -> usize {
        self.batch
    }
    fn pads(&self) -> bool {
        false
    }
    fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>, halt: &Halt) -> Result<(), BackendError> {
        assert_eq!(input.len(), rows);
        (self.during)(input, halt)?;
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
        Ok(double(self.batch, &self.during, &self.works, &self.opens))
    }
}

fn double(batch: usize, during: &During, works: &Arc<AtomicBool>, opens: &Arc<AtomicBool>) -> Double {
    Double {
        batch,
        during: Arc::clone(during),
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

/// Flags of [`Double`]: whether its probe works, and whether it can be opened anew.
fn flags() -> (Arc<AtomicBool>, Arc<AtomicBool>) {
    (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)))
}

/// Observes nothing.
fn nobody() -> Arc<dyn ModelObserver> {
    Arc::new(())
}

fn start(backends: Vec<PerRole<Double>>, rows: usize) -> Scheduler {
    start_with_rows_of(Duration::from_millis(1), backends, rows)
}

/// Rows of less than some 40 us wake nobody else.
fn start_with_rows_of(row_time: Duration, backends: Vec<PerRole<Double>>, rows: usize) -> Scheduler {
    let settings = QueueSettings {
        rows,
        max_delay: Duration::ZERO,
        pin: None,
        row_time: PerRole::of(|_| row_time),
    };
    Scheduler::start(backends, settings, &tokio::runtime::Handle::current(), &nobody()).unwrap()
}

/// A scheduler whose robust model does `during`.
fn scheduler(
    executors: usize,
    batch: usize,
    during: impl Fn(&[f32], &Halt) -> Result<(), BackendError> + Send + Sync + 'static,
) -> Scheduler {
    let (works, opens) = flags();
    let (during, nothing): (During, During) = (Arc::new(during), Arc::new(|_, _| Ok(())));
    let executor = |_| PerRole {
        standard: double(batch, &nothing, &works, &opens),
        robust: double(batch, &during, &works, &opens),
    };
    start((0..executors).map(executor).collect(), 100)
}

/// A scheduler whose models work while `works` says so. Opening a session anew sets it, while `opens` allows it.
fn fragile(executors: usize, works: &Arc<AtomicBool>, opens: &Arc<AtomicBool>) -> Scheduler {
    let inside = Arc::clone(works);
    let during: During = Arc::new(move |_, _| {
        let works = inside.load(Ordering::SeqCst);
        works.then_some(()).ok_or_else(|| failed("broken"))
    });
    let executor = |_| PerRole::of(|_| double(1, &during, works, opens));
    start((0..executors).map(executor).collect(), 100)
}

/// Row `i` is `first + i`.
struct Counting(u16);

impl RowSource for Counting {
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String> {
        out[0] = f32::from(self.0 + u16::try_from(row).unwrap());
        Ok(())
    }
}

fn soon() -> Instant {
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

/// Rows of the robust model, from `first` on.
fn submit(scheduler: &Scheduler, first: u16, count: usize) -> Pending {
    scheduler
        .admit(Priority::Interactive, soon(), &outstanding(count))
        .unwrap()
        .submit(Box::new(Counting(first)), rows(count))
}

/// Something that a run does not go past before the test says so.
struct Gate {
    entered: Receiver<Vec<f32>>,
    open: Sender<()>,
}

fn gate() -> (Gate, impl Fn(&[f32]) + Send + Sync + 'static) {
    let ((enter, entered), (open, opened)) = (channel(), channel());
    let (enter, opened) = (std::sync::Mutex::new(enter), std::sync::Mutex::new(opened));
    let pass = move |input: &[f32]| {
        // A gate that is gone is open.
        let _ = enter.lock().unwrap().send(input.to_vec());
        let _ = opened.lock().unwrap().recv();
    };
    (Gate { entered, open }, pass)
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Gate {
    /// Waits for a run to come to the gate; its rows.
    fn comes(&self) -> Vec<f32> {
        self.entered.recv_timeout(PATIENCE).expect("no run comes")
    }
    fn lets_one_pass(&self) {
        self.open.send(()).unwrap();
    }
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long")
}
