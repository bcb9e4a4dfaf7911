//! Throughput of the server and of the bare loop, measured in turn. Cases a and h use it.

use super::format::callers_text;
use crate::bare_runtime::{BareLoopResult, BareModelPair, run_in_parallel, saturate_pairs};
use crate::closed_loop::{ClosedLoopResult, run_closed_loop};
use crate::context::BenchContext;
use crate::raw_client::EncodedCall;
use crate::server_process::ServerProcess;
use crate::testbed::ModelSet;

/// Both sides of each round.
pub struct PairedRounds {
    pub bare: Vec<BareLoopResult>,
    pub server: Vec<ClosedLoopResult>,
    /// The bare loop at larger batches: for each round, one result for each batch.
    pub bare_batches: Vec<Vec<BareLoopResult>>,
}

impl PairedRounds {
    pub fn throughput_ratios(&self) -> Vec<f64> {
        self.each_round(|server, bare| server.rate() / bare.rate)
    }

    /// The processor time of the server beyond inference, in milliseconds per request.
    pub fn cpu_overhead_ms(&self) -> Vec<f64> {
        self.each_round(|server, bare| server.server_cpu_ms() - bare.cpu_ms())
    }

    pub fn cpu_ratios(&self) -> Vec<f64> {
        self.each_round(|server, bare| server.server_cpu_ms() / bare.cpu_ms())
    }

    fn each_round(&self, figure: impl Fn(&ClosedLoopResult, &BareLoopResult) -> f64) -> Vec<f64> {
        let both = self.server.iter().zip(&self.bare);
        both.map(|(server, bare)| figure(server, bare)).collect()
    }
}

/// Measures `callers` against one bare pair (one caller), or against the bare loop on every processor
/// (more callers).
pub fn measure_paired_rounds(
    context: &BenchContext,
    server: &ServerProcess,
    bare: &mut [BareModelPair],
    callers: usize,
    batches: &[usize],
) -> anyhow::Result<PairedRounds> {
    let plan = &context.plan;
    let call = EncodedCall::new("Predict", &context.testbed.predict_requests(ModelSet::Unproven))?;
    let mut rounds = PairedRounds {
        bare: Vec::new(),
        server: Vec::new(),
        bare_batches: Vec::new(),
    };
    for round in 1..=plan.rounds {
        let step = format!("{}, round {round} of {}", callers_text(callers), plan.rounds);
        context.progress.set_step(format!("{step}: bare"));
        let bare_result = match bare {
            [first, ..] if callers == 1 => run_in_parallel(first, plan.window)?,
            _ => saturate_pairs(bare, 1, plan.window)?,
        };
        context.progress.set_step(format!("{step}: server"));
        let server_result = run_closed_loop(server, &call, callers, plan.warm_up, plan.window)?;
        context.progress.print(format!(
            "{step}: server {:.0}/s, bare {:.0}/s, ratio {:.3}",
            server_result.rate(),
            bare_result.rate,
            server_result.rate() / bare_result.rate
        ));
        let larger = batches
            .iter()
            .map(|&batch| saturate_pairs(bare, batch, plan.window / 2));
        rounds.bare_batches.push(larger.collect::<anyhow::Result<_>>()?);
        rounds.bare.push(bare_result);
        rounds.server.push(server_result);
    }
    Ok(rounds)
}
