//! (d) Predict while Certify saturates the machine: an interactive request waits for at most one
//! batch of Certify.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anyhow::ensure;
use certimix::rpc::proto::{GetModelInfoRequest, GetModelInfoResponse, PredictResponse};
use prost::Message as _;

use super::format::ms;
use super::pooling::median_of;
use crate::arrival_times::evenly_spaced;
use crate::async_runtime::block_on_this_thread;
use crate::bare_runtime::{BareModelPair, saturate_robust};
use crate::closed_loop::CallerPool;
use crate::context::BenchContext;
use crate::latency::quantile_ms;
use crate::open_loop::{RequestOutcome, run_open_loop};
use crate::provenance::Provenance;
use crate::raw_client::{EncodedCall, connect};
use crate::report::{CaseReport, Measurement, ReportTable, Unit};
use crate::server_process::ServerProcess;
use crate::statistics::{median, quantile};
use crate::testbed::{ModelSet, VOTE_SETTINGS};

const CERTIFY_CALLERS: usize = 8;
/// More votes than fit into a round.
const CERTIFY_VOTES: u64 = 20_000;
/// The server drops the votes of cancelled requests within this time.
const CANCELLATION_TIME: Duration = Duration::from_millis(200);

/// A kind of Predict request.
struct PredictKind {
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    /// Requests a second; so few that they do not wait for each other.
    rate: f64,
}

const PREDICT_KINDS: [PredictKind; 2] = [
    PredictKind {
        name: "Predict with up to 256 votes",
        settings: VOTE_SETTINGS,
        rate: 5.0,
    },
    PredictKind {
        name: "Predict with two votes",
        settings: &[
            ("certificate.predict_votes", "1"),
            ("certificate.selection_votes", "1"),
            ("server.max_request_time", "\"300s\""),
        ],
        rate: 20.0,
    },
];

/// Both sides of each round, and the duration of one batch of Certify.
#[derive(Default)]
struct Rounds {
    alone: Vec<Vec<RequestOutcome>>,
    beside: Vec<Vec<RequestOutcome>>,
    batch_ms: Vec<f64>,
}

impl Rounds {
    /// The increase of a latency quantile, in batches, for each round.
    fn increases_in_batches(&self, q: f64) -> Vec<f64> {
        let sides = self.alone.iter().zip(&self.beside).zip(&self.batch_ms);
        sides
            .map(|((alone, beside), batch)| (latency_quantile(beside, q) - latency_quantile(alone, q)) / batch)
            .collect()
    }
}

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let mut bare = context.testbed.open_bare_pairs(ModelSet::Smoothed)?;
    let method = format!(
        "One server with the smoothed model. Predict requests arrive evenly at a low rate ({} and {} a second): alone, and while \
         {CERTIFY_CALLERS} callers of Certify request {CERTIFY_VOTES} votes each, so that more bulk rows wait than there are processors. \
         Latency counts from the scheduled time. A batch cannot be interrupted, so each pass through the queue may wait for one batch of \
         Certify. The target is one batch for each pass that a Predict makes, one after the other. A figure is computed from all rounds \
         together, because a single round has few requests.",
        PREDICT_KINDS[0].rate, PREDICT_KINDS[1].rate
    );
    let mut report = CaseReport::new(provenance, "Predict beside Certify", method);
    let mut table = ReportTable::new(&[
        "",
        "alone p50",
        "alone p99",
        "beside Certify p50",
        "p99",
        "requests",
        "votes p99",
    ]);
    for kind in &PREDICT_KINDS {
        add_kind(context, kind, &mut bare, &mut report, &mut table)?;
    }
    report.tables.push(table);
    Ok(report)
}

/// Measures one kind of request and adds it to the report.
fn add_kind(
    context: &BenchContext,
    kind: &PredictKind,
    bare: &mut [BareModelPair],
    report: &mut CaseReport,
    table: &mut ReportTable,
) -> anyhow::Result<()> {
    let server = context.testbed.start_server(ModelSet::Smoothed, kind.settings)?;
    let info: GetModelInfoResponse = server.process.call("GetModelInfo", GetModelInfoRequest {})?;
    let batch = info.robust.map_or(1, |robust| robust.max_batch_size).max(1);
    let rounds = measure_rounds(context, kind, &server.process, bare, batch as usize)?;
    let votes: Vec<f64> = rounds.alone.iter().flatten().map(votes_drawn).collect();
    let votes_p99 = quantile(&votes, 0.99);
    // A pass through the queue brings a batch on each processor.
    let passes = (votes_p99 / f64::from(batch) / bare.len() as f64).ceil().max(1.0);
    let batch_ms = median(&rounds.batch_ms);
    for (quantile_name, q, target) in [("p99", 0.99, Some(passes)), ("p50", 0.5, None)] {
        let (alone, beside) = (pooled_quantile(&rounds.alone, q), pooled_quantile(&rounds.beside, q));
        let name = format!("{}: increase of {quantile_name} beside Certify", kind.name);
        let measurement = Measurement::new(name, Unit::Batches, rounds.increases_in_batches(q))
            .with_pooled_value((beside - alone) / batch_ms)
            .computed_from(format!("({} minus {}) / {}", ms(beside), ms(alone), ms(batch_ms)));
        report.measurements.push(match target {
            Some(target) => measurement.at_most(target),
            None => measurement,
        });
    }
    table.add_row([
        kind.name.to_owned(),
        ms(pooled_quantile(&rounds.alone, 0.5)),
        ms(pooled_quantile(&rounds.alone, 0.99)),
        ms(pooled_quantile(&rounds.beside, 0.5)),
        ms(pooled_quantile(&rounds.beside, 0.99)),
        format!("{} + {}", count(&rounds.alone), count(&rounds.beside)),
        format!("{votes_p99:.0}"),
    ]);
    let delays: Vec<f64> = rounds
        .beside
        .iter()
        .flatten()
        .map(RequestOutcome::send_delay_ms)
        .collect();
    report.notes.push(format!(
        "{}: a batch of Certify is {batch} rows and takes {} bare, with every processor busy. A Predict makes up to {passes:.0} passes \
         through the queue. The generator was late by {} at p99 beside Certify.",
        kind.name,
        ms(batch_ms),
        ms(quantile(&delays, 0.99))
    ));
    Ok(())
}

