//! Certificates that need no votes: one row of a robust model with a Lipschitz proof, or with none.

use super::robust::{RobustAnswer, conclude, unavailable_reason};
use crate::certificate::{
    CertificateError, LogitConstant, argmax, log_probabilities, log_softmax, logit_radius, theorem1_radius,
};
use crate::domain::{Certificate, Guarantee, InputSpec, Method, Status, StopReason};
use crate::onnx::OutputKind;
use crate::settings::MixtureSettings;

/// Reads the output of one row as `ln h`.
pub(super) fn log_probs(kind: OutputKind, output: &[f32], mixture: &MixtureSettings) -> Vec<f64> {
    match kind {
        OutputKind::Logits => log_softmax(output, mixture.robust_temperature),
        OutputKind::Probabilities => log_probabilities(output),
    }
}

/// Certifies the output of one row.
///
/// # Errors
/// If the guarantee was not checked when it was read: an error of this program.
pub(super) fn certify(
    guarantee: &Guarantee,
    kind: OutputKind,
    output: &[f32],
    spec: &InputSpec,
    mixture: &MixtureSettings,
) -> Result<RobustAnswer, CertificateError> {
    let log_probs = log_probs(kind, output, mixture);
    let unproven = |certificate| RobustAnswer {
        log_probs: log_probs.clone(),
        certified_class: None,
        certificate,
    };
    if let Some(reason) = unavailable_reason(guarantee, mixture) {
        return Ok(unproven(Certificate::unavailable(reason)));
    }
    let (alpha, finite) = (mixture.alpha, output.iter().all(|value| value.is_finite()));
    let (radius, method) = match guarantee {
        Guarantee::LipschitzProbabilities { .. } if !finite => (0.0, Method::Theorem1),
        Guarantee::LipschitzLogits { .. } if !finite => (0.0, Method::LogitLipschitz),
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
        reason: String::new(),
        sampling: None,
        stop_reason: StopReason::NotSampled,
        radius_sq_levels: 0,
        caveat: String::new(),
    };
    let certificate = conclude(certificate, spec, || {
        if finite {
            format!(
                "the robust model's margin is not above (1 - alpha) / alpha = {:.4}",
                alpha.margin_needed()
            )
        } else {
            "the robust model's output is not finite".to_owned()
        }
    });
    let certified_class = (certificate.status == Status::Certified)
        .then(|| argmax(&log_probs))
        .flatten();
    Ok(RobustAnswer {
        log_probs,
        certified_class,
        certificate,
    })
}
