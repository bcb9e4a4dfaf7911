//! What was measured, as text.

use super::data::MeasuredFact;
use crate::domain::{Basis, InputSpec, ModelGuarantee};
use crate::evaluation::record::{EvaluatedModel, EvaluationHeader};

/// The data set, the models, the guarantee and the circumstances of an evaluation.
pub(super) fn measured_facts(header: &EvaluationHeader) -> Vec<MeasuredFact> {
    let settings = &header.settings;
    let mixture = &settings.mixture;
    let mut facts = vec![
        MeasuredFact::new(
            "data set",
            format!("{}, sha256 {}", header.data_set.name, header.data_set.sha256),
        ),
        MeasuredFact::new("standard model g", model_text(&header.models.standard)),
        MeasuredFact::new("robust model h", model_text(&header.models.robust)),
        MeasuredFact::new("guarantee of h", guarantee_text(&header.guarantee)),
    ];
    if let Some(basis) = &header.guarantee_basis {
        let kind = match basis.basis {
            Basis::Proven => "proven",
            Basis::Claimed => "claimed, not proven",
        };
        facts.push(MeasuredFact::new("basis", format!("{kind}: {}", basis.reason)));
    }
    facts.push(MeasuredFact::new("input", input_text(&header.input)));
    facts.push(MeasuredFact::new(
        "mixture in force",
        format!(
            "alpha {}, fallback_alpha {}, temperature {}",
            mixture.weights.alpha().get(),
            mixture.weights.fallback_alpha().get(),
            mixture.robust_temperature.get()
        ),
    ));
    if let Some(sampling) = &header.sampling {
        facts.push(MeasuredFact::new(
            "votes",
            format!(
                "{} to select the class and {} to estimate, recorded for each input; failure probability {}",
                sampling.selection_votes,
                sampling.estimation_votes,
                settings.failure_probability.get()
            ),
        ));
    }
    facts.push(MeasuredFact::new(
        "computed by",
        format!(
            "certimix {}, ONNX Runtime {}, {}",
            header.certimix_version, header.environment.runtime_version, header.environment.processor
        ),
    ));
    facts.push(MeasuredFact::new("begun", header.created.clone()));
    facts
}

fn model_text(model: &EvaluatedModel) -> String {
    format!("{}, sha256 {}", model.name, model.sha256)
}

fn input_text(input: &InputSpec) -> String {
    let shape: Vec<String> = input.shape.iter().map(ToString::to_string).collect();
    format!("{} values from {} to {}", shape.join(" x "), input.low, input.high)
}

/// The property of the robust model that certificates rest on.
fn guarantee_text(guarantee: &ModelGuarantee) -> String {
    match guarantee {
        ModelGuarantee::None => "none: nothing can be certified".to_owned(),
        ModelGuarantee::LipschitzProbabilities { norm, .. } => format!("Lipschitz probabilities, norm {norm}"),
        ModelGuarantee::LipschitzLogits { norm, constant, .. } => {
            format!("Lipschitz logits, constant {constant}, norm {norm}")
        }
        ModelGuarantee::GaussianSmoothing { sigma, .. } => format!("Gaussian smoothing, sigma {sigma}, norm l2"),
    }
}
