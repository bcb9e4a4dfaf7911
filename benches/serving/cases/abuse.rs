//! (l) An honest caller beside each attack, and without it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use prost::Message as _;
use tonic::Code;
use tonic::transport::Channel;

use super::format::{ms, per_second};
use crate::arrival_times::poisson;
use crate::async_runtime::block_on_this_thread;
use crate::attacks::{Attack, AttackMessages, RunningAttack, Target, wire_attacks, work_attacks};
use crate::closed_loop::run_closed_loop;
use crate::context::BenchContext;
use crate::http_get::http_get;
use crate::open_loop::{RequestOutcome, run_open_loop};
use crate::provenance::Provenance;
use crate::raw_client::{EncodedCall, connect};
use crate::report::{CaseReport, Measurement, ReportTable, Unit};
use crate::statistics::quantile;
use crate::testbed::{ModelSet, VOTE_SETTINGS};

/// An attack comes from another address than the honest caller.
const ATTACK_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
/// The time before each window beside an attack.
const ATTACK_WARM_UP: Duration = Duration::from_millis(500);
/// The deadline of an honest request.
const DEADLINE: Duration = Duration::from_secs(1);
const PROBE_INTERVAL: Duration = Duration::from_millis(100);
/// A probe that takes longer counts as this long.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
const MAX_PROBE_MS: f64 = 1000.0;
const MAX_P99_MS: f64 = 20.0;
const MIN_GOODPUT: f64 = 0.8;
/// The default of `server.max_inputs`.
const LARGE_INPUTS: usize = 64;
/// The default of `certificate.max_votes`.
const HUGE_BUDGET: u64 = 100_000;

/// The honest requests of a second, relative to what the server answers at saturation.
const FEASIBLE_SHARE: f64 = 0.2;

/// A kind of attack, and the load beside it.
struct Load {
    models: ModelSet,
    settings: &'static [(&'static str, &'static str)],
    /// Callers that saturate the server.
    saturating_callers: usize,
    attacks: Vec<Arc<dyn Attack>>,
    /// Whether the p99 has a target. A Predict with votes takes longer than it by itself.
    p99_target: bool,
}

/// The honest caller in one window.
struct Window {
    /// Of all requests, in milliseconds.
    latencies: Vec<f64>,
    answered_share: f64,
    slowest_probe_ms: f64,
}

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let mut measurements = Vec::new();
    let mut table = ReportTable::new(&[
        "attack",
        "p50 alone",
        "p50 beside",
        "p99 alone",
        "p99 beside",
        "answered alone",
        "answered beside",
        "slowest probe",
    ]);
    for load in loads(context)? {
        let rate = feasible_rate(context, &load)?;
        for attack in &load.attacks {
            let name = attack.name();
            context
                .progress
                .set_step(format!("{name}: alone, then beside the attack"));
            let [alone, beside] = measure(context, &load, rate, attack)?;
            let q = |window: &Window, q| quantile(&window.latencies, q);
            if load.p99_target {
                measurements.push(
                    Measurement::new(format!("p99 beside {name}"), Unit::Milliseconds, vec![q(&beside, 0.99)])
                        .at_most(MAX_P99_MS)
                        .computed_from(format!("{} alone", ms(q(&alone, 0.99)))),
                );
            }
            let share = beside.answered_share / alone.answered_share.max(f64::MIN_POSITIVE);
            measurements.push(
                Measurement::new(
                    format!("answers in time beside {name}, relative to alone"),
                    Unit::Ratio,
                    vec![share],
                )
                .at_least(MIN_GOODPUT),
            );
            measurements.push(
                Measurement::new(
                    format!("slowest probe beside {name}"),
                    Unit::Milliseconds,
                    vec![beside.slowest_probe_ms],
                )
                .at_most(MAX_PROBE_MS),
            );
            let percent = |share: f64| format!("{:.1} %", 100.0 * share);
            table.add_row([
                name.to_owned(),
                ms(q(&alone, 0.5)),
                ms(q(&beside, 0.5)),
                ms(q(&alone, 0.99)),
                ms(q(&beside, 0.99)),
                percent(alone.answered_share),
                percent(beside.answered_share),
                ms(beside.slowest_probe_ms),
            ]);
        }
    }
    let method = format!(
        "A new server for each attack. One honest caller sends Predicts of one image as a Poisson process, at a fifth of the rate that \
         saturates the server, each with a deadline of {} s: {} s alone, then {} s beside the attack. Latency counts from the \
         scheduled time; a request without an answer in time counts as its deadline. The attack comes from another address and runs at a low priority, so that it takes \
         only the processor time that is free. Huge vote budgets and impossible deadlines meet the smoothed pair, whose Predict takes \
         tens of milliseconds by itself; all others meet the pair without votes. Meanwhile `/livez` and `/readyz` are probed every {} ms.",
        DEADLINE.as_secs(),
        context.plan.long_window.as_secs(),
        context.plan.long_window.as_secs(),
        PROBE_INTERVAL.as_millis()
    );
    Ok(CaseReport {
        measurements,
        tables: vec![table],
        ..CaseReport::new(provenance, "An honest caller beside each attack", method)
    })
}

