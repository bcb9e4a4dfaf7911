//! (j) The cost of reloading alpha a hundred times a second under full load.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use certimix::rpc::proto::{GetModelInfoRequest, GetModelInfoResponse};

use super::format::{callers_text, per_second};
use super::pooling::{median_of, p50_p99};
use crate::closed_loop::{ClosedLoopResult, run_closed_loop};
use crate::context::BenchContext;
use crate::latency::quantile_ms;
use crate::provenance::Provenance;
use crate::raw_client::EncodedCall;
use crate::report::{CaseReport, Measurement, ReportTable, Unit};
use crate::server_process::ServerProcess;
use crate::testbed::ModelSet;

/// A figure of one window.
type Figure = fn(&ClosedLoopResult) -> f64;

/// The time between two changes of the settings file.
const CHANGE_INTERVAL: Duration = Duration::from_millis(10);
const LOADS: [(ModelSet, &str, usize); 2] = [
    (ModelSet::Unproven, "CIFAR-10 pair", 16),
    (ModelSet::Tiny, "tiny MLP", 64),
];

pub fn run(context: &BenchContext, provenance: &Provenance) -> anyhow::Result<CaseReport> {
    let plan = &context.plan;
    let mut measurements = Vec::new();
    let mut table = ReportTable::new(&["load", "", "requests", "p50", "p99", "reloads"]);
    for (models, name, callers) in LOADS {
        let server = context.testbed.start_server(models, &[])?;
        let call = EncodedCall::new("Predict", &context.testbed.predict_requests(models))?;
        let measure = || run_closed_loop(&server.process, &call, callers, plan.warm_up, plan.window);
        let (mut unchanged, mut reloading, mut reload_rates) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=plan.rounds {
            let step = format!("{name}, {}, round {round} of {}", callers_text(callers), plan.rounds);
            context.progress.set_step(format!("{step}: alpha stays"));
            unchanged.push(measure()?);
            context.progress.set_step(format!("{step}: alpha changes"));
            let before = count_reloads(&server.process)?;
            let start = Instant::now();
            reloading.push(measure_while_changing(&server.settings_file, measure)?);
            reload_rates.push((count_reloads(&server.process)? - before) / start.elapsed().as_secs_f64());
        }
        let ratios = |figure: Figure| {
            let both = unchanged.iter().zip(&reloading);
            both.map(|(unchanged, reloading)| figure(reloading) / figure(unchanged))
                .collect()
        };
        let figures: [(&str, Figure); 3] = [
            ("requests a second", ClosedLoopResult::rate),
            ("p50", |result| quantile_ms(&result.latencies, 0.5)),
            ("p99", |result| quantile_ms(&result.latencies, 0.99)),
        ];
        for (figure_name, figure) in figures {
            measurements.push(Measurement::new(
                format!(
                    "{name}, {}: {figure_name}, relative to no reloads",
                    callers_text(callers)
                ),
                Unit::Ratio,
                ratios(figure),
            ));
        }
        let reload_rate = median_of(&reload_rates, |rate| *rate);
        for (side, rounds, reload_rate) in [
            ("alpha stays", &unchanged, 0.0),
            ("alpha changes", &reloading, reload_rate),
        ] {
            let [p50, p99] = p50_p99(rounds.iter().map(|round| &round.latencies))?;
            let rate = per_second(median_of(rounds, ClosedLoopResult::rate));
            table.add_row([
                name.to_owned(),
                side.to_owned(),
                rate,
                p50,
                p99,
                per_second(reload_rate),
            ]);
        }
    }
    let method = "Callers in a closed loop. In every other window the settings file is replaced each 10 ms, with another alpha each time. \
                  The table shows the reloads that the server reports as applied. A failed request would end the run.";
    Ok(CaseReport {
        measurements,
        tables: vec![table],
        ..CaseReport::new(
            provenance,
            "Reloading alpha a hundred times a second",
            method.to_owned(),
        )
    })
}

/// The number of reloads that the server has applied since its start.
fn count_reloads(server: &ServerProcess) -> anyhow::Result<f64> {
    let info: GetModelInfoResponse = server.call("GetModelInfo", GetModelInfoRequest {})?;
    Ok(info.config.unwrap_or_default().reloads as f64)
}

/// Measures while a thread replaces the settings file again and again.
fn measure_while_changing(
    settings_file: &Path,
    measure: impl Fn() -> anyhow::Result<ClosedLoopResult>,
) -> anyhow::Result<ClosedLoopResult> {
    let text = std::fs::read_to_string(settings_file)?;
    let stopping = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let new_file = settings_file.with_extension("new");
            for turn in 0_u32.. {
                if stopping.load(Ordering::Relaxed) {
                    break;
                }
                let alpha = 0.6 + f64::from(turn % 30) / 100.0;
                std::fs::write(&new_file, format!("mixture.alpha = {alpha}\n{text}"))?;
                std::fs::rename(&new_file, settings_file)?;
                std::thread::sleep(CHANGE_INTERVAL);
            }
            std::io::Result::Ok(())
        });
        let measured = measure();
        stopping.store(true, Ordering::Relaxed);
        match writer.join() {
            Ok(written) => written?,
            Err(_) => anyhow::bail!("the thread that changes the settings file panicked"),
        }
        std::fs::write(settings_file, &text)?;
        measured
    })
}
