//! From predictions to the tensors of this protocol.

use std::collections::HashMap;

use super::VERSION;
use super::outputs::{Output, axis};
use super::proto::infer_parameter::ParameterChoice;
use super::proto::model_infer_response::InferOutputTensor;
use super::proto::{InferParameter, ModelInferResponse};
use super::uncertified_reasons::reasons;
use crate::domain::{CertificateStatus, Prediction, Provenance};
use crate::rpc::mixed_classifier::encode::{narrow, probability};

/// The answer to a ModelInfer that asked for `outputs`, in their order.
pub(super) fn response(
    predictions: &[Prediction],
    outputs: &[Output],
    classes: usize,
    provenance: &Provenance,
) -> ModelInferResponse {
    let tensor = |output: &Output| {
        let mut shape = vec![axis(predictions.len())];
        shape.extend(output.shape(classes));
        InferOutputTensor {
            name: output.name().to_owned(),
            datatype: output.datatype().to_owned(),
            shape,
            ..Default::default()
        }
    };
    ModelInferResponse {
        model_version: VERSION.to_owned(),
        parameters: parameters(predictions, provenance),
        outputs: outputs.iter().map(tensor).collect(),
        raw_output_contents: outputs.iter().map(|output| raw(*output, predictions)).collect(),
        ..Default::default()
    }
}

/// The snapshot that answered, each value under the name that it has in `certimix.v1.Provenance`.
pub(super) fn snapshot(provenance: &Provenance) -> [(&'static str, ParameterChoice); 10] {
    use ParameterChoice::{DoubleParam, Int64Param, StringParam};
    let place = &provenance.environment;
    [
        ("config_revision", StringParam(provenance.config_revision.to_string())),
        ("alpha", DoubleParam(provenance.alpha)),
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
        ("standard_batch_size", Int64Param(axis(place.standard_batch_size))),
        ("robust_batch_size", Int64Param(axis(place.robust_batch_size))),
        ("runtime_version", StringParam(place.runtime_version.clone())),
        ("processor", StringParam(place.processor.clone())),
    ]
}

/// What the tensors do not say: the snapshot; what the radii mean, which is the same for all of one response; and why there
/// are not more of them.
fn parameters(predictions: &[Prediction], provenance: &Provenance) -> HashMap<String, InferParameter> {
    use ParameterChoice::{DoubleParam, StringParam};
    let first = predictions.iter().find(|prediction| certified(prediction));
    let first = first.map(|prediction| &prediction.certificate);
    let norm = first.and_then(|certificate| certificate.norm);
    let sampling = first.and_then(|certificate| certificate.sampling.as_ref());
    let caveat = first.map(|certificate| certificate.caveat.as_str());
    let of_certificates = [
        first.map(|certificate| ("basis", StringParam(certificate.basis().to_string()))),
        norm.map(|norm| ("norm", StringParam(norm.to_string()))),
        sampling.map(|sampling| ("failure_probability", DoubleParam(sampling.failure_probability))),
        caveat
            .filter(|caveat| !caveat.is_empty())
            .map(|caveat| ("caveat", StringParam(caveat.to_owned()))),
        reasons(predictions).map(|reasons| ("reasons", StringParam(reasons))),
    ];
    snapshot(provenance)
        .into_iter()
        .chain(of_certificates.into_iter().flatten())
        .map(|(name, value)| {
            let parameter_choice = Some(value);
            (name.to_owned(), InferParameter { parameter_choice })
        })
        .collect()
}

/// The values of one output, little-endian.
fn raw(output: Output, predictions: &[Prediction]) -> Vec<u8> {
    match output {
        Output::LogProbs => floats(predictions, |prediction| &prediction.mixed_logits, narrow),
        Output::StandardProbs => floats(predictions, |prediction| &prediction.standard_log_probs, probability),
        Output::RobustProbs => floats(predictions, |prediction| &prediction.robust_log_probs, probability),
        Output::Class => {
            let classes = predictions.iter().map(|prediction| axis(prediction.class));
            classes.flat_map(i64::to_le_bytes).collect()
        }
        Output::Radius => {
            let radii = predictions.iter().map(|prediction| rounded_down(radius(prediction)));
            radii.flat_map(f32::to_le_bytes).collect()
        }
        Output::Certified => predictions
            .iter()
            .map(|prediction| u8::from(certified(prediction)))
            .collect(),
    }
}

fn floats(predictions: &[Prediction], of: fn(&Prediction) -> &[f64], as_float: fn(f64) -> f32) -> Vec<u8> {
    let values = predictions.iter().flat_map(of);
    values.flat_map(|&value| as_float(value).to_le_bytes()).collect()
}

fn certified(prediction: &Prediction) -> bool {
    prediction.certificate.status == CertificateStatus::Certified
}

/// A radius without a certificate would be a claim.
fn radius(prediction: &Prediction) -> f64 {
    if certified(prediction) {
        prediction.certificate.radius
    } else {
        0.0
    }
}

/// The largest float32 that is no larger: a radius must not grow on its way out.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what it does is undone if it has rounded up"
)]
fn rounded_down(radius: f64) -> f32 {
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

    fn is_the_largest_below(radius: f64) -> bool {
        let narrow = rounded_down(radius);
        f64::from(narrow) <= radius && (narrow == f32::INFINITY || f64::from(narrow.next_up()) > radius)
    }

    #[test]
    fn a_radius_keeps_what_it_can() {
        for (radius, narrow) in [(0.0, 0.0), (0.5, 0.5), (1e-60, 0.0), (1e300, f32::MAX)] {
            assert_eq!(rounded_down(radius), narrow);
        }
        // The nearest float32 of 0.1 is above it.
        assert!(0.1_f64 < f64::from(0.1_f32) && rounded_down(0.1) < 0.1_f32);
    }

    proptest! {
        #[test]
        fn a_radius_never_grows(radius in 0.0..10.0f64, any in prop::num::f64::POSITIVE) {
            prop_assert!(is_the_largest_below(radius));
            prop_assert!(is_the_largest_below(any));
        }

        #[test]
        fn the_neighbours_of_a_float_are_told_from_it(float in 1e-30..10.0f32) {
            let exact = f64::from(float);
            for radius in [exact.next_down(), exact, exact.next_up()] {
                prop_assert!(is_the_largest_below(radius));
            }
            prop_assert_eq!(rounded_down(exact.next_down()), float.next_down());
        }
    }
}
