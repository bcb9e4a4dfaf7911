//! (f) Twice the load that can be served: what is answered in time, and how soon the rest is told.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tonic::Code;

use super::{Bench, fine_ms, median_of, ms, per_second};
use crate::arrival_times::{bursts, poisson};
use crate::closed_loop::{Traffic, closed, on_this_thread, per};
use crate::interference::Disturbance;
use crate::open_loop::{Outcome, follow};
use crate::process_usage::{cpu_of, cpu_of_this_thread};
use crate::provenance::Origin;
use crate::raw_client::{Call, connect};
use crate::report::{Finding, Section, Table, Unit};
use crate::statistics::quantile;
use crate::testbed::{Models, Served};

const DEADLINE: Duration = Duration::from_millis(250);
const OVERLOAD: f64 = 2.0;
const BURST: usize = 50;
const CONNECTIONS: usize = 16;
/// Left out of each window: the queue is not full yet.
const START: Duration = Duration::from_millis(500);

/// How requests arrive.
#[derive(Clone, Copy, PartialEq)]
enum Arrivals {
    Poisson,
    Bursts,
}

/// One round under overload.
struct Flood {
    saturation: f64,
    outcomes: Vec<Outcome>,
    goodput: f64,
    server_ms: f64,
    own_ms: f64,
}

impl Flood {
    fn latencies(&self, which: impl Fn(&Outcome) -> bool) -> Vec<f64> {
        let chosen = self.outcomes.iter().filter(|outcome| which(outcome));
        chosen.map(Outcome::latency_ms).collect()
    }
}

fn refused(outcome: &Outcome) -> bool {
    outcome.code == Code::ResourceExhausted
}

fn answered(outcome: &Outcome) -> bool {
    outcome.code == Code::Ok
}

fn in_time(outcome: &Outcome) -> bool {
    answered(outcome) && outcome.answered.saturating_sub(outcome.intended) <= DEADLINE
}

pub fn run(bench: &Bench, origin: &Origin) -> anyhow::Result<Section> {
    let plan = &bench.plan;
    let served = bench.world.serve(Models::Pairs, &[])?;
    let call = Call::new("Predict", &bench.world.predictions(Models::Pairs))?;
    let mut findings = Vec::new();
    let mut notes = Vec::new();
    let mut table = Table::new(&[
        "arrivals",
        "code",
        "share",
        "p50",
        "p99",
        "p99 from the moment it was sent",
    ]);
    for (name, arrivals) in [("Poisson", Arrivals::Poisson), ("bursts", Arrivals::Bursts)] {
        let mut rounds = Vec::new();
        for round in 1..=plan.rounds {
            let step = format!("overload, {name}, round {round} of {}", plan.rounds);
            bench.progress.begin(&step);
            let saturation = closed(&served.server, &call, CONNECTIONS, plan.warm_up, plan.window)?;
            let flood = flood(bench, &served, &call, &saturation, arrivals, round as u64)?;
            bench.progress.tell(format!(
                "{step}: {:.0}/s in time of {:.0}/s at saturation",
                flood.goodput, flood.saturation
            ));
            rounds.push(flood);
        }
        report_rounds(name, &rounds, &mut findings, &mut table, &mut notes);
    }
    Ok(Section {
        origin: origin.clone(),
        disturbance: Disturbance::default(),
        title: "Twice the load that can be served".to_owned(),
        method: format!(
            "In each round first the saturation with {CONNECTIONS} callers in a closed loop, then {OVERLOAD} times as many requests a second, sent whatever \
             happens to those before, each with a deadline of {} ms: as a Poisson process, or {BURST} at once. Latency counts from the intended \
             moment. Callers give up at their deadline (CANCELLED or DEADLINE_EXCEEDED below).",
            DEADLINE.as_millis()
        ),
        findings,
        tables: vec![table],
        notes,
    })
}

