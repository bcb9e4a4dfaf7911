//! `[mixture]`: the weights of the two models, and the limits on changing them.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::certificate::{Alpha, MixingWeights, Temperature};
use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

/// Accepted temperatures.
pub(super) const TEMPERATURE_RANGE: RangeInclusive<f64> = 1e-6..=1e6;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The part of `[mixture]` that answers depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixtureSettings {
    /// The weights of the robust model.
    pub weights: MixingWeights,
    /// T of `h = softmax(z / T)`.
    pub robust_temperature: Temperature,
}

/// The part of `[mixture]` that controls how alpha changes.
#[derive(Debug, Clone, PartialEq)]
pub struct TuningSettings {
    /// The configured weights. During a ramp, the weights of the mixture are still on their way to
    /// these.
    pub target_weights: MixingWeights,
    /// How long the weights take to change linearly from their old values to new ones; zero for at
    /// once.
    pub alpha_ramp: Duration,
    /// The smallest and the largest accepted weight: `mixture.alpha_min` and `mixture.alpha_max`.
    pub guard_rails: (f64, f64),
}

const ALPHA: SettingKey = SettingKey::live(
    "mixture.alpha",
    KeyScope::Answers,
    "Weight of the robust model. Certificates need more than 0.5; at 1 the standard model has no influence.",
);
const FALLBACK_ALPHA: SettingKey = SettingKey::live(
    "mixture.fallback_alpha",
    KeyScope::Answers,
    "Weight of the robust model where its margin is below `(1 - alpha) / alpha`, so that nothing can be certified. \
     No radius depends on it. At 0 the standard model alone answers there; at alpha the mixture is the paper's.",
)
.with_computed_default("`mixture.alpha`");
const ALPHA_MIN: SettingKey = SettingKey::live(
    "mixture.alpha_min",
    KeyScope::Operation,
    "Guard rail: the smallest alpha and fallback_alpha that are accepted.",
);
const ALPHA_MAX: SettingKey = SettingKey::live(
    "mixture.alpha_max",
    KeyScope::Operation,
    "Guard rail: the largest alpha and fallback_alpha that are accepted.",
);

pub(in crate::settings) fn read(reader: &mut Reader) -> Option<(MixtureSettings, TuningSettings)> {
    let is_weight = |alpha: f64| Alpha::new(alpha).is_ok();
    let expected = "a number from 0 to 1, the weight of the robust model";
    let alpha = reader.float(ALPHA, 0.76, expected, is_weight);
    let alpha_min = reader.float(ALPHA_MIN, 0.0, "a number from 0 to 1", is_weight);
    let alpha_max = reader.float(ALPHA_MAX, 1.0, "a number from 0 to 1", is_weight);
    reader.check(alpha_min <= alpha_max, ALPHA_MIN, || {
        format!("is over mixture.alpha_max = {alpha_max}")
    });
    let fallback_alpha = reader.float(FALLBACK_ALPHA, alpha, "a number from 0 to mixture.alpha", is_weight);
    reader.check(fallback_alpha <= alpha, FALLBACK_ALPHA, || {
        format!("expected a number from 0 to mixture.alpha = {alpha}, found {fallback_alpha}")
    });
    let guard_rails = alpha_min..=alpha_max;
    let outside = |weight: f64| {
        format!(
            "{weight} is outside the guard rails mixture.alpha_min = {alpha_min} to mixture.alpha_max = {alpha_max}"
        )
    };
    reader.check(guard_rails.contains(&alpha), ALPHA, || outside(alpha));
    // A fallback_alpha that follows alpha adds no violation of its own.
    let is_allowed = fallback_alpha == alpha || guard_rails.contains(&fallback_alpha);
    reader.check(is_allowed, FALLBACK_ALPHA, || outside(fallback_alpha));
    let robust_temperature = reader.float(
        SettingKey::live(
            "mixture.robust_temperature",
            KeyScope::Answers,
            "T of `h = softmax(z / T)` for a robust model that returns logits and is not smoothed.",
        ),
        1.0,
        "a number from 1e-6 to 1e6",
        |t| TEMPERATURE_RANGE.contains(&t),
    );
    let alpha_ramp = reader.duration(
        SettingKey::live(
            "mixture.alpha_ramp", KeyScope::Operation,
            "How long alpha and fallback_alpha take to change linearly from their old values to new ones. `\"0s\"` changes \
             them at once.",
        ),
        Duration::ZERO,
        Duration::ZERO..=DAY,
    );
    let (alpha, fallback_alpha) = (Alpha::new(alpha).ok()?, Alpha::new(fallback_alpha).ok()?);
    let mixture = MixtureSettings {
        // The violation is recorded above. A check of the configuration goes on with weights that fit.
        weights: MixingWeights::new(alpha, fallback_alpha).unwrap_or_else(|_| MixingWeights::constant(alpha)),
        robust_temperature: Temperature::new(robust_temperature).ok()?,
    };
    let tuning = TuningSettings {
        target_weights: mixture.weights,
        alpha_ramp,
        guard_rails: (alpha_min, alpha_max),
    };
    Some((mixture, tuning))
}
