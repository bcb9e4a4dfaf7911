//! The certificate of an answer, the configuration that it comes from, and the time that it took.

use std::time::Duration;

use bytes::Bytes;

use crate::proto::{
    self, AbstentionReason, BoundMethod, CertificateBasis, CertificateMethod, CertificateStatus, StopReason,
};
use crate::{Error, Norm};

/// A proof about one answer, field by field as the server sent it.
///
/// If `status` is `Certified`, the class is the same for every perturbed input x' with ‖x' − x‖ < `radius` in `norm`. Radii
/// and distances are in the units of the float input: for images in [0, 1], 36/255 is 0.1412. The fields from
/// `failure_probability` on are set for a smoothed robust model only.
/// [`Answer::certified_beyond`](crate::Answer::certified_beyond) is the safe way to ask.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Certificate {
    /// Whether anything was proven about the input.
    pub status: CertificateStatus,
    /// Rounded down by the server. 0 unless certified.
    pub radius: f64,
    /// `None` if the server names no norm that this client knows.
    pub norm: Option<Norm>,
    /// The theorem behind the radius.
    pub method: CertificateMethod,
    /// The evidence for the property of the robust model.
    pub basis: CertificateBasis,
    /// Why there is no certificate. Empty if certified.
    pub reason: String,
    /// The kind of `reason`.
    pub abstention_reason: AbstentionReason,
    /// Not empty if the proof assumes what the server's self-test refuted.
    pub caveat: String,
    /// The radius covers every input of the range.
    pub whole_range: bool,
    /// The largest N with sqrt(N) / 255 < radius. Set for the norm l2 and inputs in [0, 1].
    pub radius_sq_levels: u64,
    /// Why the server drew no more votes.
    pub stop_reason: StopReason,
    /// The largest probability of an error of this certificate, over the server's own noise.
    pub failure_probability: f64,
    /// The method that turns votes into bounds.
    pub bound: BoundMethod,
    /// The estimation votes that the certificate counts.
    pub votes: u64,
    /// The votes for the class, of `votes`.
    pub votes_for_class: u64,
    /// The largest number of votes for another class, of `votes`.
    pub votes_for_runner_up: u64,
    /// The votes that chose the class.
    pub selection_votes: u64,
    /// All votes that were drawn.
    pub votes_drawn: u64,
    /// The lower bound of the robust model's probability of the class.
    pub lower_bound: f64,
    /// The upper bound of its probability of every other class.
    pub upper_bound: f64,
    /// Whether `upper_bound` comes from votes of its own.
    pub two_sided: bool,
    /// The radius against which the votes were tested; 0 if none.
    pub target_radius: f64,
    /// The target radius as the caller sent it; 0 if none.
    pub requested_target_radius: f64,
    /// The radius if all votes of the budget were for one class.
    pub largest_possible_radius: f64,
    /// Subtracted from the radius, because the server snaps inputs to a grid.
    pub snapping_loss: f64,
    /// The standard deviation of the noise.
    pub sigma: f64,
    /// The distance of the noise from an exact Gaussian.
    pub total_variation: f64,
    /// The rows of one run of the base classifier.
    pub batch_size: u32,
    /// The key of the noise, for `certimix replay`.
    pub noise_key: Bytes,
}

