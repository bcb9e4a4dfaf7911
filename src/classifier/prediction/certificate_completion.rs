//! Completes a certificate whose radius is computed.

use crate::certificate::radius_sq_levels;
use crate::domain::{AbstentionReason, Certificate, CertificateStatus, InputSpec, Norm};

/// Why an input has no certificate: the kind, and one sentence with the numbers.
pub(in crate::classifier) struct Abstention {
    pub(in crate::classifier) kind: AbstentionReason,
    pub(in crate::classifier) text: String,
}

impl From<String> for Abstention {
    /// Without votes, the output of the robust model is the only cause.
    fn from(text: String) -> Self {
        Self {
            kind: AbstentionReason::RobustModelUnsure,
            text,
        }
    }
}

/// Completes a certificate whose radius is computed. The status becomes `Certified` if the radius
/// is positive and finite. Otherwise the status becomes `Abstained`, for the reason of `abstention`.
pub(in crate::classifier) fn complete_certificate<A: Into<Abstention>>(
    mut certificate: Certificate,
    spec: &InputSpec,
    abstention: impl FnOnce() -> A,
) -> Certificate {
    if is_certifying(certificate.radius) {
        let certified = RadiusLimit::new(spec, certificate.norm).limited(certificate.radius);
        certificate.status = CertificateStatus::Certified;
        (certificate.radius, certificate.whole_range) = (certified.radius, certified.whole_range);
        if certificate.norm == Some(Norm::L2) && spec.accepts_uint8() {
            // A smoothed model reads integer levels. Every other model reads u / 255 rounded to
            // float32, and the rounding applies to both ends of the distance.
            let rounding = if spec.levels.is_some() {
                0.0
            } else {
                byte_rounding_distance(spec.dimension())
            };
            certificate.radius_sq_levels = radius_sq_levels(certificate.radius - rounding, 255).unwrap_or(0);
        }
    } else {
        certificate.status = CertificateStatus::Abstained;
        certificate.radius = 0.0;
        let Abstention { kind, text } = abstention().into();
        certificate.reason = text;
        certificate.abstention = Some(kind);
    }
    certificate
}

/// Limits radii to the range of the input.
pub(in crate::classifier) struct RadiusLimit {
    /// `None` without a norm: the radius has no limit.
    diameter: Option<InputRangeDiameter>,
}

/// A positive and finite radius, limited to the range of the input.
pub(in crate::classifier) struct CertifiedRadius {
    pub(in crate::classifier) radius: f64,
    /// Whether the radius covers every input of the range.
    pub(in crate::classifier) whole_range: bool,
}

impl RadiusLimit {
    /// The limit for inputs of `spec`, in `norm`.
    pub(in crate::classifier) fn new(spec: &InputSpec, norm: Option<Norm>) -> Self {
        Self {
            diameter: norm.map(|norm| InputRangeDiameter::new(spec, norm)),
        }
    }

    /// The radius of a certificate whose computed radius is `radius`; `None` if it certifies nothing.
    pub(in crate::classifier) fn certified(&self, radius: f64) -> Option<CertifiedRadius> {
        is_certifying(radius).then(|| self.limited(radius))
    }

    fn limited(&self, radius: f64) -> CertifiedRadius {
        match &self.diameter {
            Some(diameter) => CertifiedRadius {
                radius: radius.min(diameter.lower_bound),
                whole_range: radius > diameter.upper_bound,
            },
            None => CertifiedRadius {
                radius,
                whole_range: false,
            },
        }
    }
}

/// A radius that is NaN or infinite certifies nothing.
fn is_certifying(radius: f64) -> bool {
    radius.is_finite() && radius > 0.0
}

/// The diameter of the box of valid inputs in one norm: the largest distance between two inputs.
///
/// A radius above the diameter covers no further input, so a certificate is cut to the diameter.
/// The two bounds account for floating-point rounding, and the upper bound also for inputs whose values lie
/// beside an end of the range, as far as an input may have them.
struct InputRangeDiameter {
    /// At most the diameter. A radius is cut to this value.
    lower_bound: f64,
    /// At least the diameter. A ball with a larger radius contains every input.
    upper_bound: f64,
}

