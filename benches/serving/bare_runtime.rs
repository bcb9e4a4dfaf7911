//! The runtime underneath, with nothing around it: loops over `ort` on the files that the server serves, with the same
//! session settings (src/onnx/model.rs) and as many threads.

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

use crate::closed_loop::{Latencies, latencies, nanos, per};
use crate::process_usage::cpu_of_this_thread;

/// Runs before a window, to fill caches.
const WARM_UP_RUNS: usize = 8;

/// One session and the rows that it is fed in turn.
pub struct Net {
    session: Session,
    shape: Vec<usize>,
    rows: Vec<f32>,
    next: usize,
}

/// One thread's sessions: both models.
pub struct Pair {
    pub g: Net,
    pub h: Net,
}

/// What a bare loop did in a window.
pub struct Bare {
    pub runs: u64,
    /// Runs a second, summed over the threads.
    pub rate: f64,
    /// Of its threads.
    pub cpu: Duration,
    pub latencies: Latencies,
}

impl Bare {
    pub fn cpu_ms(&self) -> f64 {
        per(self.cpu, self.runs)
    }
}

pub fn load_runtime(library: &Path) -> anyhow::Result<Environment> {
    let builder = ort::init_from(library).context("run `make runtime` first")?;
    Ok(builder.with_name("bench").with_telemetry(false).build()?)
}

impl Net {
    /// `shape` is that of one row; `rows` are at least as many as the largest batch.
    pub fn open(environment: &Environment, file: &Path, shape: &[usize], rows: &[Vec<f32>]) -> anyhow::Result<Self> {
        let built = || -> ort::Result<Session> {
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
            session: built()?,
            shape: shape.to_vec(),
            rows: rows.concat(),
            next: 0,
        })
    }

    /// Runs the next `batch` rows.
    pub fn run(&mut self, batch: usize) -> anyhow::Result<()> {
        let length: usize = self.shape.iter().product();
        let available = self.rows.len() / length;
        if self.next + batch > available {
            self.next = 0;
        }
        let from = self.next * length;
        let values = self.rows.get(from..from + batch * length).context("too few rows")?;
        self.next += batch;
        let shape: Vec<usize> = std::iter::once(batch).chain(self.shape.iter().copied()).collect();
        let input = TensorRef::from_array_view((shape, values))?;
        let outputs = self.session.run(ort::inputs![input])?;
        let (_, logits) = outputs[0].try_extract_tensor::<f32>()?;
        black_box(logits.first());
        Ok(())
    }
}

/// The ceiling: each thread runs g, then h, on `batch` inputs, as fast as it can. Counts pairs.
pub fn saturate(pairs: &mut [Pair], batch: usize, window: Duration) -> anyhow::Result<Bare> {
    on_threads(pairs, batch, window, |pair| {
        pair.g.run(batch)?;
        pair.h.run(batch)
    })
}

/// The same with h alone. Counts rows.
pub fn saturate_h(pairs: &mut [Pair], batch: usize, window: Duration) -> anyhow::Result<Bare> {
    on_threads(pairs, batch, window, |pair| pair.h.run(batch))
}

fn on_threads(
    pairs: &mut [Pair],
    batch: usize,
    window: Duration,
    run: impl Fn(&mut Pair) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<Bare> {
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = pairs
            .iter_mut()
            .map(|pair| scope.spawn(move || looped(window, batch, || run(pair))))
            .collect();
        let mut all = Bare {
            runs: 0,
            rate: 0.0,
            cpu: Duration::ZERO,
            latencies: latencies()?,
        };
        for thread in threads {
            let one = thread.join().map_err(|_| anyhow!("a bare loop panicked"))??;
            all.runs += one.runs;
            all.rate += one.rate;
            all.cpu += one.cpu;
            all.latencies.add(one.latencies)?;
        }
        Ok(all)
    })
}

fn looped(window: Duration, batch: usize, mut run: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Bare> {
    for _ in 0..WARM_UP_RUNS {
        run()?;
    }
    let mut latencies = latencies()?;
    let (start, cpu) = (Instant::now(), cpu_of_this_thread()?);
    let mut last = start;
    while last - start < window {
        run()?;
        let now = Instant::now();
        latencies.saturating_record(nanos(now - last));
        last = now;
    }
    let runs = latencies.len() * batch as u64;
    Ok(Bare {
        runs,
        rate: runs as f64 / (last - start).as_secs_f64(),
        cpu: cpu_of_this_thread()?.saturating_sub(cpu),
        latencies,
    })
}

/// One pair at a time, g and h at once: the caller runs h and another thread g, as a program would that is written by hand.
pub fn together(pair: &mut Pair, window: Duration) -> anyhow::Result<Bare> {
    let Pair { g, h } = pair;
    thread::scope(|scope| {
        let (ask, asked) = sync_channel::<()>(1);
        let (tell, told) = sync_channel::<anyhow::Result<()>>(1);
        let other = scope.spawn(move || -> anyhow::Result<Duration> {
            let cpu = cpu_of_this_thread()?;
            while asked.recv().is_ok() {
                tell.send(g.run(1))?;
            }
            Ok(cpu_of_this_thread()?.saturating_sub(cpu))
        });
        let both = || {
            ask.send(())?;
            h.run(1)?;
            told.recv()?
        };
        let looped = looped(window, 1, both);
        drop(ask);
        let others = other.join().map_err(|_| anyhow!("the thread of g panicked"))??;
        let mut looped = looped?;
        looped.cpu += others;
        Ok(looped)
    })
}
