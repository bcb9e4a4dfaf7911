//! (a) Throughput at saturation, and the cost of the server beyond inference.

use super::format::{ms_3_decimals, per_second};
use super::paired_rounds::measure_paired_rounds;
use super::pooling::{cpu_costs, median_of, p50_p99};
use crate::bare_runtime::BareLoopResult;
use crate::closed_loop::ClosedLoopResult;
use crate::context::BenchContext;
use crate::provenance::Provenance;
use crate::report::{CaseReport, Measurement, ReportTable, Unit};
use crate::statistics::median;
use crate::testbed::ModelSet;

const CALLERS: usize = 16;
const LARGER_BATCHES: [usize; 2] = [4, 16];

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let server = context.testbed.start_server(ModelSet::Unproven, &[])?;
    let mut bare = context.testbed.open_bare_pairs(ModelSet::Unproven)?;
    let rounds = measure_paired_rounds(context, &server.process, &mut bare, CALLERS, &LARGER_BATCHES)?;
    let (server_rate, bare_rate) = (
        median_of(&rounds.server, ClosedLoopResult::rate),
        median_of(&rounds.bare, |bare| bare.rate),
    );
    let best_rates: Vec<f64> = rounds
        .bare
        .iter()
        .zip(&rounds.bare_batches)
        .map(|(one, larger)| larger.iter().map(|bare| bare.rate).fold(one.rate, f64::max))
        .collect();
    let ratios_to_best = rounds
        .server
        .iter()
        .zip(&best_rates)
        .map(|(server, best)| server.rate() / best)
        .collect();
    let (server_ms, bare_ms) = (
        median_of(&rounds.server, ClosedLoopResult::server_cpu_ms),
        median_of(&rounds.bare, BareLoopResult::cpu_ms),
    );
    let mut table = ReportTable::new(&["", "pairs a second", "CPU per pair", "p50", "p99"]);
    let [p50, p99] = p50_p99(rounds.server.iter().map(|round| &round.latencies))?;
    table.add_row([
        format!("server, {CALLERS} callers"),
        per_second(server_rate),
        ms_3_decimals(server_ms),
        p50,
        p99,
    ]);
    let bare_row = |batch: usize, results: Vec<&BareLoopResult>| -> anyhow::Result<[String; 5]> {
        let [p50, p99] = p50_p99(results.iter().map(|bare| &bare.latencies))?;
        Ok([
            format!("bare, batch {batch}"),
            per_second(median_of(&results, |bare| bare.rate)),
            ms_3_decimals(median_of(&results, |bare| bare.cpu_ms())),
            p50,
            p99,
        ])
    };
    table.add_row(bare_row(1, rounds.bare.iter().collect())?);
    for (index, batch) in LARGER_BATCHES.into_iter().enumerate() {
        let results = rounds.bare_batches.iter().filter_map(|results| results.get(index));
        table.add_row(bare_row(batch, results.collect())?);
    }
    let processors = bare.len() as f64;
    let generator_processors = median_of(&rounds.server, |round| {
        round.generator_cpu.as_secs_f64() / round.time.as_secs_f64()
    });
    let method = format!(
        "{CALLERS} callers, each with its own connection and one image at a time. A request is one row for g and one row for h. In \
         the bare loop each thread runs g, then h, on one image (batch 1), or on 4 or 16 images at once. The load generator shares \
         the processors with the server, not with the bare loop."
    );
    Ok(CaseReport {
        measurements: vec![
            Measurement::new(
                "pairs a second, relative to the bare loop",
                Unit::Ratio,
                rounds.throughput_ratios(),
            )
            .at_least(0.90)
            .computed_from(format!("{} of {}", per_second(server_rate), per_second(bare_rate))),
            Measurement::new(
                "pairs a second, relative to the bare loop at its best batch",
                Unit::Ratio,
                ratios_to_best,
            )
            .computed_from(format!(
                "{} of {}",
                per_second(server_rate),
                per_second(median(&best_rates))
            )),
            Measurement::new(
                "server CPU beyond inference, per request",
                Unit::Milliseconds,
                rounds.cpu_overhead_ms(),
            )
            .computed_from(format!(
                "{} minus bare {}",
                ms_3_decimals(server_ms),
                ms_3_decimals(bare_ms)
            )),
        ],
        tables: vec![table],
        notes: vec![
            format!("{}.", cpu_costs(&rounds.server)),
            format!(
                "The generator took {:.1} % of the processor time, all of which the bare loop had to itself.",
                100.0 * generator_processors / processors
            ),
        ],
        ..CaseReport::new(provenance, "Throughput at saturation", method)
    })
}
