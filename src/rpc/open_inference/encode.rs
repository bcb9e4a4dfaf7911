//! Encodes predictions as the tensors and parameters of this protocol.

use std::collections::HashMap;

use super::outputs::{InferOutput, wire_i64};
use super::proto::infer_parameter::ParameterChoice;
use super::proto::model_infer_response::InferOutputTensor;
use super::proto::{InferParameter, ModelInferResponse};
use super::protocol_constants::MODEL_VERSION;
use super::uncertified_reasons::uncertified_reasons;
use crate::domain::{CertificateStatus, MAX_CAVEAT_BYTES, Prediction, Provenance, cut};
use crate::rpc::common::float32::{nearest_f32, probability_from_log};

/// The response to a ModelInfer that requests `outputs`, in their order.
pub(super) fn infer_response(
    predictions: &[Prediction],
    outputs: &[InferOutput],
    classes: usize,
    provenance: &Provenance,
) -> ModelInferResponse {
    let tensor = |output: &InferOutput| {
        let mut shape = vec![wire_i64(predictions.len())];
        shape.extend(output.shape(classes));
        InferOutputTensor {
            name: output.name().to_owned(),
            datatype: output.datatype().to_owned(),
            shape,
            ..Default::default()
        }
    };
    ModelInferResponse {
        model_version: MODEL_VERSION.to_owned(),
        parameters: response_parameters(predictions, provenance),
        outputs: outputs.iter().map(tensor).collect(),
        raw_output_contents: outputs.iter().map(|output| raw_values(*output, predictions)).collect(),
        ..Default::default()
    }
}

