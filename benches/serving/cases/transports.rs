//! (i) The transports for a control loop: unary calls or one stream, over TCP or a Unix socket.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use certimix::rpc::proto::predict_stream_response::Outcome;
use certimix::rpc::proto::{PredictRequest, PredictStreamRequest};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use super::format::{ms_3_decimals, per_second};
use super::round_statistics::{median_of, p50_p99};
use crate::async_runtime::block_on_this_thread;
use crate::context::BenchContext;
use crate::latency::{LatencyHistogram, latency_histogram, ms_per, nanoseconds, quantile_ms};
use crate::process_usage::cpu_time;
use crate::provenance::Provenance;
use crate::report::{CaseReport, Measurement, ReportTable, Unit};
use crate::server_process::ServerProcess;
use crate::testbed::ModelSet;

struct Transport {
    name: &'static str,
    unix_socket: bool,
    /// One PredictStream carries all requests.
    stream: bool,
}

const TRANSPORTS: [Transport; 4] = [
    Transport {
        name: "Predict, TCP",
        unix_socket: false,
        stream: false,
    },
    Transport {
        name: "Predict, Unix socket",
        unix_socket: true,
        stream: false,
    },
    Transport {
        name: "PredictStream, TCP",
        unix_socket: false,
        stream: true,
    },
    Transport {
        name: "PredictStream, Unix socket",
        unix_socket: true,
        stream: true,
    },
];

struct TransportRound {
    latencies: LatencyHistogram,
    rate: f64,
    server_cpu_ms: f64,
}

type Client = MixedClassifierClient<Channel>;

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let plan = &context.plan;
    let folder = tempfile::TempDir::new()?;
    let (server, socket) = context
        .testbed
        .start_server_with_socket(ModelSet::Tiny, folder.path())?;
    let requests = context.testbed.predict_requests(ModelSet::Tiny);
    let mut results: [Vec<TransportRound>; 4] = Default::default();
    for round in 1..=plan.rounds {
        for (transport, rounds) in TRANSPORTS.iter().zip(&mut results) {
            let step = format!("{}, round {round} of {}", transport.name, plan.rounds);
            context.progress.set_step(&step);
            let measured = measure_round(transport, &server.process, &socket, &requests, plan.window);
            let result = block_on_this_thread(measured)?;
            context.progress.print(format!("{step}: {:.0}/s", result.rate));
            rounds.push(result);
        }
    }
    let mut table = ReportTable::new(&[
        "one caller in a closed loop",
        "requests a second",
        "p50",
        "p99",
        "server CPU per request",
    ]);
    for (transport, rounds) in TRANSPORTS.iter().zip(&results) {
        let [p50, p99] = p50_p99(rounds.iter().map(|round| &round.latencies))?;
        table.add_row([
            transport.name.to_owned(),
            per_second(median_of(rounds, |round| round.rate)),
            p50,
            p99,
            ms_3_decimals(median_of(rounds, |round| round.server_cpu_ms)),
        ]);
    }
    let [predict_over_tcp, others @ ..] = &results;
    let measurements = TRANSPORTS.iter().skip(1).zip(others).map(|(transport, rounds)| {
        let p50 = |round: &TransportRound| quantile_ms(&round.latencies, 0.5);
        let both = rounds.iter().zip(predict_over_tcp);
        let ratios = both.map(|(round, reference)| p50(round) / p50(reference));
        Measurement::new(
            format!("p50 of {}, relative to Predict over TCP", transport.name),
            Unit::Ratio,
            ratios.collect(),
        )
    });
    let method = "The tiny networks of (c), and one caller that sends its next request after the answer, with the generated client.";
    Ok(CaseReport {
        measurements: measurements.collect(),
        tables: vec![table],
        ..CaseReport::new(provenance, "Transports for a control loop", method.to_owned())
    })
}

async fn measure_round(
    transport: &Transport,
    server: &ServerProcess,
    socket: &Path,
    requests: &[PredictRequest],
    window: Duration,
) -> anyhow::Result<TransportRound> {
    let address = if transport.unix_socket {
        format!("unix:{}", socket.display())
    } else {
        format!("http://{}", server.address)
    };
    let channel = Endpoint::from_shared(address)?.tcp_nodelay(true).connect().await?;
    let client = Client::new(channel);
    let (start, cpu) = (Instant::now(), cpu_time(server.pid())?);
    let latencies = if transport.stream {
        send_on_stream(client, requests, window).await?
    } else {
        send_unary(client, requests, window).await?
    };
    let used = cpu_time(server.pid())?.saturating_sub(cpu);
    Ok(TransportRound {
        rate: latencies.len() as f64 / start.elapsed().as_secs_f64(),
        server_cpu_ms: ms_per(used, latencies.len()),
        latencies,
    })
}

async fn send_unary(
    mut client: Client,
    requests: &[PredictRequest],
    window: Duration,
) -> anyhow::Result<LatencyHistogram> {
    let (mut latencies, start) = (latency_histogram()?, Instant::now());
    for request in requests.iter().cycle() {
        let sent = Instant::now();
        if sent - start >= window {
            break;
        }
        client.predict(request.clone()).await?;
        latencies.saturating_record(nanoseconds(sent.elapsed()));
    }
    Ok(latencies)
}

async fn send_on_stream(
    mut client: Client,
    requests: &[PredictRequest],
    window: Duration,
) -> anyhow::Result<LatencyHistogram> {
    let (sender, receiver) = mpsc::channel(1);
    let mut answers = client.predict_stream(ReceiverStream::new(receiver)).await?.into_inner();
    let (mut latencies, start) = (latency_histogram()?, Instant::now());
    for request in requests.iter().cycle() {
        let sent = Instant::now();
        if sent - start >= window {
            break;
        }
        let message = PredictStreamRequest {
            request: Some(request.clone()),
            ..Default::default()
        };
        sender.send(message).await?;
        let answer = answers.message().await?.context("the stream ended")?;
        ensure!(matches!(answer.outcome, Some(Outcome::Response(_))), "{answer:?}");
        latencies.saturating_record(nanoseconds(sent.elapsed()));
    }
    Ok(latencies)
}
