//! The control loop of `examples/control_loop.py` in Rust: keeps a simulated car in its lane at 50 Hz, by the answers of a Certimix
//! server that an attacker tries to turn.
//!
//! ```sh
//! certimix serve examples/lane_keeping/server.toml
//! cargo run --release -p certimix-client --example control_loop
//! ```
//!
//! Two cars drive one after the other. The first acts on every class. The second acts on a class only if it is certified beyond
//! everything that the sensor's noise and the assumed attacker can do; otherwise it holds its last certified action, and after too
//! long without one hands over to a slower controller that does not use the camera.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the program prints its report")]

pub(crate) mod lane_keeping;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use certimix_client::{Client, Norm, PredictStream, Requirement, Tensor};
use clap::Parser;
use lane_keeping::attacker::Attacker;
use lane_keeping::plant::{self, Car, PERIOD, SIZE};
use lane_keeping::report::{self, Tick};
use lane_keeping::simplex::Simplex;
use tokio::time::{MissedTickBehavior, interval};

/// The deadline of an answer: half a tick.
const DEADLINE: Duration = Duration::from_millis(10);
/// The l2 norm of the strongest pattern that the controller must withstand.
const ASSUMED_ATTACK: f64 = 0.3;
/// The probability that the noise of one frame exceeds its bound.
const EXCEEDED: f64 = 1e-12;

/// The norm of d independent Gaussian pixels exceeds sigma (sqrt(d) + sqrt(2 ln(1/p))) with probability p at most.
pub fn required_radius() -> f64 {
    ASSUMED_ATTACK + plant::SENSOR_SIGMA * (SIZE as f64 + (-2.0 * EXCEEDED.ln()).sqrt())
}

/// The class to act on and the certified radius; `None` for a late or refused answer, which allows nothing.
async fn read_camera(stream: &PredictStream, frame: &[f32], any_class: bool) -> Option<(Option<String>, f64)> {
    let image = Tensor::float32(&[1, SIZE, SIZE], frame).ok()?;
    let answer = stream.predict(&image).await.ok()?;
    let radius = answer.radius().map_or(0.0, |(radius, _)| radius);
    if any_class {
        return Some((Some(answer.best_guess_label().to_owned()), radius));
    }
    let requirement = Requirement::beyond(required_radius(), Norm::L2).require_proven();
    let class = answer.certified_class(&requirement).ok();
    Some((class.map(|class| class.label().to_owned()), radius))
}

/// Drives `count` ticks of `period`, or until the car leaves its lane. `deadline` is that of an answer.
pub async fn drive(
    client: &Client,
    count: u32,
    seed: u64,
    any_class: bool,
    deadline: Duration,
    period: Duration,
) -> Vec<Tick> {
    let (mut car, mut attacker) = (Car::default(), Attacker::new(client.with_deadline(deadline)));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut simplex = Simplex::new(any_class);
    let stream = client.with_deadline(deadline).predict_stream();
    let mut due = interval(period);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay); // a late tick does not make the next ones early
    let mut ticks: Vec<Tick> = Vec::new();
    for number in 0..count {
        due.tick().await;
        let phase = plant::phase_at(f64::from(number) / f64::from(count));
        let scene = car.scene(phase.contrast);
        let pattern = attacker.pattern(&scene, phase.attack * ASSUMED_ATTACK).await;
        let frame = plant::frame(&scene, &pattern, &mut random);
        let reading = read_camera(&stream, &frame, any_class).await;
        let answered = reading.is_some();
        let (allowed, radius) = reading.unwrap_or_default();
        let (mode, action) = simplex.decide(allowed.as_deref());
        match action {
            Some(class) => car.drive(plant::steering(class), plant::CRUISE_SPEED),
            None => car.drive(car.fallback_steering(), plant::CRAWL_SPEED),
        }
        let distance = plant::norm(frame.iter().zip(&scene).map(|(pixel, scene)| pixel - scene));
        let (offset, action) = (car.offset, action.map(ToOwned::to_owned));
        ticks.push(Tick {
            offset,
            mode,
            action,
            allowed,
            radius,
            answered,
            distance,
            phase,
            scene,
        });
        report::show_progress(any_class, number + 1, count);
        if car.left_lane() {
            break;
        }
    }
    ticks
}

/// Keeps a simulated car in its lane by certified answers, and another one by every answer.
#[derive(Parser)]
struct Options {
    /// The address of a server that runs with examples/lane_keeping/server.toml
    #[arg(long, default_value = "127.0.0.1:50051")]
    address: String,
    /// How many seconds each car drives, 1 to 3600
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// The seed of the sensor's noise
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the ticks of both cars to this file, for examples/lane_keeping/plot_csv.py
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = run(Options::parse()).await;
    outcome.map_or_else(|error| report::failure(&*error), |()| ExitCode::SUCCESS)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let client = Client::builder(&options.address)
        .deadline(Duration::from_secs(30))
        .connect()
        .await?;
    let labels = client.info().await?.labels;
    if labels != plant::LABELS {
        let expected = "start it with examples/lane_keeping/server.toml";
        return Err(format!("the server's classes are {labels:?}: {expected}").into());
    }
    let drive = |any_class| drive(&client, options.seconds * 50, options.seed, any_class, DEADLINE, PERIOD);
    let runs = [drive(true).await, drive(false).await];
    let [every, certified] = [0, 1].map(|car| report::summary(&client, &runs[car], required_radius()));
    let summaries = [every.await?, certified.await?];
    println!("{}", report::table(&summaries, required_radius()));
    options.csv.map_or(Ok(()), |file| report::write_csv(&file, &runs))
}
