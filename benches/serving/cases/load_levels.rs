//! (h) Requests a second of the bundled models at three loads, beside what is known of other servers.

use super::{Bench, crowd, fine_ms, median_of, p50_p99, paired_rounds, per_second};
use crate::bare_runtime::Bare;
use crate::closed_loop::Traffic;
use crate::interference::Disturbance;
use crate::provenance::Origin;
use crate::report::{Finding, Section, Table, Unit};
use crate::testbed::Models;

/// Callers, and the share of the bare loop that the server must reach.
const LOADS: [(usize, f64); 3] = [(1, 0.75), (4, 0.88), (16, 0.92)];
/// The targets for the processor time of a request and of its bare inference.
const CPU_TARGET: f64 = 1.48 / 1.39;

pub fn run(bench: &Bench, origin: &Origin) -> anyhow::Result<Section> {
    let served = bench.world.serve(Models::Pairs, &[])?;
    let mut bare = bench.world.bare(Models::Pairs)?;
    let mut findings = Vec::new();
    let mut table = Table::new(&[
        "callers",
        "server",
        "bare",
        "p50",
        "p99",
        "server CPU",
        "bare CPU a pair",
        "generator CPU",
    ]);
    let mut cpu = None;
    for (callers, target) in LOADS {
        let rounds = paired_rounds::rounds(bench, &served.server, &mut bare, callers, &[])?;
        let (server, below) = (
            median_of(&rounds.server, Traffic::rate),
            median_of(&rounds.bare, |bare| bare.rate),
        );
        let what = format!("requests a second, {}", crowd(callers));
        findings.push(
            Finding::new(what, Unit::Ratio, rounds.ratios())
                .at_least(target)
                .from(format!("{} of {}", per_second(server), per_second(below))),
        );
        let (server_ms, bare_ms) = (
            median_of(&rounds.server, Traffic::server_ms),
            median_of(&rounds.bare, Bare::cpu_ms),
        );
        let [p50, p99] = p50_p99(rounds.server.iter().map(|round| &round.latencies))?;
        table.row([
            callers.to_string(),
            per_second(server),
            per_second(below),
            p50,
            p99,
            fine_ms(server_ms),
            fine_ms(bare_ms),
            fine_ms(median_of(&rounds.server, Traffic::own_ms)),
        ]);
        let ratios: Vec<f64> = rounds
            .server
            .iter()
            .zip(&rounds.bare)
            .map(|(server, bare)| server.server_ms() / bare.cpu_ms())
            .collect();
        // At the highest load, as the issue states it.
        cpu = Some(
            Finding::new(
                format!("server CPU a request, of bare inference, {callers} callers"),
                Unit::Ratio,
                ratios,
            )
            .at_most(CPU_TARGET)
            .from(format!("{} of {}", fine_ms(server_ms), fine_ms(bare_ms))),
        );
    }
    findings.extend(cpu);
    Ok(Section {
        origin: origin.clone(),
        disturbance: Disturbance::default(),
        title: "The bundled models at three loads".to_owned(),
        method: "The bundled pair, nothing proven of h, one image a request. One caller against the bare pair run (g and h at once on two threads); more \
                 against the bare loop on every processor."
            .to_owned(),
        findings,
        tables: vec![table],
        notes: vec![
            "For context, from the issue, on another machine of the same kind and NOT measured by this command: bare 993, 1542, 1539 pairs a \
             second with 1, 4, 16 callers. Of that, Triton with the Python backend reached 39, 56, 73 %; grpc.aio in Python 40, 47, 55 %; KServe's and \
             MLServer's Python servers 20 to 38 %, with 1.5 to 3.6 ms of server CPU a request; bare inference took 1.39 ms."
                .to_owned(),
        ],
    })
}
