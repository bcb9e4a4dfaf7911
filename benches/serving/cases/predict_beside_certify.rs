//! (d) Predict while Certify saturates the machine: an urgent request waits for one bulk batch at most.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anyhow::ensure;
use certimix::rpc::proto::{GetModelInfoRequest, GetModelInfoResponse, PredictResponse};
use prost::Message as _;

use super::{Bench, median_of, ms};
use crate::arrival_times::paced;
use crate::bare_runtime::{Pair, saturate_h};
use crate::closed_loop::{Crowd, on_this_thread, quantile_ms};
use crate::interference::Disturbance;
use crate::open_loop::{Outcome, follow};
use crate::provenance::Origin;
use crate::raw_client::{Call, connect};
use crate::report::{Finding, Section, Table, Unit};
use crate::statistics::{median, quantile};
use crate::testbed::{Models, Served, VOTES};

const BULK_CALLERS: usize = 8;
/// More votes than a round has time for.
const BULK_VOTES: u64 = 20_000;

/// A way of asking Predict.
struct Kind {
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    /// Requests a second: few enough that they do not wait for each other.
    rate: f64,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "a Predict of up to 256 votes",
        settings: VOTES,
        rate: 5.0,
    },
    Kind {
        name: "a Predict of two votes",
        settings: &[
            ("certificate.predict_votes", "1"),
            ("certificate.selection_votes", "1"),
            ("server.max_request_time", "\"300s\""),
        ],
        rate: 20.0,
    },
];

/// Both sides of each round, and one bulk batch in milliseconds.
#[derive(Default)]
struct Rounds {
    alone: Vec<Vec<Outcome>>,
    beside: Vec<Vec<Outcome>>,
    batch_ms: Vec<f64>,
}

pub fn run(bench: &Bench, origin: &Origin) -> anyhow::Result<Section> {
    let mut bare = bench.world.bare(Models::Smoothed)?;
    let mut findings = Vec::new();
    let mut notes = Vec::new();
    let mut table = Table::new(&[
        "",
        "alone p50",
        "alone p99",
        "beside Certify p50",
        "p99",
        "requests",
        "votes p99",
    ]);
    for kind in &KINDS {
        let served = bench.world.serve(Models::Smoothed, kind.settings)?;
        let info: GetModelInfoResponse = served.server.ask("GetModelInfo", GetModelInfoRequest {})?;
        let batch = info.robust.map_or(1, |robust| robust.max_batch_size).max(1);
        let rounds = rounds(bench, kind, &served, &mut bare, batch as usize)?;
        let all = |rounds: &[Vec<Outcome>], q| {
            let latencies: Vec<f64> = rounds.iter().flatten().map(Outcome::latency_ms).collect();
            quantile(&latencies, q)
        };
        let votes: Vec<f64> = rounds.alone.iter().flatten().map(votes_drawn).collect();
        let most_votes = quantile(&votes, 0.99);
        // Each trip into the queue may find a bulk batch running. A trip brings a batch on each processor.
        let trips = (most_votes / f64::from(batch) / bare.len() as f64).ceil().max(1.0);
        let batch_ms = median(&rounds.batch_ms);
        let in_batches = |q| -> Vec<f64> {
            let sides = rounds.alone.iter().zip(&rounds.beside).zip(&rounds.batch_ms);
            sides
                .map(|((alone, beside), batch)| (latency(beside, q) - latency(alone, q)) / batch)
                .collect()
        };
        for (name, q, target) in [("p99", 0.99, Some(trips)), ("p50", 0.5, None)] {
            let (alone, beside) = (all(&rounds.alone, q), all(&rounds.beside, q));
            let what = format!("{}: {name} longer beside Certify", kind.name);
            let finding = Finding::new(what, Unit::Batches, in_batches(q))
                .of_all_rounds((beside - alone) / batch_ms)
                .from(format!("({} less {}) / {}", ms(beside), ms(alone), ms(batch_ms)));
            findings.push(target.into_iter().fold(finding, Finding::at_most));
        }
        table.row([
            kind.name.to_owned(),
            ms(all(&rounds.alone, 0.5)),
            ms(all(&rounds.alone, 0.99)),
            ms(all(&rounds.beside, 0.5)),
            ms(all(&rounds.beside, 0.99)),
            format!("{} + {}", count(&rounds.alone), count(&rounds.beside)),
            format!("{most_votes:.0}"),
        ]);
        let late: Vec<f64> = rounds.beside.iter().flatten().map(Outcome::lateness_ms).collect();
        notes.push(format!(
            "{}: the server's bulk batch is {batch} rows, {} bare with every processor busy; up to {trips:.0} trips into the queue; the generator \
             was late by {} at p99 beside Certify.",
            kind.name,
            ms(batch_ms),
            ms(quantile(&late, 0.99))
        ));
    }
    Ok(Section {
        origin: origin.clone(),
        disturbance: Disturbance::default(),
        title: "Predict beside Certify".to_owned(),
        method: format!(
            "One server with the smoothed model. Predict comes at a low even rate ({} and {} a second), alone, and while {BULK_CALLERS} callers of \
             Certify ask for {BULK_VOTES} votes each, so that there are always more bulk rows than processors. Latency counts from the intended \
             moment. A batch cannot be interrupted, so each trip into the queue may wait for one bulk batch: the target is one batch for each trip \
             that a Predict makes, one after the other. A figure is that of all rounds together; a single round has few requests.",
            KINDS[0].rate, KINDS[1].rate
        ),
        findings,
        tables: vec![table],
        notes,
    })
}

