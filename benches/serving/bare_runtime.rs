//! ONNX Runtime with nothing around it: loops over `ort` on the files that the server serves.
//!
//! The sessions have the settings of the server (src/onnx/model.rs). The loops use as many threads.

use std::hint::black_box;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use crate::latency::{LatencyHistogram, latency_histogram, ms_per, nanoseconds};
use crate::process_usage::thread_cpu_time;

/// Runs before a window, to fill caches.
const WARM_UP_RUNS: usize = 8;

/// One session, and the rows that it runs in turn.
pub struct BareModel {
    session: Session,
    shape: Vec<usize>,
    rows: Vec<f32>,
    next: usize,
}

/// The sessions of one thread: one of each model.
pub struct BareModelPair {
    /// `g` in the report.
    pub standard: BareModel,
    /// `h` in the report.
    pub robust: BareModel,
}

/// The result of a bare loop in one window.
pub struct BareLoopResult {
    pub runs: u64,
    /// Runs a second, summed over the threads.
    pub rate: f64,
    /// Processor time, summed over the threads.
    pub cpu: Duration,
    pub latencies: LatencyHistogram,
}

impl BareLoopResult {
    /// Processor time of a run in milliseconds.
    pub fn cpu_ms(&self) -> f64 {
        ms_per(self.cpu, self.runs)
    }
}

pub fn load_runtime(library: &Path) -> anyhow::Result<Environment> {
    let builder = ort::init_from(library).context("run `make runtime` first")?;
    Ok(builder.with_name("bench").with_telemetry(false).build()?)
}

impl BareModel {
    /// `shape` is the shape of one row. `rows` must hold at least as many rows as the largest batch.
    pub fn open(environment: &Environment, file: &Path, shape: &[usize], rows: &[Vec<f32>]) -> anyhow::Result<Self> {
        let open_session = || -> ort::Result<Session> {
            Session::builder(environment)?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_intra_threads(1)?
                .with_inter_threads(1)?
                .with_intra_op_spinning(false)?
                .with_inter_op_spinning(false)?
                .with_deterministic_compute(true)?
                .commit_from_file(file)
        };
        Ok(Self {
            session: open_session()?,
            shape: shape.to_vec(),
            rows: rows.concat(),
            next: 0,
        })
    }

    /// Runs the next `batch` rows.
    pub fn run(&mut self, batch: usize) -> anyhow::Result<()> {
        let row_length: usize = self.shape.iter().product();
        let available = self.rows.len() / row_length;
        if self.next + batch > available {
            self.next = 0;
        }
        let start = self.next * row_length;
        let values = self
            .rows
            .get(start..start + batch * row_length)
            .context("too few rows")?;
        self.next += batch;
        let shape: Vec<usize> = std::iter::once(batch).chain(self.shape.iter().copied()).collect();
        let input = TensorRef::from_array_view((shape, values))?;
        let outputs = self.session.run(ort::inputs![input])?;
        let (_, logits) = outputs[0].try_extract_tensor::<f32>()?;
        black_box(logits.first());
        Ok(())
    }
}

/// The upper limit of throughput. Each thread runs the standard model, then the robust one, on
/// `batch` inputs without a pause. Counts pairs.
pub fn saturate_pairs(pairs: &mut [BareModelPair], batch: usize, window: Duration) -> anyhow::Result<BareLoopResult> {
    loop_on_threads(pairs, batch, window, |pair| {
        pair.standard.run(batch)?;
        pair.robust.run(batch)
    })
}

/// The same with the robust model alone. Counts rows.
pub fn saturate_robust(pairs: &mut [BareModelPair], batch: usize, window: Duration) -> anyhow::Result<BareLoopResult> {
    loop_on_threads(pairs, batch, window, |pair| pair.robust.run(batch))
}

fn loop_on_threads(
    pairs: &mut [BareModelPair],
    batch: usize,
    window: Duration,
    run: impl Fn(&mut BareModelPair) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<BareLoopResult> {
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = pairs
            .iter_mut()
            .map(|pair| scope.spawn(move || loop_for(window, batch, || run(pair))))
            .collect();
        let mut total = BareLoopResult {
            runs: 0,
            rate: 0.0,
            cpu: Duration::ZERO,
            latencies: latency_histogram()?,
        };
        for thread in threads {
            let result = thread.join().map_err(|_| anyhow!("a bare loop panicked"))??;
            total.runs += result.runs;
            total.rate += result.rate;
            total.cpu += result.cpu;
            total.latencies.add(result.latencies)?;
        }
        Ok(total)
    })
}

fn loop_for(
    window: Duration,
    batch: usize,
    mut run: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<BareLoopResult> {
    for _ in 0..WARM_UP_RUNS {
        run()?;
    }
    let mut latencies = latency_histogram()?;
    let (start, cpu) = (Instant::now(), thread_cpu_time()?);
    let mut last = start;
    while last - start < window {
        run()?;
        let now = Instant::now();
        latencies.saturating_record(nanoseconds(now - last));
        last = now;
    }
    let runs = latencies.len() * batch as u64;
    Ok(BareLoopResult {
        runs,
        rate: runs as f64 / (last - start).as_secs_f64(),
        cpu: thread_cpu_time()?.saturating_sub(cpu),
        latencies,
    })
}

/// Runs one pair at a time, both models at once: this thread runs the robust model and another
/// thread the standard one, as a hand-written program would.
pub fn run_in_parallel(pair: &mut BareModelPair, window: Duration) -> anyhow::Result<BareLoopResult> {
    let BareModelPair { standard, robust } = pair;
    thread::scope(|scope| {
        let (run_sender, run_receiver) = sync_channel::<()>(1);
        let (done_sender, done_receiver) = sync_channel::<anyhow::Result<()>>(1);
        let helper = scope.spawn(move || -> anyhow::Result<Duration> {
            let cpu = thread_cpu_time()?;
            while run_receiver.recv().is_ok() {
                done_sender.send(standard.run(1))?;
            }
            Ok(thread_cpu_time()?.saturating_sub(cpu))
        });
        let run_both = || {
            run_sender.send(())?;
            robust.run(1)?;
            done_receiver.recv()?
        };
        let result = loop_for(window, 1, run_both);
        drop(run_sender);
        let helper_cpu = helper
            .join()
            .map_err(|_| anyhow!("the thread of the standard model panicked"))??;
        let mut result = result?;
        result.cpu += helper_cpu;
        Ok(result)
    })
}
