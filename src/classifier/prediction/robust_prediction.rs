//! What the robust model says of one input.

use crate::certificate::{Alpha, radius_sq_levels};
use crate::domain::{Certificate, Guarantee, InputSpec, Norm, Status};
use crate::settings::MixtureSettings;

/// The robust model's part of a prediction.
#[derive(Debug, Clone)]
pub(in crate::classifier) struct RobustPrediction {
    /// `ln h_i`, K values.
    pub(in crate::classifier) log_probs: Vec<f64>,
    /// The class that the certificate is about; none if nothing is certified.
    pub(in crate::classifier) certified_class: Option<usize>,
    pub(in crate::classifier) certificate: Certificate,
}

/// Why no input at all can be certified with this pair and these settings.
pub(in crate::classifier) fn unavailable_reason(guarantee: &Guarantee, mixture: &MixtureSettings) -> Option<String> {
    let alpha: Alpha = mixture.alpha;
    if *guarantee == Guarantee::None {
        return Some("nothing is proven about the robust model".to_owned());
    }
    if alpha.can_certify() {
        return None;
    }
    Some(if alpha.get() >= 0.5 {
        "alpha = 0.5 is exactly 1/2: the robust model would have to be certain, which it is on no ball".to_owned()
    } else {
        format!(
            "alpha = {} is under 1/2: the standard model can overrule the robust one",
            alpha.get()
        )
    })
}

/// Completes a certificate whose radius is known: certified if it is positive, else abstained for `reason`.
pub(in crate::classifier) fn conclude(
    mut certificate: Certificate,
    spec: &InputSpec,
    reason: impl FnOnce() -> String,
) -> Certificate {
    // A radius that is not a finite number is none.
    if certificate.radius.is_finite() && certificate.radius > 0.0 {
        certificate.status = Status::Certified;
        if let Some(norm) = certificate.norm {
            let diameter = Diameter::of(spec, norm);
            certificate.whole_range = certificate.radius > diameter.above;
            certificate.radius = certificate.radius.min(diameter.below);
        }
        if certificate.norm == Some(Norm::L2) && spec.accepts_uint8() {
            // A smoothed model sees levels; any other sees u / 255 rounded to float32, at both ends.
            let rounding = if spec.levels.is_some() {
                0.0
            } else {
                rounding_of_bytes(spec.dimension())
            };
            certificate.radius_sq_levels = radius_sq_levels(certificate.radius - rounding, 255).unwrap_or(0);
        }
    } else {
        certificate.status = Status::Abstained;
        certificate.radius = 0.0;
        certificate.reason = reason();
    }
    certificate
}

/// The diameter of the box of inputs in a norm, from both sides: the largest distance of two inputs. Beyond it there is no
/// input, and a larger radius would only look like more.
struct Diameter {
    /// Not above it: what a radius is cut to.
    below: f64,
    /// Not below it: a ball with a larger radius holds every input.
    above: f64,
}

impl Diameter {
    fn of(spec: &InputSpec, norm: Norm) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "dimensions stay far below 2^53")]
        let dimension = spec.dimension() as f64;
        let sides = match norm {
            Norm::L1 => dimension,
            Norm::L2 => dimension.sqrt(),
            Norm::Linf => 1.0,
        };
        let side = spec.high - spec.low;
        let diameter = side * sides;
        // Each of the three operations may have rounded, but not where all is whole, as in most ranges. The dimension is at
        // most 2^24, so that their product is one that a float holds.
        let whole = |number: f64| number.fract() == 0.0 && number.abs() <= 2.0_f64.powi(26);
        let roundings = if [spec.low, spec.high, sides].into_iter().all(whole) {
            0.0
        } else {
            4.0 * f64::EPSILON
        };
        Self {
            below: diameter * (1.0 - roundings),
            above: diameter * (1.0 + roundings),
        }
    }
}

/// How much further apart two inputs of `dimension` bytes may be as float32 than as 255ths, in l2: each value in [0, 1] is
/// off by at most 2^-25.
fn rounding_of_bytes(dimension: usize) -> f64 {
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

    fn concluded(radius: f64, norm: Norm) -> Certificate {
        let certificate = Certificate {
            radius,
            norm: Some(norm),
            ..Certificate::unavailable("")
        };
        conclude(certificate, &spec(-1.0, 1.0, vec![2, 2]), || "why".to_owned())
    }

    /// A constant of 0.001 that nobody had proved answered 99,537 on a box of diameter 2 to 8.
    #[test]
    fn no_radius_is_larger_than_the_range() {
        for (norm, diameter) in [(Norm::L1, 8.0), (Norm::L2, 4.0), (Norm::Linf, 2.0)] {
            for radius in [99_537.0, f64::MAX] {
                let certificate = concluded(radius, norm);
                assert!(certificate.whole_range);
                assert_eq!(certificate.radius, diameter, "{norm}");
            }
            assert_eq!(concluded(diameter, norm).radius, diameter);
            assert_eq!(concluded(0.25, norm).radius, 0.25);
            assert!(!concluded(diameter, norm).whole_range);
        }
    }

    #[test]
    fn what_is_no_number_is_no_radius() {
        for radius in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            let certificate = concluded(radius, Norm::L2);
            assert_eq!((certificate.status, certificate.radius), (Status::Abstained, 0.0));
        }
    }

    #[test]
    fn the_diameter_lies_between_its_two_sides() {
        for dimension in [1, 2, 3, 4, 7, 784, 3072, 150_528] {
            for (low, high) in [(0.0, 1.0), (-1.0, 1.0), (0.1, 0.3), (-1e-9, 255.0)] {
                let spec = spec(low, high, vec![dimension]);
                let (side, count) = (high - low, dimension as f64);
                for (norm, squared) in [
                    (Norm::L1, side * side * count * count),
                    (Norm::L2, side * side * count),
                    (Norm::Linf, side * side),
                ] {
                    let Diameter { below, above } = Diameter::of(&spec, norm);
                    assert!(below <= above && above < below * (1.0 + 1e-14));
                    assert!(
                        below * below <= squared * (1.0 + 1e-15),
                        "{norm} {dimension} {low} {high}"
                    );
                    assert!(
                        above * above >= squared * (1.0 - 1e-15),
                        "{norm} {dimension} {low} {high}"
                    );
                }
            }
        }
    }
}
