//! What the robust model says of one input.

use crate::certificate::{Alpha, radius_sq_levels};
use crate::domain::{Certificate, Guarantee, InputSpec, Norm, Status};
use crate::settings::MixtureSettings;

/// The robust model's part of a prediction.
#[derive(Debug, Clone)]
pub(super) struct RobustAnswer {
    /// `ln h_i`, K values.
    pub(super) log_probs: Vec<f64>,
    /// The class that the certificate is about; none if nothing is certified.
    pub(super) certified_class: Option<usize>,
    pub(super) certificate: Certificate,
}

/// Why no input at all can be certified with this pair and these settings.
pub(super) fn unavailable_reason(guarantee: &Guarantee, mixture: &MixtureSettings) -> Option<String> {
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
pub(super) fn conclude(mut certificate: Certificate, spec: &InputSpec, reason: impl FnOnce() -> String) -> Certificate {
    if certificate.radius > 0.0 {
        certificate.status = Status::Certified;
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

/// How much further apart two inputs of `dimension` bytes may be as float32 than as 255ths, in l2: each value in [0, 1] is
/// off by at most 2^-25.
fn rounding_of_bytes(dimension: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "dimensions stay far below 2^53")]
    let root = (dimension as f64).sqrt().next_up();
    2.0 * root * 2.0_f64.powi(-25)
}
