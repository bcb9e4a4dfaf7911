//! Certificates that need no votes: one row of a robust model with a Lipschitz proof, or without a
//! proof.

use super::certificate_completion::complete_certificate;
use super::robust_prediction::RobustPrediction;
use super::unavailability::unavailable_reason;
use crate::certificate::{
    Alpha, CertificateError, LogitConstant, Temperature, argmax, log_probabilities, log_softmax, logit_radius,
    theorem1_radius,
};
use crate::domain::{Certificate, CertificateMethod, CertificateStatus, InputSpec, ModelGuarantee, are_probabilities};
use crate::onnx::OutputKind;
use crate::settings::MixtureSettings;

/// Converts the output of one row to log probabilities, `ln g` or `ln h`.
pub(in crate::classifier) fn log_probs(kind: OutputKind, output: &[f32], temperature: Temperature) -> Vec<f64> {
    match kind {
        OutputKind::Logits => log_softmax(output, temperature),
        OutputKind::Probabilities => log_probabilities(output),
    }
}

/// Whether the constants apply to this output: they were proven for finite rows, and those of
/// probabilities for rows that sum to 1.
fn is_valid_row(kind: OutputKind, output: &[f32]) -> bool {
    output.iter().all(|value| value.is_finite()) && (kind == OutputKind::Logits || are_probabilities(output))
}

/// Returns the radius of the output of one row, and its theorem. The radius is not limited to the
/// range of the input yet. Returns `None` if the guarantee is about no row.
///
/// # Errors
/// As for [`certify`].
pub(in crate::classifier) fn radius_of_row(
    guarantee: &ModelGuarantee,
    kind: OutputKind,
    output: &[f32],
    alpha: Alpha,
    temperature: Temperature,
) -> Result<Option<(f64, CertificateMethod)>, CertificateError> {
    let is_valid = is_valid_row(kind, output);
    Ok(match guarantee {
        ModelGuarantee::LipschitzProbabilities { .. } if !is_valid => Some((0.0, CertificateMethod::Theorem1)),
        ModelGuarantee::LipschitzLogits { .. } if !is_valid => Some((0.0, CertificateMethod::LogitLipschitz)),
        ModelGuarantee::LipschitzProbabilities {
            constants,
            neighbourhood,
            error_bound,
            ..
        } => {
            // The mixture clamps the probabilities too. The clamp is 1-Lipschitz, so the constants
            // also hold for the clamped values.
            let probabilities: Vec<f64> = output.iter().map(|&p| f64::from(p).clamp(0.0, 1.0)).collect();
            let radius = theorem1_radius(alpha, &probabilities, constants, *error_bound, *neighbourhood)?;
            Some((radius, CertificateMethod::Theorem1))
        }
        ModelGuarantee::LipschitzLogits {
            constant,
            vector_valued,
            error_bound,
            ..
        } => {
            let constant = if *vector_valued {
                LogitConstant::Vector(*constant)
            } else {
                LogitConstant::PerLogit(*constant)
            };
            let radius = logit_radius(alpha, output, temperature, constant, *error_bound)?;
            Some((radius, CertificateMethod::LogitLipschitz))
        }
        ModelGuarantee::None | ModelGuarantee::GaussianSmoothing { .. } => None,
    })
}

