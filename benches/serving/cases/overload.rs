//! (f) Twice the load that the server can handle: answers in time, and the latency of refusals.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tonic::Code;

use super::format::{ms, ms_3_decimals, per_second};
use super::pooling::median_of;
use crate::arrival_times::{bursts, poisson};
use crate::async_runtime::block_on_this_thread;
use crate::closed_loop::{ClosedLoopResult, run_closed_loop};
use crate::context::BenchContext;
use crate::latency::ms_per;
use crate::open_loop::{RequestOutcome, run_open_loop};
use crate::process_usage::{cpu_time, thread_cpu_time};
use crate::provenance::Provenance;
use crate::raw_client::{EncodedCall, connect};
use crate::report::{CaseReport, Measurement, ReportTable, Unit};
use crate::server_process::ServerProcess;
use crate::statistics::quantile;
use crate::testbed::ModelSet;

const DEADLINE: Duration = Duration::from_millis(250);
const OVERLOAD: f64 = 2.0;
const BURST: usize = 50;
const CONNECTIONS: usize = 16;
/// Each window leaves this start out, because the queue is not full yet.
const QUEUE_FILL_TIME: Duration = Duration::from_millis(500);

#[derive(Clone, Copy)]
enum ArrivalPattern {
    Poisson,
    Bursts,
}

/// The result of one round.
struct OverloadRound {
    /// Requests a second at saturation.
    saturation: f64,
    outcomes: Vec<RequestOutcome>,
    /// Answers in time, a second.
    goodput: f64,
    server_cpu_ms: f64,
    generator_cpu_ms: f64,
}

impl OverloadRound {
    fn latencies(&self, filter: impl Fn(&RequestOutcome) -> bool) -> Vec<f64> {
        let selected = self.outcomes.iter().filter(|outcome| filter(outcome));
        selected.map(RequestOutcome::latency_ms).collect()
    }
}

fn is_refusal(outcome: &RequestOutcome) -> bool {
    outcome.code == Code::ResourceExhausted
}

fn is_answer(outcome: &RequestOutcome) -> bool {
    outcome.code == Code::Ok
}

fn is_answer_in_time(outcome: &RequestOutcome) -> bool {
    is_answer(outcome) && outcome.answered.saturating_sub(outcome.scheduled) <= DEADLINE
}

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let plan = &context.plan;
    let server = context.testbed.start_server(ModelSet::Unproven, &[])?;
    let call = EncodedCall::new("Predict", &context.testbed.predict_requests(ModelSet::Unproven))?;
    let method = format!(
        "Each round first measures saturation with {CONNECTIONS} callers in a closed loop. Then it sends {OVERLOAD} times as many \
         requests a second, whether or not earlier ones are answered, each with a deadline of {} ms. They arrive as a Poisson process, \
         or in bursts of {BURST}. Latency counts from the scheduled time. Callers give up at their deadline (CANCELLED or \
         DEADLINE_EXCEEDED below).",
        DEADLINE.as_millis()
    );
    let mut report = CaseReport::new(provenance, "Twice the load that the server can handle", method);
    let mut table = ReportTable::new(&[
        "arrivals",
        "code",
        "share",
        "p50",
        "p99",
        "p99 from the time of sending",
    ]);
    for (name, pattern) in [("Poisson", ArrivalPattern::Poisson), ("bursts", ArrivalPattern::Bursts)] {
        let mut rounds = Vec::new();
        for round in 1..=plan.rounds {
            let step = format!("overload, {name}, round {round} of {}", plan.rounds);
            context.progress.set_step(&step);
            let saturation = run_closed_loop(&server.process, &call, CONNECTIONS, plan.warm_up, plan.window)?;
            let result = run_round(plan.window, &server.process, &call, &saturation, pattern, round as u64)?;
            context.progress.print(format!(
                "{step}: {:.0}/s in time of {:.0}/s at saturation",
                result.goodput, result.saturation
            ));
            rounds.push(result);
        }
        report.measurements.extend(measurements(name, &rounds));
        table.rows.extend(rows_by_code(name, &rounds));
        report.notes.push(generator_note(name, &rounds));
    }
    report.tables.push(table);
    Ok(report)
}

