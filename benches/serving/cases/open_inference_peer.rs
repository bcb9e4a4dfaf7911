//! (o) The Open Inference Protocol, which other servers speak, beside a server in Python.

use super::format::{callers_text, ms_3_decimals, per_second};
use super::round_statistics::{median_of, p50_p99};
use crate::bare_runtime::{BareLoopResult, run_in_parallel, saturate_pairs};
use crate::closed_loop::{ClosedLoopResult, run_closed_loop};
use crate::context::BenchContext;
use crate::provenance::Provenance;
use crate::raw_client::EncodedCall;
use crate::report::{CaseReport, Measurement, ReportTable, Unit};
use crate::testbed::{ModelSet, PeerThreads};

const CALLERS: [usize; 3] = [1, 4, 16];

/// A pair of models, its name, and the threads with which the peer is fastest.
const PAIRS: [(ModelSet, &str, PeerThreads); 2] = [
    (ModelSet::Tiny, "tiny", PeerThreads::EventLoop),
    (ModelSet::Unproven, "ResNet", PeerThreads::TwoForModels),
];

/// The server must answer this many times as many requests as the peer. For the larger models the
/// bare loop is the measure, in (h).
const TARGET: f64 = 5.0;

const SIDES: [&str; 3] = ["server, Predict", "server, ModelInfer", "peer, ModelInfer"];

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let mut measurements = Vec::new();
    let mut table = ReportTable::new(&[
        "pair",
        "callers",
        "",
        "requests a second",
        "p50",
        "p99",
        "server CPU per request",
    ]);
    for (models, pair, threads) in PAIRS {
        for callers in CALLERS {
            let rounds = measure_rounds(context, models, pair, threads, callers)?;
            for (name, results) in SIDES.into_iter().zip(&rounds.served) {
                let [p50, p99] = p50_p99(results.iter().map(|round| &round.latencies))?;
                table.add_row([
                    pair.to_owned(),
                    callers.to_string(),
                    name.to_owned(),
                    per_second(median_of(results, ClosedLoopResult::rate)),
                    p50,
                    p99,
                    ms_3_decimals(median_of(results, ClosedLoopResult::server_cpu_ms)),
                ]);
            }
            let [p50, p99] = p50_p99(rounds.bare.iter().map(|round| &round.latencies))?;
            table.add_row([
                pair.to_owned(),
                callers.to_string(),
                "bare".to_owned(),
                per_second(median_of(&rounds.bare, |round| round.rate)),
                p50,
                p99,
                ms_3_decimals(median_of(&rounds.bare, BareLoopResult::cpu_ms)),
            ]);
            let ratio = ratio_to_peer(&rounds, pair, callers);
            measurements.push(match models {
                ModelSet::Tiny => ratio.at_least(TARGET),
                _ => ratio,
            });
        }
    }
    let method = "Both servers answer ModelInfer of the Open Inference Protocol on the same two models with one input per request. The peer \
                  (benches/serving/peer_server.py) is grpc.aio with the Python package of onnxruntime: it computes the mixed logits and no \
                  certificate. It runs the tiny networks on the thread of its event loop, and the larger ones on two threads, which is faster \
                  for each. Predict of the server's own service is shown beside. One caller is compared with the bare pair (g and h at once \
                  on two threads), more callers with the bare loop on every processor.";
    Ok(CaseReport {
        measurements,
        tables: vec![table],
        ..CaseReport::new(
            provenance,
            "The Open Inference Protocol beside a peer",
            method.to_owned(),
        )
    })
}

/// The results of each side in the order of [`SIDES`], and of the bare models.
struct PeerRounds {
    served: [Vec<ClosedLoopResult>; 3],
    bare: Vec<BareLoopResult>,
}

fn measure_rounds(
    context: &BenchContext,
    models: ModelSet,
    pair: &str,
    threads: PeerThreads,
    callers: usize,
) -> anyhow::Result<PeerRounds> {
    let (plan, testbed) = (&context.plan, &context.testbed);
    let server = testbed.start_server(models, &[])?.process;
    let peer = testbed.start_peer(models, threads)?;
    let mut bare = testbed.open_bare_pairs(models)?;
    let predict = EncodedCall::new("Predict", &testbed.predict_requests(models))?;
    let infer = EncodedCall::to(
        "/inference.GRPCInferenceService/ModelInfer",
        &testbed.infer_requests(models),
    )?;
    let sides = [(&server, &predict), (&server, &infer), (&peer, &infer)];
    let mut rounds = PeerRounds {
        served: Default::default(),
        bare: Vec::new(),
    };
    for round in 1..=plan.rounds {
        let step = format!("{pair}, {}, round {round} of {}", callers_text(callers), plan.rounds);
        context.progress.set_step(&step);
        rounds.bare.push(match bare.as_mut_slice() {
            [first, ..] if callers == 1 => run_in_parallel(first, plan.window)?,
            pairs => saturate_pairs(pairs, 1, plan.window)?,
        });
        let mut rates = Vec::new();
        for ((process, call), results) in sides.iter().zip(&mut rounds.served) {
            let result = run_closed_loop(process, call, callers, plan.warm_up, plan.window)?;
            rates.push(per_second(result.rate()));
            results.push(result);
        }
        context.progress.print(format!("{step}: {}", rates.join(", ")));
    }
    Ok(rounds)
}

fn ratio_to_peer(rounds: &PeerRounds, pair: &str, callers: usize) -> Measurement {
    let [_, infer, peer] = &rounds.served;
    let ratios = infer.iter().zip(peer).map(|(server, peer)| server.rate() / peer.rate());
    Measurement::new(
        format!(
            "ModelInfer a second, relative to the peer, {pair} pair, {}",
            callers_text(callers)
        ),
        Unit::Ratio,
        ratios.collect(),
    )
    .computed_from(format!(
        "{} of {}",
        per_second(median_of(infer, ClosedLoopResult::rate)),
        per_second(median_of(peer, ClosedLoopResult::rate))
    ))
}