/// Certifies the output of one row.
///
/// # Errors
/// Returns an error if the guarantee was not validated when the manifest was read. That is a defect
/// of this program.
pub(in crate::classifier) fn certify(
    guarantee: &ModelGuarantee,
    kind: OutputKind,
    output: &[f32],
    spec: &InputSpec,
    mixture: &MixtureSettings,
) -> Result<RobustPrediction, CertificateError> {
    let log_probs = log_probs(kind, output, mixture.robust_temperature);
    let uncertified = |certificate| RobustPrediction {
        log_probs: log_probs.clone(),
        certified_class: None,
        certificate,
    };
    if let Some(reason) = unavailable_reason(guarantee, mixture.weights.alpha()) {
        return Ok(uncertified(Certificate::unavailable(reason)));
    }
    let alpha = mixture.weights.alpha();
    let Some((radius, method)) = radius_of_row(guarantee, kind, output, alpha, mixture.robust_temperature)? else {
        return Ok(uncertified(Certificate::unavailable(
            "the robust model has no Lipschitz proof",
        )));
    };
    let certificate = Certificate {
        status: CertificateStatus::Abstained,
        radius,
        norm: guarantee.norm(),
        method: Some(method),
        ..Certificate::unavailable("")
    };
    let certificate = complete_certificate(certificate, spec, || {
        let is_finite = output.iter().all(|value| value.is_finite());
        if is_valid_row(kind, output) {
            format!(
                "the robust model's margin does not exceed (1 - alpha) / alpha = {:.4}",
                alpha.margin_needed()
            )
        } else if is_finite {
            "the output of the robust model is not a row of probabilities: each must be in [0, 1], with the sum 1"
                .to_owned()
        } else {
            "the output of the robust model is not finite".to_owned()
        }
    });
    let certified_class = (certificate.status == CertificateStatus::Certified)
        .then(|| argmax(&log_probs))
        .flatten();
    Ok(RobustPrediction {
        log_probs,
        certified_class,
        certificate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::MixingWeights;
    use crate::domain::Norm;

    fn certified(output: &[f32]) -> Certificate {
        let guarantee = ModelGuarantee::LipschitzProbabilities {
            norm: Norm::L2,
            constants: vec![1.0; 2],
            neighbourhood: None,
            error_bound: 0.0,
        };
        let spec = InputSpec {
            name: "input".to_owned(),
            shape: vec![4],
            low: 0.0,
            high: 1.0,
            levels: None,
        };
        let mixture = MixtureSettings {
            weights: MixingWeights::constant(Alpha::new(0.76).unwrap()),
            robust_temperature: Temperature::ONE,
        };
        certify(&guarantee, OutputKind::Probabilities, output, &spec, &mixture)
            .unwrap()
            .certificate
    }

    #[test]
    fn probabilities_are_clamped_before_they_are_certified() {
        assert_eq!(certified(&[1.0005, 0.0]).radius, certified(&[1.0, 0.0]).radius);
        assert_eq!(certified(&[1.0, -0.0005]).radius, certified(&[1.0, 0.0]).radius);
        assert!(certified(&[0.9, 0.1]).radius > 0.0);
    }

    #[test]
    fn rows_that_are_not_probabilities_abstain() {
        // In turn: half of a softmax over two rows, values outside [0, 1] that sum to 1, a sum of
        // 2, and a sum of 0.
        for output in [[0.5, 0.0], [1.5, -0.5], [1.0, 1.0], [0.0, 0.0]] {
            let certificate = certified(&output);
            assert_eq!(
                (certificate.status, certificate.radius),
                (CertificateStatus::Abstained, 0.0),
                "{output:?}"
            );
            assert!(certificate.reason.contains("sum 1"), "{}", certificate.reason);
        }
    }

    #[test]
    fn rows_that_are_not_finite_abstain() {
        for output in [[f32::NAN, 0.0], [f32::INFINITY, 0.0], [1.0, f32::NEG_INFINITY]] {
            assert_eq!(certified(&output).status, CertificateStatus::Abstained);
        }
    }

    #[test]
    fn the_radius_in_byte_levels_deducts_float32_rounding() {
        let certificate = certified(&[0.9, 0.1]);
        let (radius_sq_levels, radius) = (certificate.radius_sq_levels, certificate.radius);
        let root = u32::try_from(radius_sq_levels)
            .map(|levels| f64::from(levels).sqrt() / 255.0)
            .unwrap();
        assert!(radius_sq_levels > 0 && root < radius - 4.0 * 2.0_f64.powi(-25));
    }
}
