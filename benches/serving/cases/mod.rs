//! The cases, a file each. Each starts the servers that it needs, measures, and returns its section.

mod certify_throughput;
mod config_reload;
mod load_levels;
mod memory;
mod overload;
mod paired_rounds;
mod predict_beside_certify;
mod saturation;
mod single_caller;
mod tiny_models;
mod transports;

use crate::closed_loop::{Latencies, Traffic, latencies, quantile_ms};
use crate::progress::Progress;
use crate::provenance::Origin;
use crate::report::Section;
use crate::run_plan::Plan;
use crate::statistics::median;
use crate::testbed::World;

pub struct Bench {
    pub world: World,
    pub plan: Plan,
    pub progress: Progress,
}

type Run = fn(&Bench, &Origin) -> anyhow::Result<Section>;

/// By the letters of the issue "The scheduler: as fast as the runtime underneath, and fair under load", and two more.
pub const ALL: &[(&str, Run)] = &[
    ("a", saturation::run),
    ("b", single_caller::run),
    ("c", tiny_models::run),
    ("d", predict_beside_certify::run),
    ("e", certify_throughput::run),
    ("f", overload::run),
    ("g", memory::run),
    ("h", load_levels::run),
    ("i", transports::run),
    ("j", config_reload::run),
];

/// The median over what was measured once a round.
fn median_of<T>(rounds: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    median(&rounds.iter().map(figure).collect::<Vec<_>>())
}

/// All rounds' latencies as one.
fn pooled<'a>(parts: impl IntoIterator<Item = &'a Latencies>) -> anyhow::Result<Latencies> {
    let mut all = latencies()?;
    for part in parts {
        all.add(part)?;
    }
    Ok(all)
}

/// The cells "p50", "p99" over all rounds.
fn p50_p99<'a>(parts: impl IntoIterator<Item = &'a Latencies>) -> anyhow::Result<[String; 2]> {
    let all = pooled(parts)?;
    Ok([0.5, 0.99].map(|q| ms(quantile_ms(&all, q))))
}

/// "1 caller", "4 callers".
fn crowd(callers: usize) -> String {
    format!("{callers} caller{}", if callers == 1 { "" } else { "s" })
}

fn ms(value: f64) -> String {
    format!("{value:.2} ms")
}

fn fine_ms(value: f64) -> String {
    format!("{value:.3} ms")
}

fn per_second(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.1}/s")
    } else {
        format!("{value:.0}/s")
    }
}

/// The server's and the generator's processor time a request, for a sentence.
fn costs(rounds: &[Traffic]) -> String {
    format!(
        "server CPU {} a request, generator {}",
        fine_ms(median_of(rounds, Traffic::server_ms)),
        fine_ms(median_of(rounds, Traffic::own_ms))
    )
}
