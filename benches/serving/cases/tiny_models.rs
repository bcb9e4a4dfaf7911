//! (c) Two tiny networks: what is left is the server itself, against tonic with nothing behind it.

use std::ffi::OsStr;

use super::{Bench, crowd, fine_ms, median_of, p50_p99, per_second};
use crate::closed_loop::{Traffic, closed};
use crate::interference::Disturbance;
use crate::provenance::Origin;
use crate::raw_client::Call;
use crate::report::{Finding, Section, Table, Unit};
use crate::server_process::Server;
use crate::testbed::Models;

const CALLERS: [usize; 4] = [1, 4, 16, 64];
const TARGET: f64 = 0.75;

pub fn run(bench: &Bench, origin: &Origin) -> anyhow::Result<Section> {
    let plan = &bench.plan;
    let served = bench.world.serve(Models::Tiny, &[])?;
    let call = Call::new("Predict", &bench.world.predictions(Models::Tiny))?;
    // What the real server says, so that both encode and send the same.
    let answer = served.server.ask_bytes(&call)?;
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("answer.bin");
    std::fs::write(&file, &answer)?;
    let arguments = [OsStr::new("--bench"), OsStr::new("--echo"), file.as_os_str()];
    let echo = Server::start(&std::env::current_exe()?, &arguments)?;

    let mut findings = Vec::new();
    let mut table = Table::new(&[
        "callers",
        "",
        "requests a second",
        "p50",
        "p99",
        "its CPU a request",
        "generator CPU",
    ]);
    let mut rates = Vec::new();
    for callers in CALLERS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 1..=plan.rounds {
            let step = format!("{}, round {round} of {}", crowd(callers), plan.rounds);
            bench.progress.begin(&step);
            let below = closed(&echo, &call, callers, plan.warm_up, plan.window)?;
            let above = closed(&served.server, &call, callers, plan.warm_up, plan.window)?;
            bench.progress.tell(format!(
                "{step}: server {:.0}/s, echo {:.0}/s",
                above.rate(),
                below.rate()
            ));
            theirs.push(below);
            ours.push(above);
        }
        for (name, rounds) in [("server", &ours), ("echo", &theirs)] {
            let [p50, p99] = p50_p99(rounds.iter().map(|round| &round.latencies))?;
            table.row([
                callers.to_string(),
                name.to_owned(),
                per_second(median_of(rounds, Traffic::rate)),
                p50,
                p99,
                fine_ms(median_of(rounds, Traffic::server_ms)),
                fine_ms(median_of(rounds, Traffic::own_ms)),
            ]);
        }
        let ratios = ours
            .iter()
            .zip(&theirs)
            .map(|(ours, theirs)| ours.rate() / theirs.rate());
        let (our_rate, their_rate) = (median_of(&ours, Traffic::rate), median_of(&theirs, Traffic::rate));
        rates.push((callers, our_rate));
        findings.push(
            Finding::new(
                format!("requests a second, of the echo's, {}", crowd(callers)),
                Unit::Ratio,
                ratios.collect(),
            )
            .from(format!("{} of {}", per_second(our_rate), per_second(their_rate))),
        );
    }
    // Saturation is where the server answers most.
    let most = rates
        .iter()
        .copied()
        .max_by(|(_, left), (_, right)| left.total_cmp(right));
    let (at, _) = most.unwrap_or_default();
    let findings = findings.into_iter().zip(CALLERS).map(|(finding, callers)| {
        if callers == at {
            finding.at_least(TARGET)
        } else {
            finding
        }
    });
    Ok(Section {
        origin: origin.clone(),
        disturbance: Disturbance::default(),
        title: "A controller's tiny networks".to_owned(),
        method: format!(
            "Two networks of 8, 32, 32 and 4 units (tests/fixtures/policy_*.onnx), one state vector a request ({} bytes, {} bytes back). Against an echo: \
             a tonic server of the same generated service, on the same kind of runtime, which decodes the request and answers at once with a response \
             of the same bytes. The target holds at saturation: {at} callers, where the server answers most. The generator needs much of the \
             processors here and slows both sides.",
            call.payload(),
            answer.len()
        ),
        findings: findings.collect(),
        tables: vec![table],
        notes: Vec::new(),
    })
}