fn count(rounds: &[Vec<Outcome>]) -> usize {
    rounds.iter().map(Vec::len).sum()
}

/// A quantile in milliseconds.
fn latency(outcomes: &[Outcome], q: f64) -> f64 {
    quantile(&outcomes.iter().map(Outcome::latency_ms).collect::<Vec<_>>(), q)
}

fn rounds(bench: &Bench, kind: &Kind, served: &Served, bare: &mut [Pair], batch: usize) -> anyhow::Result<Rounds> {
    let plan = &bench.plan;
    let mut rounds = Rounds::default();
    for round in 1..=plan.rounds {
        let step = format!("{}, round {round} of {}", kind.name, plan.rounds);
        bench.progress.begin(format!("{step}: alone"));
        let alone = predict(bench, kind, served, 0)?;
        bench.progress.begin(format!("{step}: beside Certify"));
        let beside = predict(bench, kind, served, BULK_CALLERS)?;
        let batches = saturate_h(bare, batch, plan.window / 2)?;
        bench.progress.tell(format!(
            "{step}: p99 alone {}, beside {}",
            ms(latency(&alone, 0.99)),
            ms(latency(&beside, 0.99))
        ));
        rounds.alone.push(alone);
        rounds.beside.push(beside);
        rounds.batch_ms.push(quantile_ms(&batches.latencies, 0.5));
    }
    ensure!(median_of(&rounds.batch_ms, |ms| *ms) > 0.0, "no batch was timed");
    Ok(rounds)
}

/// Predict at its rate, beside `bulk` callers of Certify, who are cut off at the end.
fn predict(bench: &Bench, kind: &Kind, served: &Served, bulk: usize) -> anyhow::Result<Vec<Outcome>> {
    let world = &bench.world;
    let call = Call::new("Predict", &world.predictions(Models::Smoothed))?;
    let bulk_call = Call::new("Certify", &world.certifications(BULK_VOTES))?;
    let schedule = paced(kind.rate, bench.plan.long_window);
    let outcomes = on_this_thread(async {
        let channels = connect(served.server.address, 2).await?;
        let crowd = Crowd::new(connect(served.server.address, bulk).await?)?;
        let waiting = AtomicUsize::new(0);
        let measured = async {
            // Until the queue is full of bulk rows.
            tokio::time::sleep(bench.plan.warm_up).await;
            follow(schedule, &call, &channels, None, &waiting).await
        };
        let outcomes = tokio::select! {
            outcomes = measured => outcomes?,
            () = crowd.run(&bulk_call, bulk), if bulk > 0 => anyhow::bail!("Certify ended"),
        };
        ensure!(
            crowd.failures.borrow().is_empty(),
            "Certify failed: {:?}",
            crowd.failures.borrow()
        );
        Ok(outcomes)
    })?;
    // The votes that were cut off leave the server.
    std::thread::sleep(Duration::from_millis(200));
    ensure!(
        outcomes.iter().all(|outcome| outcome.answer.is_some()),
        "a Predict failed"
    );
    Ok(outcomes)
}

fn votes_drawn(outcome: &Outcome) -> f64 {
    let answer = outcome.answer.clone().unwrap_or_default();
    let response = PredictResponse::decode(answer).unwrap_or_default();
    let certificate = response.predictions.into_iter().next().and_then(|one| one.certificate);
    certificate.map_or(0.0, |certificate| certificate.votes_drawn as f64)
}
