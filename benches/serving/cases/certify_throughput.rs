//! (e) Votes a second of Certify, against bare inference of as many rows.

use std::time::Instant;

use anyhow::Context as _;
use certimix::rpc::proto::{CertifyResponse, GetModelInfoRequest, GetModelInfoResponse};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use prost::Message as _;

use super::format::{ms_3_decimals, per_second};
use super::pooling::median_of;
use crate::async_runtime::block_on_this_thread;
use crate::bare_runtime::saturate_robust;
use crate::context::BenchContext;
use crate::latency::ms_per;
use crate::process_usage::cpu_time;
use crate::provenance::Provenance;
use crate::raw_client::{EncodedCall, connect};
use crate::report::{CaseReport, Measurement, Unit};
use crate::server_process::ServerProcess;
use crate::testbed::{ModelSet, VOTE_SETTINGS};

const CALLERS: usize = 2;

/// The server's side of one round.
struct VoteRound {
    votes: u64,
    rate: f64,
    cpu_ms: f64,
}

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let plan = &context.plan;
    let server = context.testbed.start_server(ModelSet::Smoothed, VOTE_SETTINGS)?;
    let mut bare = context.testbed.open_bare_pairs(ModelSet::Smoothed)?;
    let info: GetModelInfoResponse = server.process.call("GetModelInfo", GetModelInfoRequest {})?;
    let batch = info.robust.map_or(1, |robust| robust.max_batch_size).max(1) as usize;
    let call = EncodedCall::new("Certify", &context.testbed.certify_requests(plan.vote_budget))?;
    let (mut vote_rounds, mut bare_rates, mut bare_cpu, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.vote_rounds {
        let step = format!("votes, round {round} of {}", plan.vote_rounds);
        context.progress.set_step(&step);
        // The server's part is long, so the bare loop runs before it and after it.
        let before = saturate_robust(&mut bare, batch, plan.window)?;
        let votes = measure_votes(&server.process, &call)?;
        let after = saturate_robust(&mut bare, batch, plan.window)?;
        let rate = f64::midpoint(before.rate, after.rate);
        context
            .progress
            .print(format!("{step}: server {:.0}/s, bare {rate:.0}/s", votes.rate));
        ratios.push(votes.rate / rate);
        bare_cpu.push(f64::midpoint(before.cpu_ms(), after.cpu_ms()));
        bare_rates.push(rate);
        vote_rounds.push(votes);
    }
    let (vote_rate, row_rate) = (
        median_of(&vote_rounds, |round| round.rate),
        median_of(&bare_rates, |rate| *rate),
    );
    let method = format!(
        "{CALLERS} callers of Certify at the same time, each with one image, a budget of {} votes and no target. The figure is the votes \
         of both, divided by the time until the later answer. The bare loop runs the smoothed model at the server's batch of {batch} \
         rows, before and after, and draws no noise.",
        plan.vote_budget
    );
    Ok(CaseReport {
        measurements: vec![
            Measurement::new("votes a second, relative to bare rows", Unit::Ratio, ratios)
                .at_least(0.95)
                .computed_from(format!("{} of {}", per_second(vote_rate), per_second(row_rate))),
        ],
        notes: vec![format!(
            "Server CPU {} per vote, bare {} per row; {} votes in a round.",
            ms_3_decimals(median_of(&vote_rounds, |round| round.cpu_ms)),
            ms_3_decimals(median_of(&bare_cpu, |ms| *ms)),
            vote_rounds.first().map_or(0, |round| round.votes)
        )],
        ..CaseReport::new(provenance, "Votes a second", method)
    })
}

/// Sends one request from each caller at the same time.
fn measure_votes(server: &ServerProcess, call: &EncodedCall) -> anyhow::Result<VoteRound> {
    block_on_this_thread(async {
        let channels = connect(server.address, CALLERS).await?;
        let (start, cpu) = (Instant::now(), cpu_time(server.pid())?);
        let requests = channels.into_iter().enumerate();
        let mut requests: FuturesUnordered<_> = requests
            .map(|(index, channel)| call.send(index, channel, None))
            .collect();
        let mut votes = 0;
        while let Some(answer) = requests.next().await {
            let response = CertifyResponse::decode(answer?)?;
            let certificate = response.predictions.into_iter().next().and_then(|one| one.certificate);
            votes += certificate.context("no certificate")?.votes_drawn;
        }
        let time = start.elapsed();
        Ok(VoteRound {
            votes,
            rate: votes as f64 / time.as_secs_f64(),
            cpu_ms: ms_per(cpu_time(server.pid())?.saturating_sub(cpu), votes),
        })
    })
}
