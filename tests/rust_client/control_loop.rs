//! The control loop of `clients/rust/examples` against the real server, and its plant against the one in Python.

#![allow(dead_code, reason = "the example's main and its options are not called")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use certimix_client::Client;

use self::program::lane_keeping::plant::{self, Car, PERIOD};
use self::program::lane_keeping::report::{self, Mode, Tick};
use self::program::lane_keeping::simplex::Simplex;
use crate::support::inputs::{PATIENCE, patient};
use crate::support::server_process::ServerProcess;

#[path = "../../clients/rust/examples/control_loop.rs"]
mod program;

const SEED: u64 = 1;

async fn start() -> (ServerProcess, Client) {
    let server = ServerProcess::start_with("examples/lane_keeping/server.toml");
    let client = patient(&server.unix()).connect().await.unwrap();
    (server, client)
}

/// Each tick follows from the answers so far, and no action is an uncertified class.
fn check_rule(ticks: &[Tick]) {
    let mut simplex = Simplex::new(false);
    let mut last = None;
    for (number, tick) in ticks.iter().enumerate() {
        assert_eq!(
            tick.allowed.is_some(),
            tick.radius > program::required_radius(),
            "tick {number}"
        );
        assert!(tick.answered, "tick {number}");
        last = tick.allowed.clone().or(last);
        let (mode, action) = simplex.decide(tick.allowed.as_deref());
        assert_eq!((tick.mode, tick.action.as_deref()), (mode, action), "tick {number}");
        assert!(tick.action.is_none() || tick.action == last, "tick {number}");
    }
}

#[tokio::test]
async fn two_seconds_at_50_hz() {
    let (_server, client) = start().await;
    let ticks = program::drive(&client, 100, SEED, false, PATIENCE, PERIOD).await;
    assert_eq!(ticks.len(), 100);
    check_rule(&ticks);
    let summary = report::summary(&client, &ticks, program::required_radius())
        .await
        .unwrap();
    assert!(summary.certified > 0);
    assert_eq!(summary.certified + summary.hold + summary.fallback, 100);
    assert_eq!((summary.wrong_inside, summary.no_answer), (0, 0));
    let table = report::table(&[summary.clone(), summary], program::required_radius());
    assert!(table.lines().all(|line| line.len() <= 80), "{table}");
    assert_eq!(report::csv(&[ticks.clone(), ticks]).lines().count(), 201);
}

/// The whole drive, as fast as the server answers.
#[tokio::test]
async fn certificates_keep_the_car_in_its_lane_until_the_attack_is_stronger_than_assumed() {
    let (_server, client) = start().await;
    let drive = |any_class| program::drive(&client, 1000, SEED, any_class, PATIENCE, Duration::from_nanos(1));
    let every = drive(true).await;
    let certified = drive(false).await;
    check_rule(&certified);
    let radius = program::required_radius();
    let first = report::summary(&client, &every, radius).await.unwrap();
    let second = report::summary(&client, &certified, radius).await.unwrap();
    // The car that acts on every class leaves its lane under the attack that the other one withstands.
    assert!(first.left_lane.is_some() && first.wrong_inside > 0, "{first:?}");
    assert!(every.last().unwrap().phase.attack <= 1.0, "{first:?}");
    assert_eq!(second.wrong_inside, 0, "{second:?}");
    assert!(certified.last().unwrap().phase.attack > 1.0, "{second:?}");
    assert!(
        second.certified > 0 && second.hold > 0 && second.fallback > 0,
        "{second:?}"
    );
    let within = |tick: &&Tick| tick.phase.attack <= 1.0;
    assert!(certified.iter().filter(within).all(|tick| tick.distance < radius));
}

#[tokio::test]
async fn no_answer_means_the_fallback_controller() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let client = patient(&address).connect_lazy().unwrap();
    let ticks = program::drive(&client, 10, SEED, false, Duration::from_millis(1), PERIOD).await;
    assert_eq!(ticks.len(), 10);
    assert!(
        ticks
            .iter()
            .all(|tick| !tick.answered && tick.mode == Mode::Fallback && tick.action.is_none())
    );
}

#[test]
fn the_simplex_holds_hands_over_and_returns() {
    let mut simplex = Simplex::new(false);
    for _ in 0..24 {
        assert_eq!(simplex.decide(Some("left")), (Mode::Fallback, None));
    }
    assert_eq!(simplex.decide(Some("left")), (Mode::Certified, Some("left")));
    assert_eq!(simplex.decide(Some("right")), (Mode::Certified, Some("right")));
    for _ in 0..15 {
        assert_eq!(simplex.decide(None), (Mode::Hold, Some("right")));
    }
    assert_eq!(simplex.decide(None), (Mode::Fallback, None));
    assert_eq!(simplex.decide(Some("left")), (Mode::Fallback, None));
}

/// Prints the car and its image after each of some ticks, and the radius that the controller requires.
const PYTHON: &str = r#"
import control_loop
from lane_keeping import plant
car = plant.Car()
for tick in range(100):
    steering = (-0.045, 0.0, 0.045)[tick // 7 % 3] if tick % 5 else car.fallback_steering()
    car.move(steering, plant.CRUISE_SPEED if tick < 60 else plant.CRAWL_SPEED)
    image = plant.Camera(1).scene(car, plant.phase_at(tick / 100).contrast)
    print(car.distance, car.offset, car.heading, car.speed, car.steering, *map(float, image.ravel()))
print(control_loop.REQUIRED_RADIUS)
"#;

#[test]
fn the_plant_is_that_of_the_python_example() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["clients/python/src", "examples", ".runtime/python"].map(|folder| repository.join(folder));
    let output = Command::new("python3")
        .args(["-s", "-B", "-c", PYTHON])
        .env("PYTHONPATH", std::env::join_paths(folders).unwrap())
        .output()
        .expect("python3 is installed, which `make python-packages` needs too");
    let (text, errors) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr),
    );
    let lines: Vec<Vec<f64>> = text
        .lines()
        .map(|line| line.split(' ').map(|number| number.parse().unwrap()).collect())
        .collect();
    let [expected @ .., radius] = lines.as_slice() else {
        panic!("{errors}")
    };
    assert_eq!(expected.len(), 100, "{errors}");
    assert!((radius[0] - program::required_radius()).abs() < 1e-12);
    let mut car = Car::default();
    for (tick, expected) in (0_u32..).zip(expected) {
        let class = ["left", "straight", "right"][tick as usize / 7 % 3];
        let steering = if tick % 5 == 0 {
            car.fallback_steering()
        } else {
            plant::steering(class)
        };
        car.drive(
            steering,
            if tick < 60 {
                plant::CRUISE_SPEED
            } else {
                plant::CRAWL_SPEED
            },
        );
        let mut found = vec![car.distance, car.offset, car.heading, car.speed, car.steering];
        let scene = car.scene(plant::phase_at(f64::from(tick) / 100.0).contrast);
        found.extend(scene.iter().copied().map(f64::from));
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "tick {tick}: {found} {expected}");
        }
    }
}
