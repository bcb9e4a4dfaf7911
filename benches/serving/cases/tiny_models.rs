//! (c) Two tiny networks: the cost of the server itself, against tonic with nothing behind it.

use super::format::{callers_text, ms_3_decimals, per_second};
use super::round_statistics::{median_of, p50_p99};
use crate::closed_loop::{ClosedLoopResult, run_closed_loop};
use crate::context::BenchContext;
use crate::provenance::Provenance;
use crate::raw_client::EncodedCall;
use crate::report::{CaseReport, Measurement, ReportTable, Unit};
use crate::testbed::ModelSet;

const CALLERS: [usize; 4] = [1, 4, 16, 64];
const TARGET: f64 = 0.75;

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let plan = &context.plan;
    let server = context.testbed.start_server(ModelSet::Tiny, &[])?;
    let call = EncodedCall::new("Predict", &context.testbed.predict_requests(ModelSet::Tiny))?;
    let folder = tempfile::TempDir::new()?;
    let (echo_server, response_bytes) = context
        .testbed
        .start_echo(&server.process, ModelSet::Tiny, folder.path())?;

    let mut measurements = Vec::new();
    let mut table = ReportTable::new(&[
        "callers",
        "",
        "requests a second",
        "p50",
        "p99",
        "server CPU per request",
        "generator CPU",
    ]);
    let mut rates = Vec::new();
    for callers in CALLERS {
        let (mut server_rounds, mut echo_rounds) = (Vec::new(), Vec::new());
        for round in 1..=plan.rounds {
            let step = format!("{}, round {round} of {}", callers_text(callers), plan.rounds);
            context.progress.set_step(&step);
            let echo = run_closed_loop(&echo_server, &call, callers, plan.warm_up, plan.window)?;
            let served = run_closed_loop(&server.process, &call, callers, plan.warm_up, plan.window)?;
            context.progress.print(format!(
                "{step}: server {:.0}/s, echo {:.0}/s",
                served.rate(),
                echo.rate()
            ));
            echo_rounds.push(echo);
            server_rounds.push(served);
        }
        for (name, rounds) in [("server", &server_rounds), ("echo", &echo_rounds)] {
            let [p50, p99] = p50_p99(rounds.iter().map(|round| &round.latencies))?;
            table.add_row([
                callers.to_string(),
                name.to_owned(),
                per_second(median_of(rounds, ClosedLoopResult::rate)),
                p50,
                p99,
                ms_3_decimals(median_of(rounds, ClosedLoopResult::server_cpu_ms)),
                ms_3_decimals(median_of(rounds, ClosedLoopResult::generator_cpu_ms)),
            ]);
        }
        let ratios = server_rounds
            .iter()
            .zip(&echo_rounds)
            .map(|(server, echo)| server.rate() / echo.rate());
        let (server_rate, echo_rate) = (
            median_of(&server_rounds, ClosedLoopResult::rate),
            median_of(&echo_rounds, ClosedLoopResult::rate),
        );
        rates.push((callers, server_rate));
        measurements.push(
            Measurement::new(
                format!("requests a second, relative to the echo, {}", callers_text(callers)),
                Unit::Ratio,
                ratios.collect(),
            )
            .computed_from(format!("{} of {}", per_second(server_rate), per_second(echo_rate))),
        );
    }
    // Saturation is the number of callers at which the server answers most requests.
    let saturation = rates
        .iter()
        .copied()
        .max_by(|(_, left), (_, right)| left.total_cmp(right));
    let (saturating_callers, _) = saturation.unwrap_or_default();
    let measurements = measurements.into_iter().zip(CALLERS).map(|(measurement, callers)| {
        if callers == saturating_callers {
            measurement.at_least(TARGET)
        } else {
            measurement
        }
    });
    let method = format!(
        "Two networks with 8, 32, 32 and 4 units (tests/fixtures/policy_*.onnx). A request is one state vector ({} bytes, and {} bytes \
         back). The echo is a tonic server of the same generated service on the same kind of runtime. It decodes the request and returns \
         a response of the same bytes. The target holds at saturation: {saturating_callers} callers, where the server answers most \
         requests. The generator needs much of the processors here and slows both sides.",
        call.message_bytes(),
        response_bytes
    );
    Ok(CaseReport {
        measurements: measurements.collect(),
        tables: vec![table],
        ..CaseReport::new(provenance, "Tiny networks of a controller", method)
    })
}
