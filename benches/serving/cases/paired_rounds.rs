//! Pairs a second, server against bare, in turn: what cases a and h share.

use super::{Bench, crowd};
use crate::bare_runtime::{Bare, Pair, saturate, together};
use crate::closed_loop::{Traffic, closed};
use crate::raw_client::Call;
use crate::server_process::Server;
use crate::testbed::Models;

/// Both sides of each round.
pub struct Rounds {
    pub bare: Vec<Bare>,
    pub server: Vec<Traffic>,
    /// The ceiling at larger batches, if asked for: of each round, one of each batch.
    pub bare_batches: Vec<Vec<Bare>>,
}

impl Rounds {
    pub fn ratios(&self) -> Vec<f64> {
        self.each(|server, bare| server.rate() / bare.rate)
    }

    /// What the server's processes cost beyond inference, in milliseconds a request.
    pub fn beyond_ms(&self) -> Vec<f64> {
        self.each(|server, bare| server.server_ms() - bare.cpu_ms())
    }

    fn each(&self, figure: impl Fn(&Traffic, &Bare) -> f64) -> Vec<f64> {
        let both = self.server.iter().zip(&self.bare);
        both.map(|(server, bare)| figure(server, bare)).collect()
    }
}

/// Measures `callers` against the bare pair run (one caller) or the bare loop on every processor (more).
pub fn rounds(
    bench: &Bench,
    server: &Server,
    bare: &mut [Pair],
    callers: usize,
    batches: &[usize],
) -> anyhow::Result<Rounds> {
    let plan = &bench.plan;
    let call = Call::new("Predict", &bench.world.predictions(Models::Pairs))?;
    let mut all = Rounds {
        bare: Vec::new(),
        server: Vec::new(),
        bare_batches: Vec::new(),
    };
    for round in 1..=plan.rounds {
        let step = format!("{}, round {round} of {}", crowd(callers), plan.rounds);
        bench.progress.begin(format!("{step}: bare"));
        let below = match bare {
            [first, ..] if callers == 1 => together(first, plan.window)?,
            _ => saturate(bare, 1, plan.window)?,
        };
        bench.progress.begin(format!("{step}: server"));
        let above = closed(server, &call, callers, plan.warm_up, plan.window)?;
        bench.progress.tell(format!(
            "{step}: server {:.0}/s, bare {:.0}/s, ratio {:.3}",
            above.rate(),
            below.rate,
            above.rate() / below.rate
        ));
        let larger = batches.iter().map(|&batch| saturate(bare, batch, plan.window / 2));
        all.bare_batches.push(larger.collect::<anyhow::Result<_>>()?);
        all.bare.push(below);
        all.server.push(above);
    }
    Ok(all)
}
