//! (b) One caller: what a Predict takes longer than the pair run by hand.

use anyhow::Context as _;

use super::{Bench, costs, median_of, ms, p50_p99};
use crate::bare_runtime::{Bare, together};
use crate::closed_loop::{Traffic, closed, quantile_ms};
use crate::interference::Disturbance;
use crate::provenance::Origin;
use crate::raw_client::Call;
use crate::report::{Finding, Section, Table, Unit};
use crate::testbed::Models;

pub fn run(bench: &Bench, origin: &Origin) -> anyhow::Result<Section> {
    let plan = &bench.plan;
    let served = bench.world.serve(Models::Pairs, &[])?;
    let mut bare = bench.world.bare(Models::Pairs)?;
    let call = Call::new("Predict", &bench.world.predictions(Models::Pairs))?;
    let (mut server, mut below): (Vec<Traffic>, Vec<Bare>) = Default::default();
    for round in 1..=plan.rounds {
        let step = format!("one caller, round {round} of {}", plan.rounds);
        bench.progress.begin(&step);
        let pair = bare.first_mut().context("no bare pair")?;
        let by_hand = together(pair, plan.window)?;
        let traffic = closed(&served.server, &call, 1, plan.warm_up, plan.window)?;
        bench.progress.tell(format!(
            "{step}: server {}, bare {} at p50",
            ms(quantile_ms(&traffic.latencies, 0.5)),
            ms(quantile_ms(&by_hand.latencies, 0.5))
        ));
        below.push(by_hand);
        server.push(traffic);
    }
    let difference = |q: f64| -> Vec<f64> {
        let both = server.iter().zip(&below);
        both.map(|(server, bare)| quantile_ms(&server.latencies, q) - quantile_ms(&bare.latencies, q))
            .collect()
    };
    let p50_of = |q: f64| {
        (
            median_of(&server, |round| quantile_ms(&round.latencies, q)),
            median_of(&below, |round| quantile_ms(&round.latencies, q)),
        )
    };
    let from = |q: f64| {
        let (server, bare) = p50_of(q);
        format!("{} less {}", ms(server), ms(bare))
    };
    let mut table = Table::new(&["", "p50", "p99"]);
    let [p50, p99] = p50_p99(server.iter().map(|round| &round.latencies))?;
    table.row(["server".to_owned(), p50, p99]);
    let [p50, p99] = p50_p99(below.iter().map(|round| &round.latencies))?;
    table.row(["bare".to_owned(), p50, p99]);
    Ok(Section {
        origin: origin.clone(),
        disturbance: Disturbance::default(),
        title: "One caller".to_owned(),
        method: "One caller, one image after the other, against the pair run by hand: one thread runs h while another runs g, which it is handed \
                 over a channel. The difference holds the network, HTTP/2, decoding, two queues, mixing and encoding."
            .to_owned(),
        findings: vec![
            Finding::new("Predict beyond the bare pair, p50", Unit::Milliseconds, difference(0.5))
                .at_most(0.30)
                .from(from(0.5)),
            Finding::new("the same at p99", Unit::Milliseconds, difference(0.99)).from(from(0.99)),
        ],
        tables: vec![table],
        notes: vec![format!("{}.", costs(&server))],
    })
}
