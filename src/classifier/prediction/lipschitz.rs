//! Certificates that need no votes: one row of a robust model with a Lipschitz proof, or with none.

use super::robust_prediction::{RobustPrediction, conclude, unavailable_reason};
use crate::certificate::{
    CertificateError, LogitConstant, Temperature, argmax, log_probabilities, log_softmax, logit_radius, theorem1_radius,
};
use crate::domain::{Certificate, Guarantee, InputSpec, Method, Status, are_probabilities};
use crate::onnx::OutputKind;
use crate::settings::MixtureSettings;

/// Reads the output of one row as `ln h`.
pub(in crate::classifier) fn log_probs(kind: OutputKind, output: &[f32], temperature: Temperature) -> Vec<f64> {
    match kind {
        OutputKind::Logits => log_softmax(output, temperature),
        OutputKind::Probabilities => log_probabilities(output),
    }
}

/// Certifies the output of one row.
///
/// # Errors
/// If the guarantee was not checked when it was read: an error of this program.
pub(in crate::classifier) fn certify(
    guarantee: &Guarantee,
    kind: OutputKind,
    output: &[f32],
    spec: &InputSpec,
    mixture: &MixtureSettings,
) -> Result<RobustPrediction, CertificateError> {
    let log_probs = log_probs(kind, output, mixture.robust_temperature);
    let unproven = |certificate| RobustPrediction {
        log_probs: log_probs.clone(),
        certified_class: None,
        certificate,
    };
    if let Some(reason) = unavailable_reason(guarantee, mixture) {
        return Ok(unproven(Certificate::unavailable(reason)));
    }
    let (alpha, finite) = (mixture.alpha, output.iter().all(|value| value.is_finite()));
    // A row that sums to another number is not the output that the constants were proven of.
    let proper = kind == OutputKind::Logits || are_probabilities(output);
    let usable = finite && proper;
    let (radius, method) = match guarantee {
        Guarantee::LipschitzProbabilities { .. } if !usable => (0.0, Method::Theorem1),
        Guarantee::LipschitzLogits { .. } if !usable => (0.0, Method::LogitLipschitz),
        Guarantee::LipschitzProbabilities {
            constants,
            neighbourhood,
            error_bound,
            ..
        } => {
            // As they are mixed; the clamp is 1-Lipschitz, so the constants hold for it too.
            let probabilities: Vec<f64> = output.iter().map(|&p| f64::from(p).clamp(0.0, 1.0)).collect();
            let radius = theorem1_radius(alpha, &probabilities, constants, *error_bound, *neighbourhood)?;
            (radius, Method::Theorem1)
        }
        Guarantee::LipschitzLogits {
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
            (
                logit_radius(alpha, output, mixture.robust_temperature, constant, *error_bound)?,
                Method::LogitLipschitz,
            )
        }
        Guarantee::None | Guarantee::GaussianSmoothing { .. } => {
            return Ok(unproven(Certificate::unavailable(
                "the robust model has no Lipschitz proof",
            )));
        }
    };
    let certificate = Certificate {
        status: Status::Abstained,
        radius,
        norm: guarantee.norm(),
        method: Some(method),
        ..Certificate::unavailable("")
    };
    let certificate = conclude(certificate, spec, || {
        if usable {
            format!(
                "the robust model's margin is not above (1 - alpha) / alpha = {:.4}",
                alpha.margin_needed()
            )
        } else if finite {
            "the robust model's output is not in [0, 1] with the sum 1, as probabilities are".to_owned()
        } else {
            "the robust model's output is not finite".to_owned()
        }
    });
    let certified_class = (certificate.status == Status::Certified)
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
    use crate::certificate::Alpha;
    use crate::domain::Norm;

    fn certified(output: &[f32]) -> Certificate {
        let guarantee = Guarantee::LipschitzProbabilities {
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
            alpha: Alpha::new(0.76).unwrap(),
            robust_temperature: Temperature::ONE,
        };
        certify(&guarantee, OutputKind::Probabilities, output, &spec, &mixture)
            .unwrap()
            .certificate
    }

    #[test]
    fn probabilities_are_certified_as_they_are_mixed() {
        assert_eq!(certified(&[1.0005, 0.0]).radius, certified(&[1.0, 0.0]).radius);
        assert_eq!(certified(&[1.0, -0.0005]).radius, certified(&[1.0, 0.0]).radius);
        assert!(certified(&[0.9, 0.1]).radius > 0.0);
    }

    #[test]
    fn rows_that_are_no_probabilities_are_not_certified() {
        // Half of a softmax over two rows; a value that no probability has, in a row that sums to 1; twice the whole.
        for output in [[0.5, 0.0], [1.5, -0.5], [1.0, 1.0], [0.0, 0.0]] {
            let certificate = certified(&output);
            assert_eq!(
                (certificate.status, certificate.radius),
                (Status::Abstained, 0.0),
                "{output:?}"
            );
            assert!(certificate.reason.contains("sum 1"), "{}", certificate.reason);
        }
    }

    #[test]
    fn what_is_not_finite_is_not_certified() {
        for output in [[f32::NAN, 0.0], [f32::INFINITY, 0.0], [1.0, f32::NEG_INFINITY]] {
            assert_eq!(certified(&output).status, Status::Abstained);
        }
    }

    #[test]
    fn bytes_pay_for_their_rounding() {
        let certificate = certified(&[0.9, 0.1]);
        let (covered, radius) = (certificate.radius_sq_levels, certificate.radius);
        let root = u32::try_from(covered)
            .map(|levels| f64::from(levels).sqrt() / 255.0)
            .unwrap();
        assert!(covered > 0 && root < radius - 4.0 * 2.0_f64.powi(-25));
    }
}
