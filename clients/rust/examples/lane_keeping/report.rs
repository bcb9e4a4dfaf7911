//! What happened in a run: its ticks, a summary, and a file for the plot.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use certimix_client::{Client, Error, PredictOptions, Tensor};

use super::plant::{Image, LANE, PERIOD, Phase, SIZE};

/// What a car acts on, by whether it acts on any class.
pub fn rule(any_class: bool) -> &'static str {
    if any_class { "every class" } else { "certified classes" }
}

/// The images of one request.
const BATCH: usize = 64;

/// Which controller acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Certified,
    Hold,
    Fallback,
}

/// One tick of a run.
#[derive(Debug, Clone)]
pub struct Tick {
    /// The offset of the car from the lane's centre after this tick.
    pub offset: f64,
    pub mode: Mode,
    /// `None` if the fallback controller acted.
    pub action: Option<String>,
    /// The class that the answer allowed to act on.
    pub allowed: Option<String>,
    /// Certified for the frame; 0 if none is.
    pub radius: f64,
    /// Whether an answer came in time.
    pub answered: bool,
    /// The l2 distance of the frame from the scene.
    pub distance: f64,
    pub phase: Phase,
    pub scene: Image,
}

/// Counts of the ticks of a car.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub ticks: usize,
    pub certified: usize,
    pub hold: usize,
    pub fallback: usize,
    pub no_answer: usize,
    pub wrong_inside: usize,
    pub wrong_outside: usize,
    /// In seconds.
    pub left_lane: Option<f64>,
}

/// Asks the server for the class of each scene without noise and without an attack, and counts.
pub async fn summary(client: &Client, ticks: &[Tick], required_radius: f64) -> Result<Summary, Error> {
    let mut classes = Vec::new();
    for batch in ticks.chunks(BATCH) {
        let images: Image = batch.iter().flat_map(|tick| tick.scene.iter().copied()).collect();
        let images = Tensor::float32(&[batch.len(), 1, SIZE, SIZE], &images)?;
        let answers = client.predict_batch(&images, &PredictOptions::default()).await?;
        classes.extend(answers.iter().map(|answer| answer.best_guess_label().to_owned()));
    }
    let is_wrong =
        |(tick, class): &(&Tick, String)| tick.mode == Mode::Certified && tick.action.as_ref() != Some(class);
    let wrong: Vec<_> = ticks.iter().zip(classes).filter(is_wrong).collect();
    let inside = wrong
        .iter()
        .filter(|(tick, _)| tick.distance <= required_radius)
        .count();
    let count = |mode| ticks.iter().filter(|tick| tick.mode == mode).count();
    let left = ticks.last().is_some_and(|tick| tick.offset.abs() > LANE);
    Ok(Summary {
        ticks: ticks.len(),
        certified: count(Mode::Certified),
        hold: count(Mode::Hold),
        fallback: count(Mode::Fallback),
        no_answer: ticks.iter().filter(|tick| !tick.answered).count(),
        wrong_inside: inside,
        wrong_outside: wrong.len() - inside,
        left_lane: left.then(|| seconds(ticks.len())),
    })
}

/// The summaries of the car that acts on every class, and of the one that acts on certified classes, in 80 columns.
pub fn table([every, certified]: &[Summary; 2], required_radius: f64) -> String {
    let left = |summary: &Summary| summary.left_lane.map_or("-".to_owned(), |time| format!("{time:.2}"));
    let rows = [
        ("a car that acts on", rule(true).to_owned(), rule(false).to_owned()),
        row("ticks of 20 ms", every.ticks, certified.ticks),
        row("acted on the class of the tick", every.certified, certified.certified),
        row("held its last action", every.hold, certified.hold),
        row("left to the fallback controller", every.fallback, certified.fallback),
        row("late, refused, or no server", every.no_answer, certified.no_answer),
        row(
            "acted wrongly, inside the radius",
            every.wrong_inside,
            certified.wrong_inside,
        ),
        row(
            "acted wrongly, outside the radius",
            every.wrong_outside,
            certified.wrong_outside,
        ),
        ("left its lane after (s)", left(every), left(certified)),
    ];
    let mut text = String::new();
    for (name, first, second) in rows {
        let _ = writeln!(text, "{name:33}  {first:>11}  {second:>17}");
    }
    let _ = writeln!(text, "an action needs a certified radius of {required_radius:.4} (l2)");
    text + "wrongly: on another class than that of the scene without noise and attack"
}

fn row(name: &str, every: usize, certified: usize) -> (&str, String, String) {
    (name, every.to_string(), certified.to_string())
}

/// A line on a terminal, which the next output replaces.
pub fn show_progress(any_class: bool, done: u32, count: u32) {
    let per_second = 50;
    if done.is_multiple_of(per_second) && std::io::stderr().is_terminal() {
        let (done, all) = (done / per_second, count / per_second);
        eprint!("acts on {}: {done} of {all} s        \r", rule(any_class));
    }
}

/// Prints an error.
pub fn failure(error: &dyn StdError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// Writes both runs.
pub fn write_csv(file: &Path, runs: &[Vec<Tick>; 2]) -> Result<(), Box<dyn StdError>> {
    let written = std::fs::write(file, csv(runs));
    written.map_err(|error| format!("cannot write {}: {error}", file.display()).into())
}

/// Both runs as CSV, for `examples/lane_keeping/plot_csv.py`.
pub fn csv(runs: &[Vec<Tick>; 2]) -> String {
    let mut text = "rule,number,offset,mode,action,allowed,radius,distance\n".to_owned();
    for (ticks, any_class) in runs.iter().zip([true, false]) {
        for (number, tick) in ticks.iter().enumerate() {
            let mode = format!("{:?}", tick.mode).to_lowercase();
            let [action, allowed] = [&tick.action, &tick.allowed].map(|class| class.as_deref().unwrap_or_default());
            let rule = rule(any_class);
            let (offset, radius, distance) = (tick.offset, tick.radius, tick.distance);
            let _ = writeln!(
                text,
                "{rule},{number},{offset},{mode},{action},{allowed},{radius},{distance}"
            );
        }
    }
    text
}

fn seconds(ticks: usize) -> f64 {
    ticks as f64 * PERIOD.as_secs_f64()
}
