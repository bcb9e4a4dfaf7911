//! One prediction as one line of JSON: the output of `predict --json` and `certify --json`, and the
//! input of `certimix verify` and `certimix replay`.
//!
//! Fields have the names of `certimix.v1`. Enums are short lower-case names, bytes are hexadecimal.
//! A record holds all that an audit needs: the counts and settings behind the bounds, the noise
//! key, the hashes of the input and of both models.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::enum_names;
use crate::certificate::Tally;
use crate::cli::client::input::{Conversions, ModelInput, TrueClass};
use crate::domain::hex;
use crate::rpc::proto;

/// The prediction for one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictionRecord {
    /// The path of the file, or "stdin". For input i of a batch, followed by `[i]`.
    pub file: String,
    /// SHA-256 of the values as sent, hexadecimal.
    pub input_sha256: String,
    /// "uint8" or "float32".
    pub input_dtype: String,
    /// The shape of the input, without N.
    pub input_shape: Vec<i64>,
    /// Whether the image was resized before it was sent.
    pub resized: bool,
    /// The Exif orientation that was applied before the image was sent, 1 to 8; 1 where nothing was
    /// turned.
    #[serde(default = "upright")]
    pub exif_orientation: u8,
    /// The label of the true class, where it is known.
    pub true_label: Option<String>,
    /// The index of the true class, where it is known. A label that several classes have does not
    /// tell it.
    #[serde(default)]
    pub true_class_index: Option<u32>,
    /// The time from the request to its response, measured by the client, in ms. A request may hold
    /// several inputs.
    pub time_ms: f64,
    /// In a stream: whether this is the last message.
    #[serde(rename = "final", default, skip_serializing_if = "Option::is_none")]
    pub is_final: Option<bool>,
    /// The index of the predicted class.
    pub class_index: u32,
    /// The name of the predicted class.
    pub label: String,
    /// Where the class comes from: "certificate", "mixture" or "standard_model". Empty in the records
    /// of older servers.
    #[serde(default)]
    pub class_source: String,
    /// `ln((1 - w) g + w h)` for each class, with w = `robust_weight`.
    pub mixed_logits: Vec<f32>,
    /// g, if it was requested.
    pub standard_probabilities: Vec<f32>,
    /// h, if it was requested.
    pub robust_probabilities: Vec<f32>,
    /// The class that g alone predicts.
    pub standard_class_index: u32,
    /// The class that h alone predicts.
    pub robust_class_index: u32,
    /// The weight of h in the mixed logits. Older servers do not send it: they use alpha for every
    /// input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robust_weight: Option<f64>,
    /// The certificate.
    pub certificate: CertificateRecord,
    /// The configuration and models that computed the prediction.
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
    /// The target radius as it was requested; 0 if there is none, and in the records of older servers.
    #[serde(default)]
    pub requested_target_radius: f64,
    /// The radius that the vote budget of the request would prove if all votes were for one class.
    #[serde(default)]
    pub largest_possible_radius: f64,
    pub sigma: f64,
    pub total_variation: f64,
    pub caveat: String,
    // Older servers do not send the fields below.
    #[serde(default)]
    pub basis: String,
    #[serde(default)]
    pub whole_range: bool,
    /// Empty unless abstained, and in the records of older servers.
    #[serde(default)]
    pub abstention_reason: String,
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
    // Older servers do not send the fields below.
    #[serde(default)]
    pub standard_batch_size: u32,
    #[serde(default)]
    pub robust_batch_size: u32,
    #[serde(default)]
    pub runtime_version: String,
    #[serde(default)]
    pub processor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_alpha: Option<f64>,
}

/// The orientation in records of older clients, which turned no image.
fn upright() -> u8 {
    Conversions::default().exif_orientation
}

