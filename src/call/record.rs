//! The record of one call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::code::Code;
use super::outcome::{Outcome, RefusalReason};
use super::request_id::RequestId;
use super::rpc::Rpc;
use super::trace_context::TraceContext;
use crate::domain::{CertificateStatus, PerRole, Prediction, RequestTimings};

/// The number of certificates of one call, by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CertificateCounts {
    /// Certificates with a radius.
    pub certified: u64,
    /// Certificates without a radius for this input.
    pub abstained: u64,
    /// Certificates without a radius for any input.
    pub unavailable: u64,
}

impl CertificateCounts {
    /// Counts the certificates of `predictions`.
    #[must_use]
    pub fn of(predictions: &[Prediction]) -> Self {
        let mut counts = Self::default();
        for prediction in predictions {
            *match prediction.certificate.status {
                CertificateStatus::Certified => &mut counts.certified,
                CertificateStatus::Abstained => &mut counts.abstained,
                CertificateStatus::Unavailable => &mut counts.unavailable,
            } += 1;
        }
        counts
    }
}

/// The record of one RPC, or of one request of a request stream.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// The RPC.
    pub rpc: Rpc,
    /// The request id.
    pub id: RequestId,
    /// The number of the request in its stream, from 1. All requests of a stream share its id.
    pub message: Option<u64>,
    /// When the call was received.
    pub begun: Instant,
    /// The trace that the caller named, if traces are exported.
    pub trace: TraceContext,
    /// The config revision that answered; `None` before a snapshot was loaded.
    pub revision: Option<Arc<str>>,
    /// The weight of the robust model in that config, where its margin is large enough.
    pub alpha: Option<f64>,
    /// The weight of the robust model in that config, where its margin is smaller.
    pub fallback_alpha: Option<f64>,
    /// The number of inputs; 0 before they were decoded.
    pub inputs: usize,
    /// The certificates of the response.
    pub certificates: CertificateCounts,
    /// The time by stage until the response was ready; empty for a call without a response.
    pub timings: RequestTimings,
    /// The rows that the response took, by model.
    pub rows: PerRole<u64>,
    /// The votes counted for the response.
    pub votes: u64,
    /// Why admission refused the call; `None` if it did not.
    pub refusal: Option<RefusalReason>,
    /// The status code. [`Code::CANCELLED`] until the call ends.
    pub code: Code,
    /// Whether the caller is at fault even if the code usually stands for an error of the server.
    pub is_callers_fault: bool,
    /// The time from `begun` to the end; zero until the call ends.
    pub total: Duration,
}

impl CallRecord {
    /// The record of a call that has just been received.
    #[must_use]
    pub fn new(rpc: Rpc, id: RequestId, begun: Instant) -> Self {
        Self {
            rpc,
            id,
            message: None,
            begun,
            trace: TraceContext::default(),
            revision: None,
            alpha: None,
            fallback_alpha: None,
            inputs: 0,
            certificates: CertificateCounts::default(),
            timings: RequestTimings::default(),
            rows: PerRole::default(),
            votes: 0,
            refusal: None,
            code: Code::CANCELLED,
            is_callers_fault: false,
            total: Duration::ZERO,
        }
    }

    /// The outcome of the call.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match Outcome::of(self.code) {
            Outcome::Failed if self.is_callers_fault => Outcome::Invalid,
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::RequestIds;

    #[test]
    fn an_error_of_the_caller_is_never_one_of_the_server() {
        let mut record = CallRecord::new(Rpc::Other, RequestIds::default().next(), Instant::now());
        record.code = Code::INTERNAL;
        assert_eq!(record.outcome(), Outcome::Failed);
        record.is_callers_fault = true;
        assert_eq!(record.outcome(), Outcome::Invalid);
        record.code = Code::CANCELLED;
        assert_eq!(record.outcome(), Outcome::Cancelled);
    }
}
