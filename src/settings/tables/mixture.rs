//! `[mixture]`: the weights of the two models, and the limits on changing them.

use std::time::Duration;

use crate::certificate::{Alpha, Temperature};
use crate::settings::key::Key;
use crate::settings::reader::Reader;

/// Most shadow alphas. Each costs a mixture and a certificate per input.
const MAX_SHADOW_ALPHAS: usize = 16;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The part of `[mixture]` that answers depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixtureSettings {
    /// Weight of the robust model.
    pub alpha: Alpha,
    /// T of `h = softmax(z / T)`.
    pub robust_temperature: Temperature,
}

/// The part of `[mixture]` that controls how alpha changes.
#[derive(Debug, Clone, PartialEq)]
pub struct TuningSettings {
    /// The configured alpha. During a ramp, the alpha of the mixture is still on its way to this value.
    pub target_alpha: Alpha,
    /// How long alpha takes to change linearly from its old value to a new one; zero for at once.
    pub alpha_ramp: Duration,
    /// Candidate alphas that the server evaluates on live traffic: ascending, without duplicates.
    pub shadow_alphas: Vec<Alpha>,
}

const ALPHA: Key = Key::live(
    "mixture.alpha",
    "Weight of the robust model. Certificates need more than 0.5; at 1 the standard model has no influence.",
);
const ALPHA_MIN: Key = Key::live("mixture.alpha_min", "Guard rail: the smallest alpha that is accepted.");
const ALPHA_MAX: Key = Key::live("mixture.alpha_max", "Guard rail: the largest alpha that is accepted.");

pub(in crate::settings) fn read(reader: &mut Reader) -> Option<(MixtureSettings, TuningSettings)> {
    let is_weight = |alpha: f64| Alpha::new(alpha).is_ok();
    let expected = "a number from 0 to 1, the weight of the robust model";
    let alpha = reader.float(ALPHA, 0.76, expected, is_weight);
    let alpha_min = reader.float(ALPHA_MIN, 0.0, "a number from 0 to 1", is_weight);
    let alpha_max = reader.float(ALPHA_MAX, 1.0, "a number from 0 to 1", is_weight);
    reader.check(alpha_min <= alpha_max, ALPHA_MIN, || {
        format!("is over mixture.alpha_max = {alpha_max}")
    });
    reader.check((alpha_min..=alpha_max).contains(&alpha), ALPHA, || {
        format!("{alpha} is outside the guard rails mixture.alpha_min = {alpha_min} to mixture.alpha_max = {alpha_max}")
    });
    let robust_temperature = reader.float(
        Key::live(
            "mixture.robust_temperature",
            "T of `h = softmax(z / T)` for a robust model that returns logits and is not smoothed.",
        ),
        1.0,
        "a number from 1e-6 to 1e6",
        |t| (1e-6..=1e6).contains(&t),
    );
    let alpha_ramp = reader.duration(
        Key::live(
            "mixture.alpha_ramp",
            "How long alpha takes to change linearly from its old value to a new one. `\"0s\"` changes it at once.",
        ),
        Duration::ZERO,
        Duration::ZERO..=DAY,
    );
    let mut shadow_alphas = reader.floats(
        Key::live(
            "mixture.shadow_alphas",
            "Candidate alphas that the server evaluates on live traffic without serving them.",
        ),
        MAX_SHADOW_ALPHAS,
        "a list of at most 16 numbers from 0 to 1, such as [0.6, 0.9]",
        is_weight,
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