fn run_round(
    window: Duration,
    server: &ServerProcess,
    call: &EncodedCall,
    saturation: &ClosedLoopResult,
    pattern: ArrivalPattern,
    seed: u64,
) -> anyhow::Result<OverloadRound> {
    let length = window + QUEUE_FILL_TIME;
    let rate = saturation.rate() * OVERLOAD;
    let schedule = match pattern {
        ArrivalPattern::Poisson => poisson(rate, length, seed),
        ArrivalPattern::Bursts => bursts(rate, BURST, length),
    };
    let outstanding = AtomicUsize::new(0);
    let (outcomes, server_cpu, generator_cpu) = block_on_this_thread(async {
        let channels = connect(server.address, CONNECTIONS).await?;
        let before = (cpu_time(server.pid())?, thread_cpu_time()?);
        let outcomes = run_open_loop(schedule, call, &channels, Some(DEADLINE), &outstanding).await?;
        let after = (cpu_time(server.pid())?, thread_cpu_time()?);
        Ok((outcomes, after.0 - before.0, after.1 - before.1))
    })?;
    // Only answers within the window count, so that the queue at its end does not.
    let counted = QUEUE_FILL_TIME..length;
    let is_counted = |outcome: &&RequestOutcome| is_answer_in_time(outcome) && counted.contains(&outcome.answered);
    let in_time = outcomes.iter().filter(is_counted).count();
    let sent = outcomes.len() as u64;
    Ok(OverloadRound {
        saturation: saturation.rate(),
        goodput: in_time as f64 / window.as_secs_f64(),
        outcomes,
        server_cpu_ms: ms_per(server_cpu, sent),
        generator_cpu_ms: ms_per(generator_cpu, sent),
    })
}

fn measurements(name: &str, rounds: &[OverloadRound]) -> Vec<Measurement> {
    let p99_of_rounds = |filter: fn(&RequestOutcome) -> bool| -> Vec<f64> {
        let latencies = rounds.iter().map(|round| round.latencies(filter));
        latencies
            .filter(|latencies| !latencies.is_empty())
            .map(|latencies| quantile(&latencies, 0.99))
            .collect()
    };
    let goodput_ratios = rounds.iter().map(|round| round.goodput / round.saturation);
    let mut measurements = vec![
        Measurement::new(
            format!("{name}: answers in time, relative to saturation"),
            Unit::Ratio,
            goodput_ratios.collect(),
        )
        .at_least(0.90)
        .computed_from(format!(
            "{} of {}",
            per_second(median_of(rounds, |round| round.goodput)),
            per_second(median_of(rounds, |round| round.saturation))
        )),
    ];
    let refusals = p99_of_rounds(is_refusal);
    if !refusals.is_empty() {
        measurements
            .push(Measurement::new(format!("{name}: p99 of refusals"), Unit::Milliseconds, refusals).at_most(5.0));
    }
    let late_shares = rounds.iter().map(|round| {
        let accepted = round.outcomes.iter().filter(|outcome| !is_refusal(outcome)).count();
        let in_time = round
            .outcomes
            .iter()
            .filter(|outcome| is_answer_in_time(outcome))
            .count();
        1.0 - in_time as f64 / accepted.max(1) as f64
    });
    measurements.push(Measurement::new(
        format!("{name}: share of accepted requests without an answer in time"),
        Unit::Ratio,
        late_shares.collect(),
    ));
    let deadline_ms = DEADLINE.as_secs_f64() * 1e3;
    measurements.push(
        Measurement::new(
            format!("{name}: p99 of answers"),
            Unit::Milliseconds,
            p99_of_rounds(is_answer),
        )
        .at_most(deadline_ms),
    );
    measurements
}

/// The rows of the table: one for each status code.
fn rows_by_code(name: &str, rounds: &[OverloadRound]) -> Vec<Vec<String>> {
    let all: Vec<&RequestOutcome> = rounds.iter().flat_map(|round| &round.outcomes).collect();
    let mut by_code: BTreeMap<String, Vec<&RequestOutcome>> = BTreeMap::new();
    for &outcome in &all {
        by_code.entry(format!("{:?}", outcome.code)).or_default().push(outcome);
    }
    let row = |(code, outcomes): (String, Vec<&RequestOutcome>)| {
        let latencies: Vec<f64> = outcomes.iter().map(|outcome| outcome.latency_ms()).collect();
        let from_sending: Vec<f64> = outcomes
            .iter()
            .map(|outcome| outcome.latency_ms() - outcome.send_delay_ms())
            .collect();
        vec![
            name.to_owned(),
            code,
            format!("{:.1} %", 100.0 * outcomes.len() as f64 / all.len().max(1) as f64),
            ms(quantile(&latencies, 0.5)),
            ms(quantile(&latencies, 0.99)),
            ms(quantile(&from_sending, 0.99)),
        ]
    };
    by_code.into_iter().map(row).collect()
}

fn generator_note(name: &str, rounds: &[OverloadRound]) -> String {
    let outcomes = rounds.iter().flat_map(|round| &round.outcomes);
    let delays: Vec<f64> = outcomes.map(RequestOutcome::send_delay_ms).collect();
    format!(
        "{name}: the generator was late by {} at p50 and {} at p99. A request, refused or not, cost the server {} of CPU and the \
         generator {}.",
        ms(quantile(&delays, 0.5)),
        ms(quantile(&delays, 0.99)),
        ms_3_decimals(median_of(rounds, |round| round.server_cpu_ms)),
        ms_3_decimals(median_of(rounds, |round| round.generator_cpu_ms))
    )
}
