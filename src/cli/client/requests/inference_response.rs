//! The common part of the responses to `Predict` and `Certify`.

use crate::rpc::proto::{CertifyResponse, PredictResponse, Prediction, Provenance};

/// The predictions for the inputs of one request.
pub(in crate::cli::client) struct InferenceResponse {
    /// The predictions, in the order of the inputs.
    pub predictions: Vec<Prediction>,
    /// The configuration and models that computed them.
    pub provenance: Option<Provenance>,
}

impl From<PredictResponse> for InferenceResponse {
    fn from(response: PredictResponse) -> Self {
        Self {
            predictions: response.predictions,
            provenance: response.provenance,
        }
    }
}

impl From<CertifyResponse> for InferenceResponse {
    fn from(response: CertifyResponse) -> Self {
        Self {
            predictions: response.predictions,
            provenance: response.provenance,
        }
    }
}
