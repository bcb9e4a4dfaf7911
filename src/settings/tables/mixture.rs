//! `[mixture]`: how the two models are weighed, and what keeps an operator from weighing them by mistake.

use std::time::Duration;

use crate::certificate::{Alpha, Temperature};
use crate::settings::reader::Reader;

/// Candidates for alpha, at most: each costs a mixture and a certificate an input.
const MOST_SHADOWS: usize = 16;

/// `[mixture]`: what an answer depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixtureSettings {
    /// Weight of the robust model.
    pub alpha: Alpha,
    /// T of `h = softmax(z / T)`.
    pub robust_temperature: Temperature,
}

/// `[mixture]`: how alpha is changed.
#[derive(Debug, Clone, PartialEq)]
pub struct TuningSettings {
    /// The alpha that is asked for: that of the mixture, unless that is on its way here.
    pub target_alpha: Alpha,
    /// How long alpha takes from its old value to a new one, in a straight line; zero: at once.
    pub alpha_ramp: Duration,
    /// Candidates for alpha, each of which is told what it would have answered; ascending, none twice.
    pub shadow_alphas: Vec<Alpha>,
}

pub(in crate::settings) fn read(reader: &mut Reader) -> Option<(MixtureSettings, TuningSettings)> {
    let expected = "a number from 0 to 1, the weight of the robust model";
    let weight = |alpha: f64| Alpha::new(alpha).is_ok();
    let alpha = reader.float("mixture.alpha", 0.76, expected, weight);
    let alpha_min = reader.float("mixture.alpha_min", 0.0, "a number from 0 to 1", weight);
    let alpha_max = reader.float("mixture.alpha_max", 1.0, "a number from 0 to 1", weight);
    reader.check(alpha_min <= alpha_max, "mixture.alpha_min", || {
        format!("is over mixture.alpha_max = {alpha_max}")
    });
    reader.check((alpha_min..=alpha_max).contains(&alpha), "mixture.alpha", || {
        format!("{alpha} is outside the guard rails mixture.alpha_min = {alpha_min} to mixture.alpha_max = {alpha_max}")
    });
    let robust_temperature = reader.float("mixture.robust_temperature", 1.0, "a number from 1e-6 to 1e6", |t| {
        (1e-6..=1e6).contains(&t)
    });
    let alpha_ramp = reader.duration(
        "mixture.alpha_ramp",
        Duration::ZERO,
        Duration::ZERO,
        Duration::from_secs(24 * 3600),
    );
    let mut shadow_alphas = reader.floats(
        "mixture.shadow_alphas",
        MOST_SHADOWS,
        "a list of at most 16 numbers from 0 to 1, such as [0.6, 0.9]",
        weight,
    );
    shadow_alphas.sort_by(f64::total_cmp);
    shadow_alphas.dedup();
    let mixture = MixtureSettings {
        alpha: Alpha::new(alpha).ok()?,
        robust_temperature: Temperature::new(robust_temperature).ok()?,
    };
    let tuning = TuningSettings {
        target_alpha: mixture.alpha,
        alpha_ramp,
        shadow_alphas: shadow_alphas
            .into_iter()
            .filter_map(|alpha| Alpha::new(alpha).ok())
            .collect(),
    };
    Some((mixture, tuning))
}
