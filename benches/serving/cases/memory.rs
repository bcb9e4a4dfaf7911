//! (g) Memory: its growth over minutes at saturation, and the memory of a queued request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};

use crate::arrival_times::bursts;
use crate::async_runtime::block_on_this_thread;
use crate::closed_loop::CallerPool;
use crate::context::BenchContext;
use crate::open_loop::run_open_loop;
use crate::process_usage::resident_bytes;
use crate::provenance::Provenance;
use crate::raw_client::{EncodedCall, connect};
use crate::report::{CaseReport, Measurement, Unit};
use crate::server_process::ServerProcess;
use crate::statistics::slope;
use crate::testbed::ModelSet;

const CALLERS: usize = 16;
const QUEUED_REQUESTS: usize = 2000;
const QUEUE_ROUNDS: usize = 3;
/// The queue holds all requests, and none of them exceeds its time.
const LONG_QUEUE_SETTINGS: &[(&str, &str)] = &[
    ("scheduler.queue_rows", "65536"),
    ("server.max_request_time", "\"120s\""),
];
/// Requests before the measurement: they allocate what the server keeps for good.
const WARM_UP_REQUESTS: usize = 100;
const SAMPLE_INTERVAL: Duration = Duration::from_millis(2);

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let plan = &context.plan;
    let call = EncodedCall::new("Predict", &context.testbed.predict_requests(ModelSet::Unproven))?;
    let samples = run_soak(context, &call)?;
    let warm_samples: Vec<(f64, f64)> = samples
        .iter()
        .copied()
        .filter(|(at, _)| *at >= plan.soak_warm_up.as_secs_f64())
        .collect();
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let first = samples.first().map_or(0.0, |(_, bytes)| *bytes);
    let last = samples.last().map_or(0.0, |(_, bytes)| *bytes);
    let max = samples.iter().map(|(_, bytes)| *bytes).fold(0.0, f64::max);

    let mut bytes_per_request = Vec::new();
    for round in 1..=QUEUE_ROUNDS {
        context.progress.set_step(format!(
            "{QUEUED_REQUESTS} queued requests, round {round} of {QUEUE_ROUNDS}"
        ));
        // Each round starts a server: memory that an earlier round freed would hide the need of this one.
        let server = context.testbed.start_server(ModelSet::Unproven, LONG_QUEUE_SETTINGS)?;
        bytes_per_request.push(measure_queued_request(&server.process, &call)?);
    }
    let method = format!(
        "{CALLERS} callers in a closed loop for {} s; resident memory is sampled every {} s. The slope is that of the least-squares line \
         after the first {} s. Then a new server with a queue that is large enough gets {QUEUED_REQUESTS} requests at once. The figure \
         is the largest growth of resident memory, divided by the largest number of waiting requests. It is slightly too small, \
         because some requests are answered while others are still being sent.",
        plan.soak.as_secs(),
        plan.soak_interval.as_secs(),
        plan.soak_warm_up.as_secs()
    );
    Ok(CaseReport {
        measurements: vec![
            Measurement::new(
                "memory growth at saturation",
                Unit::MibPerHour,
                vec![mib(slope(&warm_samples)) * 3600.0],
            )
            .computed_from(format!(
                "{:.1} MiB at the start, {:.1} at the end, {:.1} at most",
                mib(first),
                mib(last),
                mib(max)
            )),
            Measurement::new("memory of a queued request", Unit::Bytes, bytes_per_request).computed_from(format!(
                "includes the message of {} bytes, and 12288 bytes once its 3072 values are float32",
                call.message_bytes()
            )),
        ],
        notes: vec!["The slope of a quick run is meaningless: it covers only seconds.".to_owned()],
        ..CaseReport::new(provenance, "Memory", method)
    })
}

/// Saturates the server and samples its memory: seconds and resident bytes.
fn run_soak(context: &BenchContext, call: &EncodedCall) -> anyhow::Result<Vec<(f64, f64)>> {
    let plan = &context.plan;
    let server = context.testbed.start_server(ModelSet::Unproven, &[])?;
    let pid = server.process.pid();
    block_on_this_thread(async {
        let pool = CallerPool::new(connect(server.process.address, CALLERS).await?)?;
        let sampling = async {
            let start = Instant::now();
            let mut samples = Vec::new();
            while start.elapsed() < plan.soak {
                tokio::time::sleep(plan.soak_interval).await;
                let bytes = resident_bytes(pid)? as f64;
                samples.push((start.elapsed().as_secs_f64(), bytes));
                context.progress.set_step(format!(
                    "soak: {} of {} s, {:.1} MiB",
                    start.elapsed().as_secs(),
                    plan.soak.as_secs(),
                    bytes / f64::from(1 << 20)
                ));
            }
            pool.stopping.set(true);
            anyhow::Ok(samples)
        };
        let (samples, ()) = tokio::join!(sampling, pool.run(call, CALLERS));
        ensure!(
            pool.failures.borrow().is_empty(),
            "requests failed: {:?}",
            pool.failures.borrow()
        );
        samples
    })
}

/// The largest growth of memory, divided by the largest number of waiting requests.
fn measure_queued_request(server: &ServerProcess, call: &EncodedCall) -> anyhow::Result<f64> {
    let (waiting, stopping) = (AtomicUsize::new(0), AtomicBool::new(false));
    for _ in 0..WARM_UP_REQUESTS {
        server.call_raw(call)?;
    }
    let before = resident_bytes(server.pid())?;
    thread::scope(|scope| {
        let sampler = scope.spawn(|| -> anyhow::Result<(u64, usize)> {
            // The two maxima are independent: the allocator keeps memory after the requests are gone.
            let (mut max_bytes, mut max_waiting) = (before, 0);
            while !stopping.load(Ordering::Relaxed) {
                max_bytes = max_bytes.max(resident_bytes(server.pid())?);
                max_waiting = max_waiting.max(waiting.load(Ordering::Relaxed));
                thread::sleep(SAMPLE_INTERVAL);
            }
            Ok((max_bytes, max_waiting))
        });
        let outcomes = block_on_this_thread(async {
            let channels = connect(server.address, CALLERS).await?;
            let schedule = bursts(1e6, QUEUED_REQUESTS, Duration::from_millis(1));
            run_open_loop(schedule, call, &channels, None, &waiting).await
        });
        stopping.store(true, Ordering::Relaxed);
        let (max_bytes, max_waiting) = sampler.join().map_err(|_| anyhow!("the sampler panicked"))??;
        ensure!(
            outcomes?.iter().all(|outcome| outcome.answer.is_some()),
            "a queued request failed"
        );
        Ok(max_bytes.saturating_sub(before) as f64 / max_waiting.max(1) as f64)
    })
}