impl Certificate {
    /// The certificate of a message. Numbers that this client does not know are `Unspecified`, which certifies nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MalformedAnswer`](crate::ErrorKind::MalformedAnswer) if it is called certified without a radius or a
    /// norm.
    pub(crate) fn from_message(message: proto::Certificate) -> Result<Self, Error> {
        let certificate = Self {
            status: message.status(),
            radius: message.radius,
            norm: Norm::from_message(message.norm()),
            method: message.method(),
            basis: message.basis(),
            abstention_reason: message.abstention_reason(),
            stop_reason: message.stop_reason(),
            bound: message.bound(),
            reason: message.reason,
            caveat: message.caveat,
            whole_range: message.whole_range,
            radius_sq_levels: message.radius_sq_levels,
            failure_probability: message.failure_probability,
            votes: message.votes,
            votes_for_class: message.votes_for_class,
            votes_for_runner_up: message.votes_for_runner_up,
            selection_votes: message.selection_votes,
            votes_drawn: message.votes_drawn,
            lower_bound: message.lower_bound,
            upper_bound: message.upper_bound,
            two_sided: message.two_sided,
            target_radius: message.target_radius,
            requested_target_radius: message.requested_target_radius,
            largest_possible_radius: message.largest_possible_radius,
            snapping_loss: message.snapping_loss,
            sigma: message.sigma,
            total_variation: message.total_variation,
            batch_size: message.batch_size,
            noise_key: message.noise_key.into(),
        };
        if certificate.status == CertificateStatus::Certified {
            if !(certificate.radius.is_finite() && certificate.radius > 0.0) {
                let radius = certificate.radius;
                return Err(Error::malformed(format!("a CERTIFIED answer has the radius {radius}")));
            }
            if certificate.norm.is_none() {
                return Err(Error::malformed(
                    "a CERTIFIED answer has a radius in no norm that this client knows",
                ));
            }
        }
        Ok(certificate)
    }
}

/// The configuration that produced an answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Provenance {
    /// SHA-256 over the settings, manifests and proof records in force, hexadecimal.
    pub config_revision: String,
    /// The weight of the robust model where its margin is at least (1 − alpha) / alpha.
    pub alpha: f64,
    /// Its weight elsewhere; `None` from servers that use `alpha` for every input.
    pub fallback_alpha: Option<f64>,
    /// The temperature T of the robust model's softmax(z / T).
    pub robust_temperature: f64,
    /// SHA-256 of the ONNX file of the standard model.
    pub standard_model_sha256: String,
    /// SHA-256 of the ONNX file of the robust model.
    pub robust_model_sha256: String,
    /// The version of the server.
    pub server_version: String,
    /// The build of ONNX Runtime.
    pub runtime_version: String,
    /// The processor's model and instruction sets.
    pub processor: String,
    /// The most rows in one run of the standard model.
    pub standard_batch_size: u32,
    /// The most rows in one run of the robust model.
    pub robust_batch_size: u32,
}

impl From<proto::Provenance> for Provenance {
    fn from(message: proto::Provenance) -> Self {
        Self {
            config_revision: message.config_revision,
            alpha: message.alpha,
            fallback_alpha: message.fallback_alpha,
            robust_temperature: message.robust_temperature,
            standard_model_sha256: message.standard_model_sha256,
            robust_model_sha256: message.robust_model_sha256,
            server_version: message.server_version,
            runtime_version: message.runtime_version,
            processor: message.processor,
            standard_batch_size: message.standard_batch_size,
            robust_batch_size: message.robust_batch_size,
        }
    }
}

/// The times of one request.
///
/// The two models run at the same time: `queue`, the model that finished last, `mixing` and a small rest add up to `server`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// The deadline that the client gave the request.
    pub deadline: Duration,
    /// From the call to its answer, retries included, as the client measured it.
    pub round_trip: Duration,
    /// The wait until an executor took the first rows of the model that finished last.
    pub queue: Duration,
    /// The run of the standard model.
    pub standard_model: Duration,
    /// The run of the robust model.
    pub robust_model: Duration,
    /// Mixing the outputs and computing the certificates.
    pub mixing: Duration,
    /// From the arrival of the request to the encoding of the answer.
    pub server: Duration,
}

impl Timings {
    pub(crate) fn new(message: &proto::Timings, deadline: Duration, round_trip: Duration) -> Self {
        Self {
            deadline,
            round_trip,
            queue: Duration::from_micros(message.queue_us),
            standard_model: Duration::from_micros(message.standard_model_us),
            robust_model: Duration::from_micros(message.robust_model_us),
            mixing: Duration::from_micros(message.mixing_us),
            server: Duration::from_micros(message.total_us),
        }
    }
}