impl PredictionRecord {
    /// Combines an input and its prediction.
    pub(in crate::cli::client) fn new(
        input: &ModelInput,
        true_class: Option<TrueClass>,
        elapsed: Duration,
        prediction: proto::Prediction,
        provenance: proto::Provenance,
    ) -> Self {
        let (true_label, true_class_index) = match true_class {
            Some(TrueClass { label, index }) => (Some(label), index),
            None => (None, None),
        };
        Self {
            file: input.name.clone(),
            input_sha256: input.sha256(),
            input_dtype: enum_names::dtype_name(input.dtype).to_owned(),
            input_shape: input.shape.clone(),
            resized: input.conversions.resized_from.is_some(),
            exif_orientation: input.conversions.exif_orientation,
            true_label,
            true_class_index,
            time_ms: elapsed.as_secs_f64() * 1e3,
            is_final: None,
            class_index: prediction.class_index,
            label: prediction.label,
            class_source: enum_names::class_source_name(prediction.class_source),
            mixed_logits: prediction.mixed_logits,
            standard_probabilities: prediction.standard_probabilities,
            robust_probabilities: prediction.robust_probabilities,
            standard_class_index: prediction.standard_class_index,
            robust_class_index: prediction.robust_class_index,
            robust_weight: prediction.robust_weight,
            certificate: prediction.certificate.unwrap_or_default().into(),
            provenance: provenance.into(),
        }
    }

    /// Whether the prediction has a certificate.
    #[must_use]
    pub fn is_certified(&self) -> bool {
        self.certificate.status == "certified"
    }

    /// The predicted class by its label and index: two classes may have the same label.
    #[must_use]
    pub fn class_text(&self) -> String {
        format!("{} (class {})", self.label, self.class_index)
    }

    /// Whether the prediction is correct, if the true class is known. Where only a label is known
    /// that several classes have, each of these classes is correct.
    #[must_use]
    pub fn is_correct(&self) -> Option<bool> {
        if let Some(index) = self.true_class_index {
            return Some(index == self.class_index);
        }
        self.true_label.as_ref().map(|label| *label == self.label)
    }
}

impl CertificateRecord {
    /// The estimation votes that the certificate counts.
    #[must_use]
    pub fn estimation_tally(&self) -> Tally {
        Tally {
            votes: self.votes,
            votes_for_class: self.votes_for_class,
            votes_for_runner_up: self.votes_for_runner_up,
        }
    }
}

