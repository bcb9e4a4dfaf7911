//! What holds for every answer of a server.

use bytes::Bytes;
use prost::Message as _;

use crate::certificate::{
    Alpha, BoundMethod, FailureProbability, RadiusMethod, Sides, Sigma, SmoothingPlan, Tally, certify,
};
use crate::rpc::open_inference::proto::{ModelInferRequest, ModelInferResponse};
use crate::rpc::proto::{
    self, Certificate, CertificateMethod, CertificateStatus, CertifyRequest, CertifyResponse, CertifyStreamResponse,
    PredictRequest, PredictResponse, PredictStreamResponse, Prediction, Provenance, Tensor,
    predict_stream_response::Outcome,
};

/// The relative rounding of a recomputed radius.
const TOLERANCE: f64 = 1e-12;

/// Checks the answers of `method` to a call that has succeeded so far.
pub(super) fn check_answer(method: &str, requests: &[Bytes], answers: &[Bytes]) {
    let first = &requests[0][..];
    match method.rsplit('/').next() {
        Some("Predict") => {
            let request = PredictRequest::decode(first).unwrap();
            for answer in answers {
                let answer = PredictResponse::decode(&answer[..]).unwrap();
                check_predictions(request.inputs.as_ref(), &answer.predictions, answer.provenance.as_ref());
            }
        }
        Some("Certify") => {
            let request = CertifyRequest::decode(first).unwrap();
            for answer in answers {
                let answer = CertifyResponse::decode(&answer[..]).unwrap();
                check_predictions(request.inputs.as_ref(), &answer.predictions, answer.provenance.as_ref());
            }
        }
        Some("CertifyStream") => check_certify_stream(answers),
        Some("PredictStream") => {
            assert!(answers.len() <= requests.len(), "more answers than requests");
            for answer in answers {
                let answer = PredictStreamResponse::decode(&answer[..]).unwrap();
                match answer.outcome.unwrap() {
                    Outcome::Response(response) => {
                        let provenance = response.provenance.unwrap();
                        response
                            .predictions
                            .iter()
                            .for_each(|found| check_prediction(found, &provenance));
                    }
                    Outcome::Error(error) => assert_ne!(error.code, tonic::Code::Internal as i32, "{error:?}"),
                }
            }
        }
        Some("ModelInfer") => {
            let request = ModelInferRequest::decode(first).unwrap();
            for answer in answers {
                check_infer(&request, &ModelInferResponse::decode(&answer[..]).unwrap());
            }
        }
        _ => {}
    }
}

fn check_predictions(inputs: Option<&Tensor>, predictions: &[Prediction], provenance: Option<&Provenance>) {
    let count = usize::try_from(inputs.unwrap().shape[0]).unwrap();
    assert_eq!(predictions.len(), count, "one prediction for each input");
    predictions
        .iter()
        .for_each(|found| check_prediction(found, provenance.unwrap()));
}

/// A later certificate is never weaker.
fn check_certify_stream(answers: &[Bytes]) {
    let mut largest = 0.0;
    for answer in answers {
        let answer = CertifyStreamResponse::decode(&answer[..]).unwrap();
        let prediction = answer.prediction.unwrap();
        check_prediction(&prediction, &answer.provenance.unwrap());
        let radius = prediction.certificate.unwrap().radius;
        assert!(radius >= largest, "the radius shrinks from {largest} to {radius}");
        largest = radius;
    }
}

fn check_prediction(prediction: &Prediction, provenance: &Provenance) {
    let certificate = prediction.certificate.as_ref().unwrap();
    let is_certified = certificate.status() == CertificateStatus::Certified;
    let radius = certificate.radius;
    assert!(radius.is_finite() && radius >= 0.0, "{certificate:?}");
    assert_eq!(is_certified, radius > 0.0, "{certificate:?}");
    let classes = u32::try_from(prediction.mixed_logits.len()).unwrap();
    assert!(prediction.class_index < classes, "{prediction:?}");
    assert!(
        prediction.mixed_logits.iter().all(|logit| logit.is_finite()),
        "{prediction:?}"
    );
    if is_certified {
        assert!(provenance.alpha > 0.5, "a certificate below alpha = 1/2");
        assert_eq!(prediction.class_index, prediction.robust_class_index, "{prediction:?}");
    }
    if is_certified && certificate.method() == CertificateMethod::Tight {
        check_votes(certificate, provenance.alpha);
    }
}

/// The certificate claims no more than its own counts prove.
fn check_votes(certificate: &Certificate, alpha: f64) {
    let plan = SmoothingPlan {
        alpha: Alpha::new(alpha).unwrap(),
        sigma: Sigma::new(certificate.sigma).unwrap(),
        radius_method: RadiusMethod::Tight,
        bound_method: match certificate.bound() {
            proto::BoundMethod::ClopperPearson => BoundMethod::ClopperPearson {
                votes: certificate.votes,
            },
            _ => BoundMethod::Anytime,
        },
        failure_probability: FailureProbability::new(certificate.failure_probability).unwrap(),
        sides: if certificate.two_sided {
            Sides::TwoSided
        } else {
            Sides::OneSided
        },
        target_radius: (certificate.target_radius != 0.0).then_some(certificate.target_radius),
        total_variation: certificate.total_variation,
    };
    let tally = Tally {
        votes: certificate.votes,
        votes_for_class: certificate.votes_for_class,
        votes_for_runner_up: certificate.votes_for_runner_up,
    };
    let proven = certify(&plan, tally).unwrap().radius;
    let claimed = certificate.radius + certificate.snapping_loss;
    assert!(
        claimed <= proven * (1.0 + TOLERANCE),
        "{claimed} of {proven}: {certificate:?}"
    );
}

fn check_infer(request: &ModelInferRequest, answer: &ModelInferResponse) {
    assert_eq!(answer.id, request.id);
    let count = request.inputs[0].shape[0];
    assert_eq!(answer.outputs.len(), answer.raw_output_contents.len());
    for (output, bytes) in answer.outputs.iter().zip(&answer.raw_output_contents) {
        assert_eq!(output.shape[0], count, "one value for each input");
        let values = usize::try_from(output.shape.iter().product::<i64>()).unwrap();
        let width = match output.datatype.as_str() {
            "FP32" | "INT32" | "UINT32" => Some(4),
            "FP64" | "INT64" | "UINT64" => Some(8),
            "BOOL" | "UINT8" | "INT8" => Some(1),
            _ => None,
        };
        assert!(width.is_none_or(|width| bytes.len() == values * width), "{output:?}");
    }
}
