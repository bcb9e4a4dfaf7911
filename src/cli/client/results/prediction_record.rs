//! One answer as one line of JSON: what `predict --json` and `certify --json` print, and what `certimix verify` and
//! `certimix replay` read.
//!
//! Fields have the names of `certimix.v1`, enums are short lower-case words, bytes hexadecimal. It holds all that an
//! audit needs: the counts and settings behind the bounds, the noise key, the hashes of the input and of both models.

use serde::{Deserialize, Serialize};

use crate::cli::client::input::model_input::Input;
use crate::cli::client::results::enum_names as names;
use crate::domain::hex;
use crate::rpc::proto;
use crate::rpc::proto::DataType;

/// An answer about one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The file, with `[i]` behind it for input i of a batch.
    pub file: String,
    /// SHA-256 of the values as sent, hexadecimal.
    pub input_sha256: String,
    /// "uint8" or "float32".
    pub input_dtype: String,
    /// One input, without N.
    pub input_shape: Vec<i64>,
    /// Whether the image was resized before it was sent.
    pub resized: bool,
    /// The true class, where it is known.
    pub true_label: Option<String>,
    /// From the request to its answer, as the client saw it; a request may hold several inputs.
    pub time_ms: f64,
    /// Of a stream: whether this is its last message.
    #[serde(rename = "final", default, skip_serializing_if = "Option::is_none")]
    pub is_final: Option<bool>,
    /// Index of the class.
    pub class_index: u32,
    /// Its name.
    pub label: String,
    /// `ln((1 - alpha) g + alpha h)` for each class.
    pub mixed_logits: Vec<f32>,
    /// g, if it was asked for.
    pub standard_probabilities: Vec<f32>,
    /// h, if it was asked for.
    pub robust_probabilities: Vec<f32>,
    /// The class of g alone.
    pub standard_class_index: u32,
    /// The class of h alone.
    pub robust_class_index: u32,
    /// The proof.
    pub certificate: CertificateRecord,
    /// What answered.
    pub provenance: ProvenanceRecord,
}

/// `certimix.v1.Certificate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields are documented in mixed_classifier.proto, under the same names"
)]
pub struct CertificateRecord {
    pub status: String,
    pub radius: f64,
    pub norm: String,
    pub method: String,
    pub reason: String,
    pub failure_probability: f64,
    pub bound: String,
    pub votes: u64,
    pub votes_for_class: u64,
    pub votes_for_runner_up: u64,
    pub selection_votes: u64,
    pub votes_drawn: u64,
    pub batch_size: u32,
    pub lower_bound: f64,
    pub upper_bound: f64,
    pub stop_reason: String,
    pub noise_key: String,
    pub radius_sq_levels: u64,
    pub two_sided: bool,
    pub target_radius: f64,
    pub snapping_loss: f64,
    pub sigma: f64,
    pub total_variation: f64,
    pub caveat: String,
    // Servers before them did not tell these two.
    #[serde(default)]
    pub basis: String,
    #[serde(default)]
    pub whole_range: bool,
}

/// `certimix.v1.Provenance`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields are documented in mixed_classifier.proto, under the same names"
)]
pub struct ProvenanceRecord {
    pub config_revision: String,
    pub alpha: f64,
    pub standard_model_sha256: String,
    pub robust_model_sha256: String,
    pub server_version: String,
    pub robust_temperature: f64,
    // Servers before them did not tell the rest.
    #[serde(default)]
    pub standard_batch_size: u32,
    #[serde(default)]
    pub robust_batch_size: u32,
    #[serde(default)]
    pub runtime_version: String,
    #[serde(default)]
    pub processor: String,
}

impl Record {
    /// Joins what was asked and what was answered.
    pub(crate) fn new(
        input: &Input,
        true_label: Option<String>,
        time_ms: f64,
        prediction: proto::Prediction,
        provenance: proto::Provenance,
    ) -> Self {
        Self {
            file: input.name.clone(),
            input_sha256: input.sha256(),
            input_dtype: dtype_name(input.dtype).to_owned(),
            input_shape: input.shape.clone(),
            resized: input.resized,
            true_label,
            time_ms,
            is_final: None,
            class_index: prediction.class_index,
            label: prediction.label,
            mixed_logits: prediction.mixed_logits,
            standard_probabilities: prediction.standard_probabilities,
            robust_probabilities: prediction.robust_probabilities,
            standard_class_index: prediction.standard_class_index,
            robust_class_index: prediction.robust_class_index,
            certificate: prediction.certificate.unwrap_or_default().into(),
            provenance: provenance.into(),
        }
    }

