//! (e) Certify's votes a second against bare inference of as many rows.

use std::time::Instant;

use anyhow::Context as _;
use certimix::rpc::proto::{CertifyResponse, GetModelInfoRequest, GetModelInfoResponse};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use prost::Message as _;

use super::{Bench, fine_ms, median_of, per_second};
use crate::bare_runtime::saturate_h;
use crate::closed_loop::{on_this_thread, per};
use crate::interference::Disturbance;
use crate::process_usage::cpu_of;
use crate::provenance::Origin;
use crate::raw_client::{Call, connect};
use crate::report::{Finding, Section, Unit};
use crate::testbed::{Models, Served, VOTES};

const CALLERS: usize = 2;

/// What one round of the server saw.
struct Voted {
    votes: u64,
    rate: f64,
    cpu_ms: f64,
}

pub fn run(bench: &Bench, origin: &Origin) -> anyhow::Result<Section> {
    let plan = &bench.plan;
    let served = bench.world.serve(Models::Smoothed, VOTES)?;
    let mut bare = bench.world.bare(Models::Smoothed)?;
    let info: GetModelInfoResponse = served.server.ask("GetModelInfo", GetModelInfoRequest {})?;
    let batch = info.robust.map_or(1, |robust| robust.max_batch_size).max(1) as usize;
    let call = Call::new("Certify", &bench.world.certifications(plan.vote_budget))?;
    let (mut server, mut below, mut bare_cpu, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.vote_rounds {
        let step = format!("votes, round {round} of {}", plan.vote_rounds);
        bench.progress.begin(&step);
        // The server's part is long: bare before it and after it.
        let before = saturate_h(&mut bare, batch, plan.window)?;
        let voted = votes(&served, &call)?;
        let after = saturate_h(&mut bare, batch, plan.window)?;
        let rate = f64::midpoint(before.rate, after.rate);
        bench
            .progress
            .tell(format!("{step}: server {:.0}/s, bare {rate:.0}/s", voted.rate));
        ratios.push(voted.rate / rate);
        bare_cpu.push(f64::midpoint(before.cpu_ms(), after.cpu_ms()));
        below.push(rate);
        server.push(voted);
    }
    let (rate, rows) = (median_of(&server, |round| round.rate), median_of(&below, |rate| *rate));
    Ok(Section {
        origin: origin.clone(),
        disturbance: Disturbance::default(),
        title: "Votes a second".to_owned(),
        method: format!(
            "{CALLERS} callers of Certify with one image and a budget of {} votes each, no target, at the same time; the votes of both over the time \
             until the later is answered. Against the bare runs of the smoothed model at the server's batch, {batch} rows, before and after, without \
             any noise being drawn.",
            plan.vote_budget
        ),
        findings: vec![
            Finding::new("votes a second, of the bare rows'", Unit::Ratio, ratios)
                .at_least(0.95)
                .from(format!("{} of {}", per_second(rate), per_second(rows))),
        ],
        tables: Vec::new(),
        notes: vec![format!(
            "Server CPU {} a vote, bare {} a row; {} votes a round.",
            fine_ms(median_of(&server, |round| round.cpu_ms)),
            fine_ms(median_of(&bare_cpu, |ms| *ms)),
            server.first().map_or(0, |round| round.votes)
        )],
    })
}

/// One request from each caller, at the same time.
fn votes(served: &Served, call: &Call) -> anyhow::Result<Voted> {
    let server = &served.server;
    on_this_thread(async {
        let channels = connect(server.address, CALLERS).await?;
        let (start, cpu) = (Instant::now(), cpu_of(server.pid())?);
        let requests = channels.into_iter().enumerate();
        let mut requests: FuturesUnordered<_> = requests
            .map(|(number, channel)| call.send(number, channel, None))
            .collect();
        let mut votes = 0;
        while let Some(answer) = requests.next().await {
            let response = CertifyResponse::decode(answer?)?;
            let certificate = response.predictions.into_iter().next().and_then(|one| one.certificate);
            votes += certificate.context("no certificate")?.votes_drawn;
        }
        let time = start.elapsed();
        Ok(Voted {
            votes,
            rate: votes as f64 / time.as_secs_f64(),
            cpu_ms: per(cpu_of(server.pid())?.saturating_sub(cpu), votes),
        })
    })
}