impl From<proto::Certificate> for CertificateRecord {
    fn from(certificate: proto::Certificate) -> Self {
        Self {
            status: enum_names::status_name(certificate.status),
            radius: certificate.radius,
            norm: enum_names::norm_name(certificate.norm),
            method: enum_names::method_name(certificate.method),
            reason: certificate.reason,
            failure_probability: certificate.failure_probability,
            bound: enum_names::bound_name(certificate.bound),
            votes: certificate.votes,
            votes_for_class: certificate.votes_for_class,
            votes_for_runner_up: certificate.votes_for_runner_up,
            selection_votes: certificate.selection_votes,
            votes_drawn: certificate.votes_drawn,
            batch_size: certificate.batch_size,
            lower_bound: certificate.lower_bound,
            upper_bound: certificate.upper_bound,
            stop_reason: enum_names::stop_reason_name(certificate.stop_reason),
            noise_key: hex(&certificate.noise_key),
            radius_sq_levels: certificate.radius_sq_levels,
            two_sided: certificate.two_sided,
            target_radius: certificate.target_radius,
            snapping_loss: certificate.snapping_loss,
            requested_target_radius: certificate.requested_target_radius,
            largest_possible_radius: certificate.largest_possible_radius,
            sigma: certificate.sigma,
            total_variation: certificate.total_variation,
            caveat: certificate.caveat,
            basis: enum_names::basis_name(certificate.basis),
            whole_range: certificate.whole_range,
            abstention_reason: enum_names::abstention_reason_name(certificate.abstention_reason),
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
            fallback_alpha: provenance.fallback_alpha,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::Value;

    /// A certified prediction "cat" by 112 of 112 votes.
    pub(in crate::cli::client::results) fn certified_record() -> PredictionRecord {
        let input = ModelInput {
            name: "7-cat.png".into(),
            dtype: proto::DataType::Uint8,
            shape: vec![1],
            data: vec![9],
            conversions: Conversions::default(),
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
            robust_weight: Some(0.76),
            certificate: Some(certificate),
            ..Default::default()
        };
        let provenance = proto::Provenance {
            alpha: 0.76,
            fallback_alpha: Some(0.76),
            config_revision: "0123456789abcdef".into(),
            ..Default::default()
        };
        PredictionRecord::new(
            &input,
            Some(TrueClass {
                label: "cat".into(),
                index: Some(3),
            }),
            Duration::from_micros(4250),
            prediction,
            provenance,
        )
    }

    #[test]
    fn fields_have_the_names_of_the_wire() -> anyhow::Result<()> {
        let line = serde_json::to_string(&certified_record())?;
        assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line)?;
        assert_eq!(value["file"], "7-cat.png");
        assert_eq!(value["input_dtype"], "uint8");
        assert_eq!(
            (&value["true_label"], &value["true_class_index"]),
            (&"cat".into(), &3.into())
        );
        assert_eq!(value["exif_orientation"], 1);
        assert_eq!(value["certificate"]["status"], "certified");
        assert_eq!(value["certificate"]["method"], "tight");
        assert_eq!(value["certificate"]["basis"], "proven");
        assert_eq!(value["certificate"]["bound"], "anytime");
        assert_eq!(value["certificate"]["stop_reason"], "target_reached");
        assert_eq!(value["certificate"]["noise_key"], "ab01");
        assert_eq!(value["robust_weight"], 0.76);
        assert_eq!(value["provenance"]["alpha"], 0.76);
        assert_eq!(value["provenance"]["fallback_alpha"], 0.76);
        assert_eq!(value["mixed_logits"][0].to_string(), "-0.1");
        assert!(value.get("final").is_none());
        Ok(())
    }

    #[test]
    fn a_written_record_is_read_again() -> anyhow::Result<()> {
        let mut record = certified_record();
        record.is_final = Some(true);
        let again: PredictionRecord = serde_json::from_str(&serde_json::to_string(&record)?)?;
        assert_eq!(again, record);
        Ok(())
    }

    #[test]
    fn the_index_decides_between_classes_of_one_label() {
        let mut record = certified_record();
        assert_eq!(record.is_correct(), Some(true));
        record.true_class_index = Some(4);
        assert_eq!(record.is_correct(), Some(false));
        record.true_class_index = None;
        assert_eq!(record.is_correct(), Some(true));
        record.true_label = None;
        assert_eq!(record.is_correct(), None);
    }

    /// Records of older servers and clients are still read, and are written without the weights that
    /// they lack.
    #[test]
    fn a_record_without_the_newer_fields_is_read() -> anyhow::Result<()> {
        let mut value = serde_json::to_value(certified_record())?;
        for name in ["exif_orientation", "true_class_index"] {
            value.as_object_mut().and_then(|fields| fields.remove(name));
        }
        for (part, name) in [
            ("certificate", "basis"),
            ("provenance", "processor"),
            ("provenance", "fallback_alpha"),
        ] {
            value[part].as_object_mut().and_then(|fields| fields.remove(name));
        }
        value.as_object_mut().and_then(|fields| fields.remove("robust_weight"));
        let record: PredictionRecord = serde_json::from_value(value)?;
        assert_eq!((record.robust_weight, record.provenance.fallback_alpha), (None, None));
        let written = serde_json::to_string(&record)?;
        assert!(
            !written.contains("robust_weight") && !written.contains("fallback_alpha"),
            "{written}"
        );
        assert_eq!(
            (record.certificate.basis.as_str(), record.provenance.processor.as_str()),
            ("", "")
        );
        Ok(())
    }
}
