//! (k) One honest caller beside eight greedy ones: the honest one keeps its goodput at a feasible rate.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use certimix::rpc::proto::{PredictRequest, Tensor};
use tonic::Code;

use super::format::{ms, per_second};
use super::round_statistics::median_of;
use crate::arrival_times::evenly_spaced;
use crate::async_runtime::block_on_this_thread;
use crate::closed_loop::{CallerPool, run_closed_loop};
use crate::context::BenchContext;
use crate::open_loop::{RequestOutcome, run_open_loop};
use crate::provenance::Provenance;
use crate::raw_client::{EncodedCall, connect};
use crate::report::{CaseReport, Measurement, ReportTable, Unit};
use crate::server_process::ServerProcess;
use crate::statistics::quantile;
use crate::testbed::ModelSet;

const GREEDY_CALLERS: usize = 8;
/// The inputs of a greedy request: as many as the server accepts.
const GREEDY_INPUTS: usize = 64;
/// Each greedy caller sends this many requests at the same time.
const GREEDY_CONCURRENCY: usize = 4;
/// The honest rate as a part of the caller's share at saturation: feasible with the margin of admission.
const FEASIBLE: f64 = 0.6;
const DEADLINE: Duration = Duration::from_millis(250);

/// The result of one round, in answers in time a second.
struct FairRound {
    offered: f64,
    solo: f64,
    beside: f64,
    solo_outcomes: Vec<RequestOutcome>,
    beside_outcomes: Vec<RequestOutcome>,
}

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let plan = &context.plan;
    let server = context.testbed.start_server(ModelSet::Unproven, &[])?;
    let requests = context.testbed.predict_requests(ModelSet::Unproven);
    let honest = EncodedCall::new("Predict", &requests)?;
    let greedy = EncodedCall::new("Predict", &[joined(&requests)?])?;
    let method = format!(
        "One caller sends Predicts of one input at {FEASIBLE} times its fair share of saturation (a ninth), each with a deadline of {} ms: \
         alone, and while {GREEDY_CALLERS} callers each keep {GREEDY_CONCURRENCY} Predicts of {GREEDY_INPUTS} inputs in flight and retry \
         refusals after a millisecond. All callers are on one host and are one principal, so this is fairness between connections. Goodput \
         counts answers within the deadline, from the scheduled time.",
        DEADLINE.as_millis()
    );
    let mut report = CaseReport::new(provenance, "One honest caller beside eight greedy ones", method);
    let mut rounds = Vec::new();
    for round in 1..=plan.rounds {
        let step = format!("fair share, round {round} of {}", plan.rounds);
        context.progress.set_step(&step);
        let saturation = run_closed_loop(&server.process, &honest, 2 * GREEDY_CALLERS, plan.warm_up, plan.window)?;
        let rate = saturation.rate() / (GREEDY_CALLERS + 1) as f64 * FEASIBLE;
        let length = plan.long_window;
        let solo_outcomes = measure(&server.process, &honest, None, rate, length)?;
        let beside_outcomes = measure(&server.process, &honest, Some(&greedy), rate, length)?;
        let result = FairRound {
            offered: rate,
            solo: goodput(&solo_outcomes, length),
            beside: goodput(&beside_outcomes, length),
            solo_outcomes,
            beside_outcomes,
        };
        context.progress.print(format!(
            "{step}: {} alone, {} beside greedy callers",
            per_second(result.solo),
            per_second(result.beside)
        ));
        rounds.push(result);
    }
    let ratios = rounds
        .iter()
        .map(|round| round.beside / round.solo.max(f64::MIN_POSITIVE));
    report.measurements.push(
        Measurement::new(
            "goodput beside eight greedy callers, relative to alone",
            Unit::Ratio,
            ratios.collect(),
        )
        .at_least(0.80)
        .computed_from(format!(
            "{} of {}",
            per_second(median_of(&rounds, |round| round.beside)),
            per_second(median_of(&rounds, |round| round.solo))
        )),
    );
    let mut table = ReportTable::new(&["", "offered", "in time", "p50", "p99"]);
    for (name, goodput, outcomes) in [
        (
            "alone",
            median_of(&rounds, |round| round.solo),
            all(&rounds, |round| &round.solo_outcomes),
        ),
        (
            "beside greedy callers",
            median_of(&rounds, |round| round.beside),
            all(&rounds, |round| &round.beside_outcomes),
        ),
    ] {
        table.add_row([
            name.to_owned(),
            per_second(median_of(&rounds, |round| round.offered)),
            per_second(goodput),
            ms(quantile(&outcomes, 0.5)),
            ms(quantile(&outcomes, 0.99)),
        ]);
    }
    report.tables.push(table);
    Ok(report)
}

/// Sends `honest` at `rate`, beside greedy callers of `greedy` if there is one.
fn measure(
    server: &ServerProcess,
    honest: &EncodedCall,
    greedy: Option<&EncodedCall>,
    rate: f64,
    length: Duration,
) -> anyhow::Result<Vec<RequestOutcome>> {
    let outstanding = AtomicUsize::new(0);
    block_on_this_thread(async {
        let channels = connect(server.address, 1).await?;
        let greedy_pool = CallerPool::new(connect(server.address, GREEDY_CALLERS).await?)?;
        let measurement = async {
            // Meanwhile the greedy callers fill the queue.
            tokio::time::sleep(DEADLINE).await;
            let schedule = evenly_spaced(rate, length);
            run_open_loop(schedule, honest, &channels, Some(DEADLINE), &outstanding).await
        };
        let Some(greedy) = greedy else {
            return measurement.await;
        };
        tokio::select! {
            outcomes = measurement => outcomes,
            () = greedy_pool.run(greedy, GREEDY_CALLERS * GREEDY_CONCURRENCY) => anyhow::bail!("the greedy callers ended"),
        }
    })
}

fn goodput(outcomes: &[RequestOutcome], length: Duration) -> f64 {
    let is_in_time = |outcome: &&RequestOutcome| {
        outcome.code == Code::Ok && outcome.answered.saturating_sub(outcome.scheduled) <= DEADLINE
    };
    outcomes.iter().filter(is_in_time).count() as f64 / length.as_secs_f64()
}

/// The latencies of the answers of all rounds in milliseconds.
fn all(rounds: &[FairRound], of: impl Fn(&FairRound) -> &Vec<RequestOutcome>) -> Vec<f64> {
    let outcomes = rounds.iter().flat_map(of);
    let answered = outcomes.filter(|outcome| outcome.code == Code::Ok);
    answered.map(RequestOutcome::latency_ms).collect()
}

/// One request of the inputs of `requests`, repeated to the greedy number of inputs.
fn joined(requests: &[PredictRequest]) -> anyhow::Result<PredictRequest> {
    let inputs: Vec<&Tensor> = requests.iter().filter_map(|request| request.inputs.as_ref()).collect();
    let first = *inputs
        .first()
        .ok_or_else(|| anyhow::anyhow!("no request has an input"))?;
    let chosen = inputs.iter().cycle().take(GREEDY_INPUTS);
    let data: Vec<u8> = chosen.flat_map(|tensor| tensor.data.iter().copied()).collect();
    let mut shape = first.shape.clone();
    if let Some(count) = shape.first_mut() {
        *count = i64::try_from(GREEDY_INPUTS)?;
    }
    Ok(PredictRequest {
        inputs: Some(Tensor {
            shape,
            data: data.into(),
            ..first.clone()
        }),
        ..PredictRequest::default()
    })
}
