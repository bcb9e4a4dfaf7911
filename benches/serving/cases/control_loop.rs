//! (n) A control loop of the Python and of the Rust client at 50 Hz and at 1 kHz, beside an echo.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use certimix_client::{Client, Tensor};
use serde::Deserialize;

use super::format::ms;
use super::round_statistics::median_of;
use crate::async_runtime::block_on_this_thread;
use crate::context::BenchContext;
use crate::interference::{register_process, unregister_process};
use crate::latency::{LatencyHistogram, latency_histogram, nanoseconds, quantile_ms};
use crate::provenance::Provenance;
use crate::report::{CaseReport, Measurement, ReportTable, Unit};
use crate::testbed::ModelSet;

/// Ticks a second.
const RATES: [u32; 2] = [50, 1000];
const SIDES: [&str; 3] = ["echo, TCP", "server, TCP", "server, Unix socket"];
/// The start of a loop, which is not counted.
const WARM_UP: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_secs(5);

/// Runs one loop against an address.
type RunLoop = fn(&Path, &str, u32, Duration) -> anyhow::Result<LoopRound>;

const CLIENTS: [(&str, RunLoop); 2] = [("Python", run_python_loop), ("Rust", run_rust_loop)];

/// What `loop_client.py` prints.
#[derive(Deserialize)]
struct LoopOutput {
    latencies_ns: Vec<u64>,
    missed: u64,
}

struct LoopRound {
    latencies: LatencyHistogram,
    missed: u64,
}

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let plan = &context.plan;
    let folder = tempfile::TempDir::new()?;
    let (server, socket) = context
        .testbed
        .start_server_with_socket(ModelSet::Tiny, folder.path())?;
    let (echo, _) = context
        .testbed
        .start_echo(&server.process, ModelSet::Tiny, folder.path())?;
    let addresses = [
        echo.address.to_string(),
        server.process.address.to_string(),
        format!("unix://{}", socket.display()),
    ];

    let mut table = ReportTable::new(&[
        "client",
        "ticks a second",
        "",
        "p50",
        "p99",
        "p99.9",
        "ticks",
        "missed ticks",
    ]);
    let mut measurements = Vec::new();
    let cases = CLIENTS.iter().flat_map(|client| RATES.map(|rate| (client, rate)));
    for (&(client, run_loop), rate) in cases {
        let mut results: [Vec<LoopRound>; 3] = Default::default();
        for round in 1..=plan.vote_rounds {
            for ((side, address), rounds) in SIDES.iter().zip(&addresses).zip(&mut results) {
                let step = format!("{client}, {rate} Hz, {side}, round {round} of {}", plan.vote_rounds);
                context.progress.set_step(&step);
                let measured = run_loop(&context.testbed.root, address, rate, plan.long_window)?;
                context
                    .progress
                    .print(format!("{step}: p99 {}", ms(quantile_ms(&measured.latencies, 0.99))));
                rounds.push(measured);
            }
        }
        for (side, rounds) in SIDES.iter().zip(&results) {
            let mut all = latency_histogram()?;
            for round in rounds {
                all.add(&round.latencies)?;
            }
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| ms(quantile_ms(&all, q)));
            let missed: u64 = rounds.iter().map(|round| round.missed).sum();
            table.add_row([
                client.to_owned(),
                rate.to_string(),
                (*side).to_owned(),
                p50,
                p99,
                p999,
                (all.len() + missed).to_string(),
                missed.to_string(),
            ]);
        }
        let p50 = |round: &LoopRound| quantile_ms(&round.latencies, 0.5);
        let [echo_rounds, served @ ..] = &results;
        for (side, rounds) in SIDES.iter().skip(1).zip(served) {
            let differences = rounds
                .iter()
                .zip(echo_rounds)
                .map(|(round, echo)| p50(round) - p50(echo));
            let text = format!(
                "{} minus {}",
                ms(median_of(rounds, p50)),
                ms(median_of(echo_rounds, p50))
            );
            measurements.push(
                Measurement::new(
                    format!("{client}, p50 of {side}, minus the echo's, {rate} Hz"),
                    Unit::Milliseconds,
                    differences.collect(),
                )
                .computed_from(text),
            );
        }
    }
    let method = "One loop of a client with a PredictStream, and the tiny networks of (c). A latency is the time from the \
                  start of a tick to its answer, so it contains the time at which the system wakes the loop. A tick is missed if the \
                  answer of an earlier one comes after its start. The echo is that of (c), and returns a response of the same bytes.";
    Ok(CaseReport {
        measurements,
        tables: vec![table],
        ..CaseReport::new(provenance, "Control loops", method.to_owned())
    })
}

/// Runs the loop of the Python client in its own process.
fn run_python_loop(root: &Path, address: &str, rate: u32, window: Duration) -> anyhow::Result<LoopRound> {
    let packages = root.join(".runtime/python");
    ensure!(
        packages.join("installed").is_file(),
        "the client's packages are not in {}: run `make python-packages`",
        packages.display()
    );
    let child = Command::new("python3")
        .args(["-s", "-B"])
        .arg(root.join("benches/serving/loop_client.py"))
        .args([address, &rate.to_string(), &window.as_secs_f64().to_string()])
        .env(
            "PYTHONPATH",
            std::env::join_paths([root.join("clients/python/src"), packages])?,
        )
        .env("no_proxy", "127.0.0.1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("python3 cannot be started")?;
    let pid = child.id();
    register_process(pid);
    let output = child.wait_with_output();
    unregister_process(pid);
    let output = output?;
    ensure!(output.status.success(), "loop_client.py: {}", output.status);
    let found: LoopOutput = serde_json::from_slice(&output.stdout).context("the output of loop_client.py")?;
    let mut latencies = latency_histogram()?;
    for latency in found.latencies_ns {
        latencies.saturating_record(latency);
    }
    Ok(LoopRound {
        latencies,
        missed: found.missed,
    })
}

/// Runs the loop of the Rust client in this process: the loop of `loop_client.py`.
fn run_rust_loop(_: &Path, address: &str, rate: u32, window: Duration) -> anyhow::Result<LoopRound> {
    block_on_this_thread(async {
        let client = Client::connect(address).await?.with_deadline(DEADLINE);
        let stream = client.predict_stream();
        let state = Tensor::float32(&[8], &[0.0; 8])?;
        stream.predict(&state).await?;
        let (start, period) = (Instant::now(), Duration::from_secs(1) / rate);
        let (mut latencies, mut missed, mut tick) = (latency_histogram()?, 0, 0);
        loop {
            let due = start + period * tick;
            if due >= start + WARM_UP + window {
                return Ok(LoopRound { latencies, missed });
            }
            tokio::time::sleep_until(due.into()).await;
            stream.predict(&state).await?;
            let answered = Instant::now();
            let passed = (answered - start).as_nanos() / period.as_nanos();
            let next_tick = u32::try_from(passed + 1)?.max(tick + 1);
            if due >= start + WARM_UP {
                latencies.saturating_record(nanoseconds(answered - due));
                missed += u64::from(next_tick - tick - 1);
            }
            tick = next_tick;
        }
    })
}
