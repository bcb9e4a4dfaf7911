//! Requests to send, and what to read off answers.

use certimix::rpc::proto::{
    Certificate, CertificateStatus, CertifyRequest, DataType, PredictRequest, Prediction, Tensor,
};
use tonic::Status;
use tonic_types::StatusExt as _;

/// An input that `linear_h` and its slow and smoothed kin put into the first class without a doubt.
pub const CLEAR_INPUT: [f32; 4] = [0.75, -0.75, -0.75, 0.0];

/// Inputs of four numbers each.
pub fn floats(rows: &[[f32; 4]]) -> Tensor {
    raw_floats(&[i64::try_from(rows.len()).unwrap(), 4], rows.as_flattened())
}

/// Any float tensor.
pub fn raw_floats(shape: &[i64], values: &[f32]) -> Tensor {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor {
        dtype: DataType::Float32.into(),
        shape: shape.to_vec(),
        data: data.into(),
    }
}

/// Any tensor of bytes.
pub fn bytes(shape: &[i64], values: &[u8]) -> Tensor {
    Tensor {
        dtype: DataType::Uint8.into(),
        shape: shape.to_vec(),
        data: values.to_vec().into(),
    }
}

/// Asks for everything about `inputs`.
pub fn predict_request(inputs: Tensor) -> PredictRequest {
    PredictRequest {
        inputs: Some(inputs),
        include_components: true,
        ..Default::default()
    }
}

/// Asks for certificates by the operator's settings, and for the components.
pub fn certify_request(inputs: Tensor) -> CertifyRequest {
    CertifyRequest {
        inputs: Some(inputs),
        include_components: true,
        ..Default::default()
    }
}

/// The same, with as many votes as asked for and no target.
pub fn certify_with_votes(inputs: Tensor, votes: u64) -> CertifyRequest {
    CertifyRequest {
        vote_budget: Some(votes),
        ..certify_request(inputs)
    }
}

/// The certificate of a prediction.
pub fn certificate(prediction: &Prediction) -> &Certificate {
    prediction.certificate.as_ref().unwrap()
}

/// The certificate of a prediction that must be certified.
pub fn certified(prediction: &Prediction) -> &Certificate {
    let certificate = certificate(prediction);
    assert_eq!(certificate.status(), CertificateStatus::Certified, "{certificate:?}");
    assert!(
        certificate.radius > 0.0 && certificate.reason.is_empty(),
        "{certificate:?}"
    );
    certificate
}

/// The fields that an INVALID_ARGUMENT names, in their order.
pub fn violated_fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().expect("field violations");
    for violation in &details.field_violations {
        let told = violation.description.contains("expected") || violation.description.contains("required");
        assert!(told, "{violation:?} does not say what was expected");
    }
    details
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}