impl InputRangeDiameter {
    fn new(spec: &InputSpec, norm: Norm) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "dimensions stay far below 2^53")]
        let dimension = spec.dimension() as f64;
        // The number of sides of the box whose lengths add up to the diameter in this norm.
        let side_count = match norm {
            Norm::L1 => dimension,
            Norm::L2 => dimension.sqrt(),
            Norm::Linf => 1.0,
        };
        let side = spec.high - spec.low;
        let diameter = side * side_count;
        // Each of the three operations may round, except where all operands are whole numbers, as
        // in most ranges. The dimension is at most 2^24, so a double holds the product exactly.
        let is_whole = |number: f64| number.fract() == 0.0 && number.abs() <= 2.0_f64.powi(26);
        let relative_error = if [spec.low, spec.high, side_count].into_iter().all(is_whole) {
            0.0
        } else {
            4.0 * f64::EPSILON
        };
        let [first, last] = spec.float32_range().accepted_ends().map(f64::from);
        let excess = (spec.low - first).max(0.0) + (last - spec.high).max(0.0);
        let widest = if excess > 0.0 {
            (side + excess) * side_count * (1.0 + f64::EPSILON)
        } else {
            diameter
        };
        Self {
            lower_bound: diameter * (1.0 - relative_error),
            upper_bound: widest * (1.0 + relative_error),
        }
    }
}

/// The most by which the l2 distance of two byte inputs grows when their values `u / 255` are
/// rounded to float32. Each value in [0, 1] moves by at most 2^-25.
fn byte_rounding_distance(dimension: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "dimensions stay far below 2^53")]
    let root = (dimension as f64).sqrt().next_up();
    2.0 * root * 2.0_f64.powi(-25)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(low: f64, high: f64, shape: Vec<usize>) -> InputSpec {
        InputSpec {
            name: "input".to_owned(),
            shape,
            low,
            high,
            levels: None,
        }
    }

    fn completed(radius: f64, norm: Norm) -> Certificate {
        let certificate = Certificate {
            radius,
            norm: Some(norm),
            ..Certificate::unavailable("")
        };
        complete_certificate(certificate, &spec(-1.0, 1.0, vec![2, 2]), || "reason".to_owned())
    }

    /// Regression: an unproven Lipschitz constant of 0.001 gave a radius of 99,537 on a box whose
    /// diameter is 2 to 8.
    #[test]
    fn the_radius_never_exceeds_the_input_range() {
        for (norm, diameter) in [(Norm::L1, 8.0), (Norm::L2, 4.0), (Norm::Linf, 2.0)] {
            for radius in [99_537.0, f64::MAX] {
                let certificate = completed(radius, norm);
                assert!(certificate.whole_range);
                assert_eq!(certificate.radius, diameter, "{norm}");
            }
            assert_eq!(completed(diameter, norm).radius, diameter);
            assert_eq!(completed(0.25, norm).radius, 0.25);
            assert!(!completed(diameter, norm).whole_range);
        }
    }

    #[test]
    fn a_radius_that_is_not_finite_and_positive_abstains() {
        for radius in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            let certificate = completed(radius, Norm::L2);
            assert_eq!(
                (certificate.status, certificate.radius),
                (CertificateStatus::Abstained, 0.0)
            );
        }
    }

    /// An input may have values beside the ends 0.7 and 1.1, whose float32 values lie outside.
    #[test]
    fn a_radius_within_the_accepted_values_does_not_cover_the_whole_range() {
        let spec = spec(0.7, 1.1, vec![4]);
        let [first, last] = spec.float32_range().accepted_ends().map(f64::from);
        assert!(first < spec.low && last > spec.high);
        for (norm, count) in [(Norm::L1, 4.0), (Norm::L2, 2.0), (Norm::Linf, 1.0)] {
            let diameter = InputRangeDiameter::new(&spec, norm);
            assert!(diameter.upper_bound >= (last - first) * count, "{norm}");
            assert!(diameter.lower_bound <= (spec.high - spec.low) * count, "{norm}");
        }
    }

    #[test]
    fn the_two_bounds_enclose_the_diameter() {
        for dimension in [1, 2, 3, 4, 7, 784, 3072, 150_528] {
            for (low, high) in [(0.0, 1.0), (-1.0, 1.0), (0.1, 0.3), (-1e-9, 255.0)] {
                let spec = spec(low, high, vec![dimension]);
                let (side, count) = (high - low, dimension as f64);
                for (norm, squared) in [
                    (Norm::L1, side * side * count * count),
                    (Norm::L2, side * side * count),
                    (Norm::Linf, side * side),
                ] {
                    let InputRangeDiameter {
                        lower_bound,
                        upper_bound,
                    } = InputRangeDiameter::new(&spec, norm);
                    let excess = {
                        let [first, last] = spec.float32_range().accepted_ends().map(f64::from);
                        ((low - first).max(0.0) + (last - high).max(0.0)) / side
                    };
                    assert!(lower_bound <= upper_bound);
                    assert!(upper_bound < lower_bound * (1.0 + 1e-14 + 1.01 * excess));
                    assert!(
                        lower_bound * lower_bound <= squared * (1.0 + 1e-15),
                        "{norm} {dimension} {low} {high}"
                    );
                    assert!(
                        upper_bound * upper_bound >= squared * (1.0 - 1e-15),
                        "{norm} {dimension} {low} {high}"
                    );
                }
            }
        }
    }
}