    /// Whether the answer is proven.
    #[must_use]
    pub fn is_certified(&self) -> bool {
        self.certificate.status == "certified"
    }

    /// Whether the answer is right, where the true class is known.
    #[must_use]
    pub fn is_correct(&self) -> Option<bool> {
        self.true_label.as_ref().map(|label| *label == self.label)
    }
}

/// "uint8" or "float32".
pub(crate) fn dtype_name(dtype: DataType) -> &'static str {
    match dtype {
        DataType::Uint8 => "uint8",
        DataType::Float32 => "float32",
        DataType::Unspecified => "unspecified",
    }
}

impl From<proto::Certificate> for CertificateRecord {
    fn from(certificate: proto::Certificate) -> Self {
        Self {
            status: names::status(certificate.status),
            radius: certificate.radius,
            norm: names::norm(certificate.norm),
            method: names::method(certificate.method),
            reason: certificate.reason,
            failure_probability: certificate.failure_probability,
            bound: names::bound(certificate.bound),
            votes: certificate.votes,
            votes_for_class: certificate.votes_for_class,
            votes_for_runner_up: certificate.votes_for_runner_up,
            selection_votes: certificate.selection_votes,
            votes_drawn: certificate.votes_drawn,
            batch_size: certificate.batch_size,
            lower_bound: certificate.lower_bound,
            upper_bound: certificate.upper_bound,
            stop_reason: names::stop_reason(certificate.stop_reason),
            noise_key: hex(&certificate.noise_key),
            radius_sq_levels: certificate.radius_sq_levels,
            two_sided: certificate.two_sided,
            target_radius: certificate.target_radius,
            snapping_loss: certificate.snapping_loss,
            sigma: certificate.sigma,
            total_variation: certificate.total_variation,
            caveat: certificate.caveat,
            basis: names::basis(certificate.basis),
            whole_range: certificate.whole_range,
        }
    }
}

impl From<proto::Provenance> for ProvenanceRecord {
    fn from(provenance: proto::Provenance) -> Self {
        Self {
            config_revision: provenance.config_revision,
            alpha: provenance.alpha,
            standard_model_sha256: provenance.standard_model_sha256,
            robust_model_sha256: provenance.robust_model_sha256,
            server_version: provenance.server_version,
            robust_temperature: provenance.robust_temperature,
            standard_batch_size: provenance.standard_batch_size,
            robust_batch_size: provenance.robust_batch_size,
            runtime_version: provenance.runtime_version,
            processor: provenance.processor,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::Value;

    /// A certified answer "cat", for the tests of this folder.
    pub(crate) fn example() -> Record {
        let input = Input {
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
        Record::new(&input, Some("cat".into()), 4.25, prediction, provenance)
    }

    #[test]
    fn the_shape_of_a_line() -> anyhow::Result<()> {
        let line = serde_json::to_string(&example())?;
        assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line)?;
        assert_eq!(value["file"], "7-cat.png");
        assert_eq!(value["input_dtype"], "uint8");
        assert_eq!(value["true_label"], "cat");
        assert_eq!(value["certificate"]["status"], "certified");
        assert_eq!(value["certificate"]["method"], "tight");
        assert_eq!(value["certificate"]["basis"], "proven");
        assert_eq!(value["certificate"]["bound"], "anytime");
        assert_eq!(value["certificate"]["stop_reason"], "target_reached");
        assert_eq!(value["certificate"]["noise_key"], "ab01");
        assert_eq!(value["provenance"]["alpha"], 0.76);
        assert_eq!(value["mixed_logits"][0].to_string(), "-0.1");
        assert!(value.get("final").is_none());
        Ok(())
    }

    #[test]
    fn what_is_written_is_read_again() -> anyhow::Result<()> {
        let mut record = example();
        record.is_final = Some(true);
        let again: Record = serde_json::from_str(&serde_json::to_string(&record)?)?;
        assert_eq!(again, record);
        Ok(())
    }

    /// What an earlier server has answered is still read.
    #[test]
    fn a_line_without_a_basis_is_read() -> anyhow::Result<()> {
        let mut value = serde_json::to_value(example())?;
        for (part, name) in [("certificate", "basis"), ("provenance", "processor")] {
            value[part].as_object_mut().and_then(|fields| fields.remove(name));
        }
        let record: Record = serde_json::from_value(value)?;
        assert_eq!(
            (record.certificate.basis.as_str(), record.provenance.processor.as_str()),
            ("", "")
        );
        Ok(())
    }
}
