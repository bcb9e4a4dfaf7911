//! j. Alpha is reloaded a hundred times a second under full load: what does that cost the callers?

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use certimix::rpc::proto::{GetModelInfoRequest, GetModelInfoResponse};

use super::{Bench, crowd, median_of, p50_p99, per_second};
use crate::closed_loop::{Traffic, closed, quantile_ms};
use crate::provenance::Origin;
use crate::raw_client::Call;
use crate::report::{Finding, Section, Table, Unit};
use crate::server_process::Server;
use crate::testbed::Models;

/// Between two changes of the file.
const PERIOD: Duration = Duration::from_millis(10);
const LOADS: [(Models, &str, usize); 2] = [(Models::Pairs, "CIFAR-10 pair", 16), (Models::Tiny, "tiny MLP", 64)];

pub fn run(bench: &Bench, origin: &Origin) -> anyhow::Result<Section> {
    let mut findings = Vec::new();
    let mut table = Table {
        head: ["load", "", "requests", "p50", "p99", "reloads"]
            .map(str::to_owned)
            .to_vec(),
        rows: Vec::new(),
    };
    for (models, name, callers) in LOADS {
        let served = bench.world.serve(models, &[])?;
        let call = Call::new("Predict", &bench.world.predictions(models))?;
        let measure = || closed(&served.server, &call, callers, bench.plan.warm_up, bench.plan.window);
        let (mut still, mut reloading, mut reloads) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=bench.plan.rounds {
            let step = format!("{name}, {}, round {round} of {}", crowd(callers), bench.plan.rounds);
            bench.progress.begin(format!("{step}: alpha stays"));
            still.push(measure()?);
            bench.progress.begin(format!("{step}: alpha changes"));
            let before = applied(&served.server)?;
            let began = Instant::now();
            reloading.push(while_changing(&served.settings, measure)?);
            reloads.push((applied(&served.server)? - before) / began.elapsed().as_secs_f64());
        }
        let both = || still.iter().zip(&reloading);
        let ratio = |figure: fn(&Traffic) -> f64| both().map(|(still, other)| figure(other) / figure(still)).collect();
        let what = |what: &str| format!("{name}, {}: {what}, of those without reloads", crowd(callers));
        findings.push(Finding::new(
            what("requests a second"),
            Unit::Ratio,
            ratio(Traffic::rate),
        ));
        findings.push(Finding::new(
            what("p50"),
            Unit::Ratio,
            ratio(|seen| quantile_ms(&seen.latencies, 0.5)),
        ));
        findings.push(Finding::new(
            what("p99"),
            Unit::Ratio,
            ratio(|seen| quantile_ms(&seen.latencies, 0.99)),
        ));
        let applied = median_of(&reloads, |rate| *rate);
        for (side, rounds, applied) in [("alpha stays", &still, 0.0), ("alpha changes", &reloading, applied)] {
            let [p50, p99] = p50_p99(rounds.iter().map(|round| &round.latencies))?;
            let rate = per_second(median_of(rounds, Traffic::rate));
            let row = [name.to_owned(), side.to_owned(), rate, p50, p99, per_second(applied)];
            table.rows.push(row.to_vec());
        }
    }
    Ok(Section {
        origin: origin.clone(),
        disturbance: Default::default(),
        title: "Reloading alpha a hundred times a second".to_owned(),
        method: "A closed loop of callers; in every other window the settings file is replaced each 10 ms, with another alpha each \
                 time. The reloads are those that the server says it has put in force. A request that failed would end the run."
            .to_owned(),
        findings,
        tables: vec![table],
        notes: Vec::new(),
    })
}

/// Reloads that came into force since the start.
fn applied(server: &Server) -> anyhow::Result<f64> {
    let info: GetModelInfoResponse = server.ask("GetModelInfo", GetModelInfoRequest {})?;
    Ok(info.config.unwrap_or_default().reloads as f64)
}

/// Measures while the settings file is replaced again and again.
fn while_changing(settings: &Path, measure: impl Fn() -> anyhow::Result<Traffic>) -> anyhow::Result<Traffic> {
    let text = std::fs::read_to_string(settings)?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            let new = settings.with_extension("new");
            for turn in 0_u32.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let alpha = 0.6 + f64::from(turn % 30) / 100.0;
                std::fs::write(&new, format!("mixture.alpha = {alpha}\n{text}"))?;
                std::fs::rename(&new, settings)?;
                std::thread::sleep(PERIOD);
            }
            std::io::Result::Ok(())
        });
        let measured = measure();
        over.store(true, Ordering::Relaxed);
        match changing.join() {
            Ok(changed) => changed?,
            Err(_) => anyhow::bail!("the settings file could not be changed"),
        }
        std::fs::write(settings, &text)?;
        measured
    })
}
