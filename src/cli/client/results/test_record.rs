//! A record for the tests of this folder.

use std::time::Duration;

use super::prediction_record::PredictionRecord;
use crate::cli::client::input::ModelInput;
use crate::rpc::proto;
use crate::rpc::proto::DataType;

/// A certified prediction "cat" by 112 of 112 votes.
pub(super) fn certified_record() -> PredictionRecord {
    let input = ModelInput {
        name: "7-cat.png".into(),
        dtype: DataType::Uint8,
        shape: vec![1],
        data: vec![9],
        resized: false,
    };
    let certificate = proto::Certificate {
        status: proto::CertificateStatus::Certified.into(),
        radius: 0.251_39,
        basis: proto::CertificateBasis::Proven.into(),
        norm: proto::Norm::L2.into(),
        method: proto::CertificateMethod::Tight.into(),
        failure_probability: 1e-6,
        bound: proto::BoundMethod::Anytime.into(),
        votes: 112,
        votes_for_class: 112,
        noise_key: vec![0xab, 0x01],
        stop_reason: proto::StopReason::TargetReached.into(),
        ..Default::default()
    };
    let prediction = proto::Prediction {
        class_index: 3,
        label: "cat".into(),
        mixed_logits: vec![-0.1, -2.5],
        certificate: Some(certificate),
        ..Default::default()
    };
    let provenance = proto::Provenance {
        alpha: 0.76,
        config_revision: "0123456789abcdef".into(),
        ..Default::default()
    };
    PredictionRecord::new(
        &input,
        Some("cat".into()),
        Duration::from_micros(4250),
        prediction,
        provenance,
    )
}
