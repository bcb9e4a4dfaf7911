//! (a) Pairs a second at saturation, and what the server costs beyond inference.

use super::{Bench, costs, fine_ms, median_of, p50_p99, paired_rounds, per_second};
use crate::bare_runtime::Bare;
use crate::closed_loop::Traffic;
use crate::interference::Disturbance;
use crate::provenance::Origin;
use crate::report::{Finding, Section, Table, Unit};
use crate::testbed::Models;

const CALLERS: usize = 16;
const LARGER_BATCHES: [usize; 2] = [4, 16];

pub fn run(bench: &Bench, origin: &Origin) -> anyhow::Result<Section> {
    let served = bench.world.serve(Models::Pairs, &[])?;
    let mut bare = bench.world.bare(Models::Pairs)?;
    let rounds = paired_rounds::rounds(bench, &served.server, &mut bare, CALLERS, &LARGER_BATCHES)?;
    let (server, below) = (
        median_of(&rounds.server, Traffic::rate),
        median_of(&rounds.bare, |bare| bare.rate),
    );
    let best: Vec<f64> = rounds
        .bare
        .iter()
        .zip(&rounds.bare_batches)
        .map(|(one, larger)| larger.iter().map(|bare| bare.rate).fold(one.rate, f64::max))
        .collect();
    let of_best = rounds
        .server
        .iter()
        .zip(&best)
        .map(|(server, best)| server.rate() / best);
    let of_best = of_best.collect();
    let (server_ms, bare_ms) = (
        median_of(&rounds.server, Traffic::server_ms),
        median_of(&rounds.bare, Bare::cpu_ms),
    );
    let mut table = Table::new(&["", "pairs a second", "CPU a pair", "p50", "p99"]);
    let [p50, p99] = p50_p99(rounds.server.iter().map(|round| &round.latencies))?;
    table.row([
        format!("server, {CALLERS} callers"),
        per_second(server),
        fine_ms(server_ms),
        p50,
        p99,
    ]);
    let row = |batch: usize, bares: Vec<&Bare>| -> anyhow::Result<[String; 5]> {
        let [p50, p99] = p50_p99(bares.iter().map(|bare| &bare.latencies))?;
        Ok([
            format!("bare, batch {batch}"),
            per_second(median_of(&bares, |bare| bare.rate)),
            fine_ms(median_of(&bares, |bare| bare.cpu_ms())),
            p50,
            p99,
        ])
    };
    table.row(row(1, rounds.bare.iter().collect())?);
    for (place, batch) in LARGER_BATCHES.into_iter().enumerate() {
        let bares = rounds.bare_batches.iter().filter_map(|bares| bares.get(place));
        table.row(row(batch, bares.collect())?);
    }
    let processors = bare.len() as f64;
    let taken = median_of(&rounds.server, |round| {
        round.own_cpu.as_secs_f64() / round.time.as_secs_f64()
    });
    Ok(Section {
        origin: origin.clone(),
        disturbance: Disturbance::default(),
        title: "Pairs a second at saturation".to_owned(),
        method: format!(
            "{CALLERS} callers, each with one image at a time and a connection of its own; a request is a row for g and a row for h. Against the bare \
             loop: each thread runs g, then h, on one image (batch 1), or on 4 or 16 at once. The load generator shares the processors \
             with the server, not with the bare loop."
        ),
        findings: vec![
            Finding::new("pairs a second, of the bare loop's", Unit::Ratio, rounds.ratios())
                .at_least(0.90)
                .from(format!("{} of {}", per_second(server), per_second(below))),
            Finding::new("the same, of the bare loop at its best batch", Unit::Ratio, of_best).from(format!(
                "{} of {}",
                per_second(server),
                per_second(super::median(&best))
            )),
            Finding::new(
                "the server's CPU a request beyond inference",
                Unit::Milliseconds,
                rounds.beyond_ms(),
            )
            .from(format!("{} less bare {}", fine_ms(server_ms), fine_ms(bare_ms))),
        ],
        tables: vec![table],
        notes: vec![
            format!("{}.", costs(&rounds.server)),
            format!(
                "The generator took {:.1} % of the processors' time, which the bare loop had for itself.",
                100.0 * taken / processors
            ),
        ],
    })
}
