//! The plant of `examples/lane_keeping/plant.py`: a car on a winding road, and its camera.
//!
//! Lengths are in metres, angles in radians, times in seconds. An image has 16 x 16 values in [0, 1].

use std::f64::consts::TAU;
use std::time::Duration;

/// The period of a tick: 50 Hz.
pub const PERIOD: Duration = Duration::from_millis(20);
/// The rows and columns of an image.
pub const SIZE: usize = 16;
/// The classes: how to steer.
pub const LABELS: [&str; 3] = ["left", "straight", "right"];
/// The car has left its lane once its centre is this far from the lane's.
pub const LANE: f64 = 1.2;
/// The standard deviation of the camera's Gaussian noise, for each pixel.
pub const SENSOR_SIGMA: f64 = 0.01;
pub const CRUISE_SPEED: f64 = 15.0;
pub const CRAWL_SPEED: f64 = 4.0;

const BRAKING: f64 = 6.0;
const ACCELERATION: f64 = 3.0;
const STEERING: f64 = 0.045;
const MAX_STEERING: f64 = 0.15;
const STEERING_LAG: f64 = 0.08;
const WHEELBASE: f64 = 2.7;
/// The brightness of the paint above the road's.
const CLEAR: f64 = 0.6;
const WORN: f64 = 0.1;

pub type Image = Vec<f32>;

/// A part of the drive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phase {
    /// The start, as a part of the whole drive.
    start: f64,
    /// The contrast of the paint.
    pub contrast: f64,
    /// The norm of the attacker's pattern, in multiples of the norm that the controller assumes.
    pub attack: f64,
}

const fn phase(start: f64, contrast: f64, attack: f64) -> Phase {
    Phase {
        start,
        contrast,
        attack,
    }
}

const PHASES: [Phase; 7] = [
    phase(0.0, CLEAR, 0.0),
    phase(0.15, CLEAR, 1.0),
    phase(0.4, WORN, 1.0),
    phase(0.55, CLEAR, 0.0),
    phase(0.7, CLEAR, 5.0),
    phase(0.8, CLEAR, 0.0),
    phase(0.9, CLEAR, 10.0),
];

/// The phase at this part of the drive, from 0 to 1.
pub fn phase_at(part: f64) -> Phase {
    let begun = PHASES.iter().rfind(|phase| phase.start <= part);
    *begun.unwrap_or(&PHASES[0])
}

/// The angle of the front wheels for a class.
pub fn steering(label: &str) -> f64 {
    match label {
        "left" => -STEERING,
        "right" => STEERING,
        _ => 0.0,
    }
}

/// The car on its road.
#[derive(Debug, Clone, PartialEq)]
pub struct Car {
    /// The distance along the road.
    pub distance: f64,
    /// Of the centre of the car, to the right of the lane's centre.
    pub offset: f64,
    /// To the right of the road's direction.
    pub heading: f64,
    pub speed: f64,
    pub steering: f64,
}

impl Default for Car {
    fn default() -> Self {
        Self {
            distance: 0.0,
            offset: 0.3,
            heading: 0.0,
            speed: CRAWL_SPEED,
            steering: 0.0,
        }
    }
}

impl Car {
    /// The curvature of the road at the car: positive to the right.
    fn curvature(&self) -> f64 {
        (self.distance / 40.0).sin() / 400.0
    }

    /// Whether the car is outside its lane.
    pub fn left_lane(&self) -> bool {
        self.offset.abs() > LANE
    }

    /// A controller that does not use the camera: it steers by magnets in the road and a gyroscope, both coarse.
    pub fn fallback_steering(&self) -> f64 {
        let offset = (self.offset * 10.0).round_ties_even() / 10.0;
        let heading = (self.heading * 100.0).round_ties_even() / 100.0;
        -0.06 * offset - 0.6 * heading
    }

    /// Advances by one tick.
    pub fn drive(&mut self, steering: f64, target_speed: f64) {
        let period = PERIOD.as_secs_f64();
        let wheels = steering.clamp(-MAX_STEERING, MAX_STEERING);
        self.steering += (wheels - self.steering) * period / STEERING_LAG;
        self.speed += (target_speed - self.speed).clamp(-BRAKING * period, ACCELERATION * period);
        self.distance += self.speed * period;
        self.offset += self.speed * self.heading.sin() * period;
        self.heading += self.speed * (self.steering / WHEELBASE - self.curvature()) * period;
    }

    /// The image without noise and without an attack.
    ///
    /// The lane's centre is a painted line, brighter than the road by `contrast`.
    pub fn scene(&self, contrast: f64) -> Image {
        let light = 0.3 + 0.05 * (self.distance / 17.0).sin();
        let slope = 0.1 * (self.distance / 23.0).sin();
        let last = (SIZE - 1) as f64;
        let places = (0..SIZE).flat_map(|row| (0..SIZE).map(move |column| (row, column)));
        let pixel = |(row, column): (usize, usize)| {
            let [row, column] = [row as f64, column as f64];
            // The road ahead that this row shows.
            let ahead = 20.0 - 14.0 * row / last;
            let pixels_per_metre = 30.0 / ahead;
            let width = (0.15 * pixels_per_metre).max(0.7);
            let offset = self.offset + ahead * self.heading - self.curvature() * ahead.powi(2) / 2.0;
            let line = last / 2.0 - pixels_per_metre * offset;
            let profile = (-((column - line) / width).powi(2) / 2.0).exp();
            let road = light + slope * (column / last - 0.5);
            pixel_value(road + contrast * profile)
        };
        places.map(pixel).collect()
    }
}

/// The image that the controller receives: a scene with a pattern and noise. Clipping moves no pixel away from the scene.
pub fn frame(scene: &[f32], pattern: &[f32], random: &mut fastrand::Rng) -> Image {
    let pixels = scene.iter().zip(pattern);
    let noisy = |(scene, pattern): (&f32, &f32)| {
        pixel_value(f64::from(*scene) + f64::from(*pattern) + SENSOR_SIGMA * gaussian(random))
    };
    pixels.map(noisy).collect()
}

fn pixel_value(brightness: f64) -> f32 {
    brightness.clamp(0.0, 1.0) as f32
}

/// A standard Gaussian number by Box and Muller, so that the example needs no crate for it.
fn gaussian(random: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (TAU * random.f64()).cos()
}

/// The l2 norm.
pub fn norm(values: impl IntoIterator<Item = f32>) -> f64 {
    let squares = values.into_iter().map(|value| f64::from(value).powi(2));
    squares.sum::<f64>().sqrt()
}
