//! Narrows computed values to float32, the type that the wire carries.

/// The float32 that is nearest to a logit or a probability.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the wire carries logits and probabilities as float32"
)]
pub(in crate::rpc) fn nearest_f32(value: f64) -> f32 {
    value as f32
}

/// A probability as float32, computed from its logarithm.
pub(in crate::rpc) fn probability_from_log(log: f64) -> f32 {
    nearest_f32(log.exp())
}