fn flood(
    bench: &Bench,
    served: &Served,
    call: &Call,
    saturation: &Traffic,
    arrivals: Arrivals,
    seed: u64,
) -> anyhow::Result<Flood> {
    let length = bench.plan.window + START;
    let rate = saturation.rate() * OVERLOAD;
    let schedule = match arrivals {
        Arrivals::Poisson => poisson(rate, length, seed),
        Arrivals::Bursts => bursts(rate, BURST, length),
    };
    let server = &served.server;
    let waiting = AtomicUsize::new(0);
    let (outcomes, server_cpu, own_cpu) = on_this_thread(async {
        let channels = connect(server.address, CONNECTIONS).await?;
        let before = (cpu_of(server.pid())?, cpu_of_this_thread()?);
        let outcomes = follow(schedule, call, &channels, Some(DEADLINE), &waiting).await?;
        let after = (cpu_of(server.pid())?, cpu_of_this_thread()?);
        Ok((outcomes, after.0 - before.0, after.1 - before.1))
    })?;
    // Answers in the window, so that the queue that is left at its end does not count.
    let window = START..length;
    let in_window = |outcome: &&Outcome| in_time(outcome) && window.contains(&outcome.answered);
    let good = outcomes.iter().filter(in_window).count();
    let sent = outcomes.len() as u64;
    Ok(Flood {
        saturation: saturation.rate(),
        goodput: good as f64 / (length - START).as_secs_f64(),
        outcomes,
        server_ms: per(server_cpu, sent),
        own_ms: per(own_cpu, sent),
    })
}

fn report_rounds(
    name: &str,
    rounds: &[Flood],
    findings: &mut Vec<Finding>,
    table: &mut Table,
    notes: &mut Vec<String>,
) {
    let p99 = |which: fn(&Outcome) -> bool| -> Vec<f64> {
        let latencies = rounds.iter().map(|round| round.latencies(which));
        latencies
            .filter(|latencies| !latencies.is_empty())
            .map(|latencies| quantile(&latencies, 0.99))
            .collect()
    };
    let goodput = rounds.iter().map(|round| round.goodput / round.saturation);
    findings.push(
        Finding::new(
            format!("{name}: answers in time, of the saturation"),
            Unit::Ratio,
            goodput.collect(),
        )
        .at_least(0.90)
        .from(format!(
            "{} of {}",
            per_second(median_of(rounds, |round| round.goodput)),
            per_second(median_of(rounds, |round| round.saturation))
        )),
    );
    let refusals = p99(refused);
    if !refusals.is_empty() {
        findings.push(Finding::new(format!("{name}: p99 of refusals"), Unit::Milliseconds, refusals).at_most(5.0));
    }
    let late = rounds.iter().map(|round| {
        let accepted = round.outcomes.iter().filter(|outcome| !refused(outcome)).count();
        let good = round.outcomes.iter().filter(|outcome| in_time(outcome)).count();
        1.0 - good as f64 / accepted.max(1) as f64
    });
    findings.push(Finding::new(
        format!("{name}: share of those not refused that got no answer in time"),
        Unit::Ratio,
        late.collect(),
    ));
    let deadline = DEADLINE.as_secs_f64() * 1e3;
    findings.push(Finding::new(format!("{name}: p99 of answers"), Unit::Milliseconds, p99(answered)).at_most(deadline));

    let all: Vec<&Outcome> = rounds.iter().flat_map(|round| &round.outcomes).collect();
    let mut by_code: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
    for &outcome in &all {
        by_code.entry(format!("{:?}", outcome.code)).or_default().push(outcome);
    }
    for (code, outcomes) in by_code {
        let latencies: Vec<f64> = outcomes.iter().map(|outcome| outcome.latency_ms()).collect();
        let from_sent: Vec<f64> = outcomes
            .iter()
            .map(|outcome| outcome.latency_ms() - outcome.lateness_ms())
            .collect();
        table.row([
            name.to_owned(),
            code,
            format!("{:.1} %", 100.0 * outcomes.len() as f64 / all.len().max(1) as f64),
            ms(quantile(&latencies, 0.5)),
            ms(quantile(&latencies, 0.99)),
            ms(quantile(&from_sent, 0.99)),
        ]);
    }
    let late: Vec<f64> = all.iter().map(|outcome| outcome.lateness_ms()).collect();
    notes.push(format!(
        "{name}: the generator was late by {} at p50 and {} at p99; a request cost the server {} of CPU and the generator {}, whatever \
         became of it.",
        ms(quantile(&late, 0.5)),
        ms(quantile(&late, 0.99)),
        fine_ms(median_of(rounds, |round| round.server_ms)),
        fine_ms(median_of(rounds, |round| round.own_ms))
    ));
}
