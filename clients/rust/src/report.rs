//! What a server serves, and its report on other mixtures.

use crate::proto::{self, CertificateBasis, CertificateMethod};
use crate::{Norm, Provenance};

/// What a server serves. `message` has every field, with the limits and the state of the configuration.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The labels of the classes, by their index.
    pub labels: Vec<String>,
    /// The shape of one input.
    pub input_shape: Vec<i64>,
    /// The smallest value of an input.
    pub input_low: f64,
    /// The largest value of an input.
    pub input_high: f64,
    /// Whether the server takes bytes, where byte u means the float u / 255.
    pub accepts_uint8: bool,
    /// The distance between neighbouring values of the grid of a smoothed robust model; 0 without a grid.
    pub grid_step: f64,
    /// The norm of the radii; `None` if no input can be certified.
    pub norm: Option<Norm>,
    /// The theorem behind the radii.
    pub method: CertificateMethod,
    /// The evidence for the guarantee of the robust model.
    pub basis: CertificateBasis,
    /// One sentence about that evidence.
    pub basis_reason: String,
    /// Why no input can be certified; empty if inputs can be certified.
    pub unavailable_reason: String,
    /// The largest radius of any input, in `norm` and in the units of the float input; 0 if unknown.
    pub largest_possible_radius: f64,
    /// The most inputs of one request.
    pub max_inputs: u32,
    /// The most bytes of one request.
    pub max_message_bytes: u64,
    /// The configuration in force.
    pub provenance: Provenance,
    /// The message of the server.
    pub message: proto::GetModelInfoResponse,
}

impl From<proto::GetModelInfoResponse> for ServerInfo {
    fn from(message: proto::GetModelInfoResponse) -> Self {
        let input = message.input.clone().unwrap_or_default();
        let robust = message.robust.clone().unwrap_or_default();
        Self {
            labels: message.labels.clone(),
            input_shape: input.shape,
            input_low: input.low,
            input_high: input.high,
            accepts_uint8: input.accepts_uint8,
            grid_step: input.grid_step,
            norm: Norm::from_message(message.norm()),
            method: message.method(),
            basis: robust.guarantee_basis(),
            basis_reason: robust.guarantee_basis_reason,
            unavailable_reason: message.unavailable_reason.clone(),
            largest_possible_radius: message.largest_possible_radius,
            max_inputs: message.max_inputs,
            max_message_bytes: message.max_message_bytes,
            provenance: message.provenance.clone().unwrap_or_default().into(),
            message,
        }
    }
}

/// The results that one mixture would have produced on the served inputs. They are no certificates.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ShadowMixture {
    /// The weight of the robust model where its margin is at least (1 − alpha) / alpha.
    pub alpha: f64,
    /// Its weight elsewhere; `None` from servers that use `alpha` for every input.
    pub fallback_alpha: Option<f64>,
    /// The temperature of the robust model.
    pub robust_temperature: f64,
    /// Inputs that were answered and evaluated.
    pub inputs: u64,
    /// Inputs for which this mixture has the class that was served.
    pub agreements: u64,
    /// Inputs for which this mixture has the class that the standard model alone would return.
    pub standard_agreements: u64,
    /// Inputs that this mixture certifies.
    pub certified: u64,
    /// Certified by this mixture, served without a certificate.
    pub gained: u64,
    /// Served with a certificate, not certified by this mixture.
    pub lost: u64,
    /// The sum of all certified radii, in the units of the float input.
    pub radius_sum: f64,
    /// The row of the server.
    pub message: proto::ShadowRow,
}

impl From<proto::ShadowRow> for ShadowMixture {
    fn from(message: proto::ShadowRow) -> Self {
        Self {
            alpha: message.alpha,
            fallback_alpha: message.fallback_alpha,
            robust_temperature: message.robust_temperature,
            inputs: message.inputs,
            agreements: message.agreements,
            standard_agreements: message.standard_agreements,
            certified: message.certified,
            gained: message.gained,
            lost: message.lost,
            radius_sum: message.radius_sum,
            message,
        }
    }
}

/// Statistics of other mixtures on the traffic so far.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ShadowReport {
    /// The mixture that serves; `None` if the server has no candidates, and counts nothing.
    pub serving: Option<ShadowMixture>,
    /// The candidates.
    pub candidates: Vec<ShadowMixture>,
    /// The norm of the radii.
    pub norm: Option<Norm>,
    /// Inputs that were answered and not evaluated.
    pub dropped: u64,
    /// The configuration in force.
    pub provenance: Provenance,
    /// The message of the server.
    pub message: proto::GetShadowReportResponse,
}

impl From<proto::GetShadowReportResponse> for ShadowReport {
    fn from(message: proto::GetShadowReportResponse) -> Self {
        Self {
            serving: message.serving.clone().map(Into::into),
            candidates: message.candidates.iter().cloned().map(Into::into).collect(),
            norm: Norm::from_message(message.norm()),
            dropped: message.dropped,
            provenance: message.provenance.clone().unwrap_or_default().into(),
            message,
        }
    }
}
