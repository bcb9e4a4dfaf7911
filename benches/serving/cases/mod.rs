//! The cases, a file each. Each starts the servers that it needs, measures, and returns its section.

mod certify;
mod controller;
mod memory;
mod one_caller;
mod overload;
mod pairs;
mod reloading;
mod saturation;
mod sizes;
mod urgent;
mod ways_in;

use super::load::{Latencies, Traffic, latencies, quantile_ms};
use super::machine::Origin;
use super::models::World;
use super::plan::Plan;
use super::progress::Progress;
use super::report::Section;
use super::stats::median;

pub struct Bench {
    pub world: World,
    pub plan: Plan,
    pub progress: Progress,
}

type Run = fn(&Bench, &Origin) -> anyhow::Result<Section>;

/// By the letters of the issue "The scheduler: as fast as the runtime underneath, and fair under load", and two more.
pub const ALL: &[(&str, Run)] = &[
    ("a", saturation::run),
    ("b", one_caller::run),
    ("c", controller::run),
    ("d", urgent::run),
    ("e", certify::run),
    ("f", overload::run),
    ("g", memory::run),
    ("h", sizes::run),
    ("i", ways_in::run),
    ("j", reloading::run),
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