fn count(rounds: &[Vec<RequestOutcome>]) -> usize {
    rounds.iter().map(Vec::len).sum()
}

/// A latency quantile of one round in milliseconds.
fn latency_quantile(outcomes: &[RequestOutcome], q: f64) -> f64 {
    quantile(&outcomes.iter().map(RequestOutcome::latency_ms).collect::<Vec<_>>(), q)
}

/// A latency quantile of all rounds together in milliseconds.
fn pooled_quantile(rounds: &[Vec<RequestOutcome>], q: f64) -> f64 {
    let latencies: Vec<f64> = rounds.iter().flatten().map(RequestOutcome::latency_ms).collect();
    quantile(&latencies, q)
}

fn measure_rounds(
    context: &BenchContext,
    kind: &PredictKind,
    server: &ServerProcess,
    bare: &mut [BareModelPair],
    batch: usize,
) -> anyhow::Result<Rounds> {
    let plan = &context.plan;
    let mut rounds = Rounds::default();
    for round in 1..=plan.rounds {
        let step = format!("{}, round {round} of {}", kind.name, plan.rounds);
        context.progress.set_step(format!("{step}: alone"));
        let alone = measure_predict(context, kind, server, 0)?;
        context.progress.set_step(format!("{step}: beside Certify"));
        let beside = measure_predict(context, kind, server, CERTIFY_CALLERS)?;
        let batches = saturate_robust(bare, batch, plan.window / 2)?;
        context.progress.print(format!(
            "{step}: p99 alone {}, beside {}",
            ms(latency_quantile(&alone, 0.99)),
            ms(latency_quantile(&beside, 0.99))
        ));
        rounds.alone.push(alone);
        rounds.beside.push(beside);
        rounds.batch_ms.push(quantile_ms(&batches.latencies, 0.5));
    }
    ensure!(median_of(&rounds.batch_ms, |ms| *ms) > 0.0, "no batch was timed");
    Ok(rounds)
}

/// Sends Predict at its rate beside `certify_callers` callers of Certify, and cancels those at the end.
fn measure_predict(
    context: &BenchContext,
    kind: &PredictKind,
    server: &ServerProcess,
    certify_callers: usize,
) -> anyhow::Result<Vec<RequestOutcome>> {
    let testbed = &context.testbed;
    let predict = EncodedCall::new("Predict", &testbed.predict_requests(ModelSet::Smoothed))?;
    let certify = EncodedCall::new("Certify", &testbed.certify_requests(CERTIFY_VOTES))?;
    let schedule = evenly_spaced(kind.rate, context.plan.long_window);
    let outcomes = block_on_this_thread(async {
        let channels = connect(server.address, 2).await?;
        let certify_pool = CallerPool::new(connect(server.address, certify_callers).await?)?;
        let outstanding = AtomicUsize::new(0);
        let measurement = async {
            // Meanwhile the queue fills with bulk rows.
            tokio::time::sleep(context.plan.warm_up).await;
            run_open_loop(schedule, &predict, &channels, None, &outstanding).await
        };
        let outcomes = tokio::select! {
            outcomes = measurement => outcomes?,
            () = certify_pool.run(&certify, certify_callers), if certify_callers > 0 => anyhow::bail!("Certify ended"),
        };
        ensure!(
            certify_pool.failures.borrow().is_empty(),
            "Certify failed: {:?}",
            certify_pool.failures.borrow()
        );
        Ok(outcomes)
    })?;
    std::thread::sleep(CANCELLATION_TIME);
    ensure!(
        outcomes.iter().all(|outcome| outcome.answer.is_some()),
        "a Predict failed"
    );
    Ok(outcomes)
}

fn votes_drawn(outcome: &RequestOutcome) -> f64 {
    let answer = outcome.answer.clone().unwrap_or_default();
    let response = PredictResponse::decode(answer).unwrap_or_default();
    let certificate = response.predictions.into_iter().next().and_then(|one| one.certificate);
    certificate.map_or(0.0, |certificate| certificate.votes_drawn as f64)
}