/// The provenance of a response. Each value has the name of its field in `certimix.v1.Provenance`.
pub(super) fn provenance_parameters(provenance: &Provenance) -> [(&'static str, ParameterChoice); 11] {
    use ParameterChoice::{DoubleParam, Int64Param, StringParam};
    let environment = &provenance.environment;
    [
        ("config_revision", StringParam(provenance.config_revision.to_string())),
        ("alpha", DoubleParam(provenance.alpha)),
        ("fallback_alpha", DoubleParam(provenance.fallback_alpha)),
        ("robust_temperature", DoubleParam(provenance.robust_temperature)),
        (
            "standard_model_sha256",
            StringParam(provenance.standard_model_sha256.clone()),
        ),
        (
            "robust_model_sha256",
            StringParam(provenance.robust_model_sha256.clone()),
        ),
        ("server_version", StringParam(env!("CARGO_PKG_VERSION").to_owned())),
        (
            "standard_batch_size",
            Int64Param(wire_i64(environment.standard_batch_size)),
        ),
        ("robust_batch_size", Int64Param(wire_i64(environment.robust_batch_size))),
        ("runtime_version", StringParam(environment.runtime_version.clone())),
        ("processor", StringParam(environment.processor.clone())),
    ]
}

/// The parameters of a response: the provenance, the properties of the certificates, and the
/// reasons why inputs are not certified. The properties are the same for all certificates of one
/// response.
fn response_parameters(predictions: &[Prediction], provenance: &Provenance) -> HashMap<String, InferParameter> {
    use ParameterChoice::{DoubleParam, StringParam};
    let first = predictions.iter().find(|prediction| is_certified(prediction));
    let first = first.map(|prediction| &prediction.certificate);
    let norm = first.and_then(|certificate| certificate.norm);
    let sampling = first.and_then(|certificate| certificate.sampling.as_ref());
    let caveat = first.map(|certificate| certificate.caveat.as_str());
    let certificate_parameters = [
        first.map(|certificate| ("basis", StringParam(certificate.basis().to_string()))),
        norm.map(|norm| ("norm", StringParam(norm.to_string()))),
        sampling.map(|sampling| ("failure_probability", DoubleParam(sampling.failure_probability))),
        caveat
            .filter(|caveat| !caveat.is_empty())
            .map(|caveat| ("caveat", StringParam(cut(caveat, MAX_CAVEAT_BYTES).to_owned()))),
        uncertified_reasons(predictions).map(|reasons| ("reasons", StringParam(reasons))),
    ];
    provenance_parameters(provenance)
        .into_iter()
        .chain(certificate_parameters.into_iter().flatten())
        .map(|(name, value)| {
            let parameter_choice = Some(value);
            (name.to_owned(), InferParameter { parameter_choice })
        })
        .collect()
}

/// The values of one output, little-endian.
fn raw_values(output: InferOutput, predictions: &[Prediction]) -> Vec<u8> {
    match output {
        InferOutput::LogProbs => floats(predictions, |prediction| &prediction.mixed_logits, nearest_f32),
        InferOutput::StandardProbs => floats(
            predictions,
            |prediction| &prediction.standard_log_probs,
            probability_from_log,
        ),
        InferOutput::RobustProbs => floats(
            predictions,
            |prediction| &prediction.robust_log_probs,
            probability_from_log,
        ),
        InferOutput::RobustWeight => {
            let weights = predictions.iter().map(|prediction| prediction.robust_weight);
            weights.flat_map(|weight| nearest_f32(weight).to_le_bytes()).collect()
        }
        InferOutput::Class => {
            let classes = predictions.iter().map(|prediction| wire_i64(prediction.class));
            classes.flat_map(i64::to_le_bytes).collect()
        }
        InferOutput::Radius => {
            let radii = predictions
                .iter()
                .map(|prediction| round_down_to_f32(certified_radius(prediction)));
            radii.flat_map(f32::to_le_bytes).collect()
        }
        InferOutput::Certified => predictions
            .iter()
            .map(|prediction| u8::from(is_certified(prediction)))
            .collect(),
    }
}

fn floats(predictions: &[Prediction], values_of: fn(&Prediction) -> &[f64], convert: fn(f64) -> f32) -> Vec<u8> {
    let values = predictions.iter().flat_map(values_of);
    values.flat_map(|&value| convert(value).to_le_bytes()).collect()
}

fn is_certified(prediction: &Prediction) -> bool {
    prediction.certificate.status == CertificateStatus::Certified
}

/// The radius of a certified prediction, else 0: only a certificate proves a radius.
fn certified_radius(prediction: &Prediction) -> f64 {
    if is_certified(prediction) {
        prediction.certificate.radius
    } else {
        0.0
    }
}

/// The largest float32 that is not larger than `radius`. Encoding must never enlarge a radius.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast that rounds up is corrected below"
)]
fn round_down_to_f32(radius: f64) -> f32 {
    let nearest = radius as f32;
    if f64::from(nearest) > radius {
        nearest.next_down()
    } else {
        nearest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rounds_to_the_largest_below(radius: f64) -> bool {
        let narrow = round_down_to_f32(radius);
        f64::from(narrow) <= radius && (narrow == f32::INFINITY || f64::from(narrow.next_up()) > radius)
    }

    #[test]
    fn a_radius_is_rounded_down_to_the_nearest_float() {
        for (radius, narrow) in [(0.0, 0.0), (0.5, 0.5), (1e-60, 0.0), (1e300, f32::MAX)] {
            assert_eq!(round_down_to_f32(radius), narrow);
        }
        // The nearest float32 of 0.1 is above it.
        assert!(0.1_f64 < f64::from(0.1_f32) && round_down_to_f32(0.1) < 0.1_f32);
    }

    proptest! {
        #[test]
        fn rounding_never_enlarges_a_radius(radius in 0.0..10.0f64, any in prop::num::f64::POSITIVE) {
            prop_assert!(rounds_to_the_largest_below(radius));
            prop_assert!(rounds_to_the_largest_below(any));
        }

        #[test]
        fn floats_stay_exact_and_their_neighbours_round_down(float in 1e-30..10.0f32) {
            let exact = f64::from(float);
            for radius in [exact.next_down(), exact, exact.next_up()] {
                prop_assert!(rounds_to_the_largest_below(radius));
            }
            prop_assert_eq!(round_down_to_f32(exact.next_down()), float.next_down());
        }
    }
}
