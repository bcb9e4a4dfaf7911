//! (g) Memory: flat over minutes at saturation, and what a queued request holds.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};

use super::Bench;
use crate::arrival_times::bursts;
use crate::closed_loop::{Crowd, on_this_thread};
use crate::interference::Disturbance;
use crate::open_loop::follow;
use crate::process_usage::memory_of;
use crate::provenance::Origin;
use crate::raw_client::{Call, connect};
use crate::report::{Finding, Section, Unit};
use crate::statistics::slope;
use crate::testbed::{Models, Served};

const CALLERS: usize = 16;
const QUEUED: usize = 2000;
const QUEUE_ROUNDS: usize = 3;
/// The queue holds them all, and none of them gives up.
const DEEP: &[(&str, &str)] = &[
    ("scheduler.queue_rows", "65536"),
    ("server.max_request_time", "\"120s\""),
];

pub fn run(bench: &Bench, origin: &Origin) -> anyhow::Result<Section> {
    let call = Call::new("Predict", &bench.world.predictions(Models::Pairs))?;
    let samples = soak(bench, &call)?;
    let late: Vec<(f64, f64)> = samples
        .iter()
        .copied()
        .filter(|(at, _)| *at >= bench.plan.soak_start.as_secs_f64())
        .collect();
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let first = samples.first().map_or(0.0, |(_, bytes)| *bytes);
    let last = samples.last().map_or(0.0, |(_, bytes)| *bytes);
    let most = samples.iter().map(|(_, bytes)| *bytes).fold(0.0, f64::max);

    let mut each = Vec::new();
    for round in 1..=QUEUE_ROUNDS {
        bench
            .progress
            .begin(format!("{QUEUED} queued requests, round {round} of {QUEUE_ROUNDS}"));
        // A fresh server each: memory that an earlier round has left would hide what this one needs.
        let served = bench.world.serve(Models::Pairs, DEEP)?;
        each.push(queued(&served, &call)?);
    }
    let payload = call.payload();
    Ok(Section {
        origin: origin.clone(),
        disturbance: Disturbance::default(),
        title: "Memory".to_owned(),
        method: format!(
            "{CALLERS} callers in a closed loop for {} s, resident memory every {} s; the slope is the least-squares line after the first {} s. Then, \
             on a fresh server with a queue that holds them, {QUEUED} requests at once: how far resident memory grew, for each request that waited when \
             most did (those that are answered while others are still sent make it look a little smaller than it is).",
            bench.plan.soak.as_secs(),
            bench.plan.soak_step.as_secs(),
            bench.plan.soak_start.as_secs()
        ),
        findings: vec![
            Finding::new(
                "growth under saturation",
                Unit::MibPerHour,
                vec![mib(slope(&late)) * 3600.0],
            )
            .from(format!(
                "{:.1} MiB at first, {:.1} at last, {:.1} at most",
                mib(first),
                mib(last),
                mib(most)
            )),
            Finding::new("memory of a queued request", Unit::Bytes, each).from(format!(
                "of which its own payload is {payload} bytes, and 12288 once its 3072 values are float32"
            )),
        ],
        tables: Vec::new(),
        notes: vec!["The slope of a quick run's seconds says nothing.".to_owned()],
    })
}

/// Seconds and resident bytes.
fn soak(bench: &Bench, call: &Call) -> anyhow::Result<Vec<(f64, f64)>> {
    let plan = &bench.plan;
    let served = bench.world.serve(Models::Pairs, &[])?;
    let pid = served.server.pid();
    on_this_thread(async {
        let crowd = Crowd::new(connect(served.server.address, CALLERS).await?)?;
        let watch = async {
            let start = Instant::now();
            let mut samples = Vec::new();
            while start.elapsed() < plan.soak {
                tokio::time::sleep(plan.soak_step).await;
                let bytes = memory_of(pid)? as f64;
                samples.push((start.elapsed().as_secs_f64(), bytes));
                bench.progress.begin(format!(
                    "soak: {} of {} s, {:.1} MiB",
                    start.elapsed().as_secs(),
                    plan.soak.as_secs(),
                    bytes / f64::from(1 << 20)
                ));
            }
            crowd.over.set(true);
            anyhow::Ok(samples)
        };
        let (samples, ()) = tokio::join!(watch, crowd.run(call, CALLERS));
        ensure!(
            crowd.failures.borrow().is_empty(),
            "requests failed: {:?}",
            crowd.failures.borrow()
        );
        samples
    })
}

/// Bytes for each request that waited, when most did.
fn queued(served: &Served, call: &Call) -> anyhow::Result<f64> {
    let server = &served.server;
    let (waiting, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    // What the first requests allocate for good is not what a queued one holds.
    for _ in 0..100 {
        server.ask_bytes(call)?;
    }
    let before = memory_of(server.pid())?;
    thread::scope(|scope| {
        let sampler = scope.spawn(|| -> anyhow::Result<(u64, usize)> {
            let mut most = (before, 0);
            while !over.load(Ordering::Relaxed) {
                // Each at its own highest: memory stays with the allocator after the requests are gone.
                most.0 = most.0.max(memory_of(server.pid())?);
                most.1 = most.1.max(waiting.load(Ordering::Relaxed));
                thread::sleep(Duration::from_millis(2));
            }
            Ok(most)
        });
        let sent = on_this_thread(async {
            let channels = connect(server.address, CALLERS).await?;
            let schedule = bursts(1e6, QUEUED, Duration::from_millis(1));
            follow(schedule, call, &channels, None, &waiting).await
        });
        over.store(true, Ordering::Relaxed);
        let (most, held) = sampler.join().map_err(|_| anyhow!("the sampler panicked"))??;
        let outcomes = sent?;
        ensure!(
            outcomes.iter().all(|outcome| outcome.answer.is_some()),
            "a queued request failed"
        );
        Ok(most.saturating_sub(before) as f64 / held.max(1) as f64)
    })
}
