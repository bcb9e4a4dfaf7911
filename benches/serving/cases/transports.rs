//! (i) The ways in for a control loop: a call for each request or one stream, over TCP or a Unix socket.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use certimix::rpc::proto::predict_stream_response::Outcome;
use certimix::rpc::proto::{PredictRequest, PredictStreamRequest};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use super::{Bench, fine_ms, median_of, p50_p99, per_second};
use crate::closed_loop::{Latencies, latencies, nanos, on_this_thread, per, quantile_ms};
use crate::interference::Disturbance;
use crate::process_usage::cpu_of;
use crate::provenance::Origin;
use crate::report::{Finding, Section, Table, Unit};
use crate::server_process::Server;
use crate::testbed::Models;

/// A connection, and whether one stream carries all requests.
const WAYS: [(&str, bool, bool); 4] = [
    ("Predict, TCP", false, false),
    ("Predict, Unix socket", true, false),
    ("PredictStream, TCP", false, true),
    ("PredictStream, Unix socket", true, true),
];

struct Looped {
    latencies: Latencies,
    rate: f64,
    server_ms: f64,
}

type Client = MixedClassifierClient<Channel>;

pub fn run(bench: &Bench, origin: &Origin) -> anyhow::Result<Section> {
    let plan = &bench.plan;
    let folder = tempfile::TempDir::new()?;
    let socket = folder.path().join("certimix.sock");
    let served = bench.world.serve(
        Models::Tiny,
        &[("server.unix_socket", &format!("{:?}", socket.display().to_string()))],
    )?;
    let requests = bench.world.predictions(Models::Tiny);
    let mut rounds: [Vec<Looped>; 4] = Default::default();
    for round in 1..=plan.rounds {
        for ((name, unix, stream), looped) in WAYS.iter().zip(&mut rounds) {
            let step = format!("{name}, round {round} of {}", plan.rounds);
            bench.progress.begin(&step);
            let address = if *unix {
                format!("unix:{}", socket.display())
            } else {
                format!("http://{}", served.server.address)
            };
            let one = on_this_thread(looping(&served.server, address, *stream, &requests, plan.window))?;
            bench.progress.tell(format!("{step}: {:.0}/s", one.rate));
            looped.push(one);
        }
    }
    let mut table = Table::new(&[
        "one caller, in a loop",
        "requests a second",
        "p50",
        "p99",
        "server CPU a request",
    ]);
    for ((name, ..), looped) in WAYS.iter().zip(&rounds) {
        let [p50, p99] = p50_p99(looped.iter().map(|round| &round.latencies))?;
        table.row([
            (*name).to_owned(),
            per_second(median_of(looped, |round| round.rate)),
            p50,
            p99,
            fine_ms(median_of(looped, |round| round.server_ms)),
        ]);
    }
    let [tcp, rest @ ..] = &rounds;
    let findings = WAYS.iter().skip(1).zip(rest).map(|((name, ..), looped)| {
        let p50 = |one: &Looped| quantile_ms(&one.latencies, 0.5);
        let ratios = looped.iter().zip(tcp).map(|(one, tcp)| p50(one) / p50(tcp));
        Finding::new(
            format!("p50 of {name}, of Predict's over TCP"),
            Unit::Ratio,
            ratios.collect(),
        )
    });
    Ok(Section {
        origin: origin.clone(),
        disturbance: Disturbance::default(),
        title: "The ways in for a control loop".to_owned(),
        method: "The tiny networks of (c), one caller that sends its next request when it has the answer, with the generated client.".to_owned(),
        findings: findings.collect(),
        tables: vec![table],
        notes: Vec::new(),
    })
}

async fn looping(
    server: &Server,
    address: String,
    stream: bool,
    requests: &[PredictRequest],
    window: Duration,
) -> anyhow::Result<Looped> {
    let channel = Endpoint::from_shared(address)?.tcp_nodelay(true).connect().await?;
    let client = Client::new(channel);
    let (start, cpu) = (Instant::now(), cpu_of(server.pid())?);
    let latencies = if stream {
        by_stream(client, requests, window).await?
    } else {
        by_calls(client, requests, window).await?
    };
    let used = cpu_of(server.pid())?.saturating_sub(cpu);
    Ok(Looped {
        rate: latencies.len() as f64 / start.elapsed().as_secs_f64(),
        server_ms: per(used, latencies.len()),
        latencies,
    })
}

async fn by_calls(mut client: Client, requests: &[PredictRequest], window: Duration) -> anyhow::Result<Latencies> {
    let (mut seen, start) = (latencies()?, Instant::now());
    for request in requests.iter().cycle() {
        let sent = Instant::now();
        if sent - start >= window {
            break;
        }
        client.predict(request.clone()).await?;
        seen.saturating_record(nanos(sent.elapsed()));
    }
    Ok(seen)
}

async fn by_stream(mut client: Client, requests: &[PredictRequest], window: Duration) -> anyhow::Result<Latencies> {
    let (ask, asked) = mpsc::channel(1);
    let mut answers = client.predict_stream(ReceiverStream::new(asked)).await?.into_inner();
    let (mut seen, start) = (latencies()?, Instant::now());
    for request in requests.iter().cycle() {
        let sent = Instant::now();
        if sent - start >= window {
            break;
        }
        let message = PredictStreamRequest {
            request: Some(request.clone()),
            timeout_us: 0,
        };
        ask.send(message).await?;
        let answer = answers.message().await?.context("the stream ended")?;
        ensure!(matches!(answer.outcome, Some(Outcome::Response(_))), "{answer:?}");
        seen.saturating_record(nanos(sent.elapsed()));
    }
    Ok(seen)
}