fn loads(context: &BenchContext) -> anyhow::Result<[Load; 2]> {
    let predicts = context.testbed.predict_requests(ModelSet::Unproven);
    let predict = predicts.first().context("no inputs")?.encode_to_vec();
    let certifies = context.testbed.certify_requests(HUGE_BUDGET);
    let messages = AttackMessages {
        large_predict: context.testbed.large_predict_request(LARGE_INPUTS).encode_to_vec(),
        // The inputs need two to three seconds on two idle processors.
        large_predict_deadline: Duration::from_millis(1500),
        certify: certifies.first().context("no inputs")?.encode_to_vec(),
        predict,
    };
    Ok([
        Load {
            models: ModelSet::Unproven,
            settings: &[],
            saturating_callers: 4,
            attacks: wire_attacks(&messages.predict),
            p99_target: true,
        },
        Load {
            models: ModelSet::Smoothed,
            settings: VOTE_SETTINGS,
            saturating_callers: 2,
            attacks: work_attacks(&messages),
            p99_target: false,
        },
    ])
}

/// The honest requests of a second that the server answers beside much else.
fn feasible_rate(context: &BenchContext, load: &Load) -> anyhow::Result<f64> {
    context.progress.set_step("saturation");
    let server = context.testbed.start_server(load.models, load.settings)?;
    let call = EncodedCall::new("Predict", &context.testbed.predict_requests(load.models))?;
    let (callers, plan) = (load.saturating_callers, &context.plan);
    let saturation = run_closed_loop(&server.process, &call, callers, plan.warm_up, plan.window)?;
    context
        .progress
        .print(format!("saturation: {}", per_second(saturation.rate())));
    Ok(saturation.rate() * FEASIBLE_SHARE)
}

/// Measures without and with the attack, on one server.
fn measure(context: &BenchContext, load: &Load, rate: f64, attack: &Arc<dyn Attack>) -> anyhow::Result<[Window; 2]> {
    let server = context.testbed.start_server(load.models, load.settings)?;
    let process = &server.process;
    let metrics = process.metrics.context("the server has no metrics port")?;
    let call = EncodedCall::new("Predict", &context.testbed.predict_requests(load.models))?;
    let target = Target {
        grpc: process.address,
        metrics,
        source: ATTACK_SOURCE,
        token: None,
    };
    block_on_this_thread(async {
        let channels = connect(process.address, 1).await?;
        let length = context.plan.long_window;
        // The first requests warm the connection and the server.
        drop(measure_window(rate, &call, &channels, metrics, length / 4, 0).await?);
        let alone = measure_window(rate, &call, &channels, metrics, length, 1).await?;
        let running = RunningAttack::start(Arc::clone(attack), target)?;
        tokio::time::sleep(ATTACK_WARM_UP).await;
        let beside = measure_window(rate, &call, &channels, metrics, length, 2).await?;
        let counts = running.stop();
        context.progress.print(format!(
            "{}: sent {}, connections {}, ended by the server {}; p99 {} alone, {} beside",
            attack.name(),
            counts.sent,
            counts.connections,
            counts.refused,
            ms(quantile(&alone.latencies, 0.99)),
            ms(quantile(&beside.latencies, 0.99))
        ));
        Ok([alone, beside])
    })
}

async fn measure_window(
    rate: f64,
    call: &EncodedCall,
    channels: &[Channel],
    metrics: SocketAddr,
    length: Duration,
    seed: u64,
) -> anyhow::Result<Window> {
    let stopped = Arc::new(AtomicBool::new(false));
    let is_stopped = Arc::clone(&stopped);
    let probes = thread::Builder::new()
        .name("probes".to_owned())
        .spawn(move || slowest_probe_ms(metrics, &is_stopped))?;
    let outcomes = run_open_loop(
        poisson(rate, length, seed),
        call,
        channels,
        Some(DEADLINE),
        &AtomicUsize::new(0),
    )
    .await?;
    stopped.store(true, Ordering::Relaxed);
    let slowest_probe_ms = probes.join().map_err(|_| anyhow!("the probes panicked"))?;
    let is_in_time = |outcome: &&RequestOutcome| {
        outcome.code == Code::Ok && outcome.answered.saturating_sub(outcome.scheduled) <= DEADLINE
    };
    // A request without an answer in time counts as late as its deadline: a server that answers
    // nothing is not fast.
    let latency = |outcome: &RequestOutcome| {
        if is_in_time(&outcome) {
            outcome.latency_ms()
        } else {
            DEADLINE.as_secs_f64() * 1e3
        }
    };
    Ok(Window {
        answered_share: outcomes.iter().filter(is_in_time).count() as f64 / outcomes.len().max(1) as f64,
        latencies: outcomes.iter().map(latency).collect(),
        slowest_probe_ms,
    })
}

/// Probes until it is stopped, and returns the slowest probe. One that fails takes the whole limit.
fn slowest_probe_ms(metrics: SocketAddr, is_stopped: &AtomicBool) -> f64 {
    let mut slowest = 0.0;
    while !is_stopped.load(Ordering::Relaxed) {
        for path in ["/livez", "/readyz"] {
            let start = Instant::now();
            let time = match http_get(metrics, path, PROBE_LIMIT) {
                Ok((200, _)) => start.elapsed(),
                _ => PROBE_LIMIT,
            };
            let time = time.as_secs_f64() * 1e3;
            slowest = if time > slowest { time } else { slowest };
        }
        thread::sleep(PROBE_INTERVAL);
    }
    slowest
}
