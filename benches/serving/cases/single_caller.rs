//! (b) One caller: the latency of a Predict beyond the hand-written pair.

use anyhow::Context as _;

use super::format::ms;
use super::pooling::{cpu_costs, median_of, p50_p99};
use crate::bare_runtime::{BareLoopResult, run_in_parallel};
use crate::closed_loop::{ClosedLoopResult, run_closed_loop};
use crate::context::BenchContext;
use crate::latency::quantile_ms;
use crate::provenance::Provenance;
use crate::raw_client::EncodedCall;
use crate::report::{CaseReport, Measurement, ReportTable, Unit};
use crate::testbed::ModelSet;

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let plan = &context.plan;
    let server = context.testbed.start_server(ModelSet::Unproven, &[])?;
    let mut bare_pairs = context.testbed.open_bare_pairs(ModelSet::Unproven)?;
    let call = EncodedCall::new("Predict", &context.testbed.predict_requests(ModelSet::Unproven))?;
    let (mut server_rounds, mut bare_rounds): (Vec<ClosedLoopResult>, Vec<BareLoopResult>) = Default::default();
    for round in 1..=plan.rounds {
        let step = format!("one caller, round {round} of {}", plan.rounds);
        context.progress.set_step(&step);
        let pair = bare_pairs.first_mut().context("no bare pair")?;
        let bare = run_in_parallel(pair, plan.window)?;
        let served = run_closed_loop(&server.process, &call, 1, plan.warm_up, plan.window)?;
        context.progress.print(format!(
            "{step}: server {}, bare {} at p50",
            ms(quantile_ms(&served.latencies, 0.5)),
            ms(quantile_ms(&bare.latencies, 0.5))
        ));
        bare_rounds.push(bare);
        server_rounds.push(served);
    }
    let differences = |q: f64| -> Vec<f64> {
        let both = server_rounds.iter().zip(&bare_rounds);
        both.map(|(server, bare)| quantile_ms(&server.latencies, q) - quantile_ms(&bare.latencies, q))
            .collect()
    };
    let computed_from = |q: f64| {
        format!(
            "{} minus {}",
            ms(median_of(&server_rounds, |round| quantile_ms(&round.latencies, q))),
            ms(median_of(&bare_rounds, |round| quantile_ms(&round.latencies, q)))
        )
    };
    let mut table = ReportTable::new(&["", "p50", "p99"]);
    let [p50, p99] = p50_p99(server_rounds.iter().map(|round| &round.latencies))?;
    table.add_row(["server".to_owned(), p50, p99]);
    let [p50, p99] = p50_p99(bare_rounds.iter().map(|round| &round.latencies))?;
    table.add_row(["bare".to_owned(), p50, p99]);
    let method = "One caller sends one image after the other. The bare pair is a hand-written program: one thread runs h while another \
                  thread, which gets its task over a channel, runs g. The difference is the cost of the network, HTTP/2, decoding, two \
                  queues, mixing and encoding.";
    Ok(CaseReport {
        measurements: vec![
            Measurement::new("Predict minus the bare pair, p50", Unit::Milliseconds, differences(0.5))
                .at_most(0.30)
                .computed_from(computed_from(0.5)),
            Measurement::new(
                "Predict minus the bare pair, p99",
                Unit::Milliseconds,
                differences(0.99),
            )
            .computed_from(computed_from(0.99)),
        ],
        tables: vec![table],
        notes: vec![format!("{}.", cpu_costs(&server_rounds))],
        ..CaseReport::new(provenance, "One caller", method.to_owned())
    })
}
