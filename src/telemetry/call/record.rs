//! The record of one call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Code, Outcome, RefusalReason, RequestId, Rpc};
use crate::domain::{CertificateStatus, PerRole, Prediction, RequestTimings};
use crate::telemetry::TraceContext;

/// Certificates of one call, by their status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CertificateCounts {
    /// With a radius.
    pub certified: u64,
    /// Without one for this input.
    pub abstained: u64,
    /// Without one for any input.
    pub unavailable: u64,
}

impl CertificateCounts {
    /// Those of `predictions`.
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

/// The record of one RPC, or of one request of a stream of them.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// Which.
    pub rpc: Rpc,
    /// What it is called.
    pub id: RequestId,
    /// Which request of its stream it is, from 1; they all bear the stream's name.
    pub message: Option<u64>,
    /// When it was received.
    pub begun: Instant,
    /// The trace that it belongs to, if its caller says so and somebody wants to know.
    pub trace: TraceContext,
    /// The settings that answered, once they were looked at.
    pub revision: Option<Arc<str>>,
    /// The weight of the robust model in them.
    pub alpha: Option<f64>,
    /// Inputs in it, once they were read.
    pub inputs: usize,
    /// Of the answer.
    pub certificates: CertificateCounts,
    /// Where the time went until there was an answer; nothing of it is known of a call without one.
    pub timings: RequestTimings,
    /// Rows that the answer took, of each model.
    pub rows: PerRole<u64>,
    /// Votes that were counted for it.
    pub votes: u64,
    /// Why it was not let in.
    pub refusal: Option<RefusalReason>,
    /// What it ended with. [`Code::CANCELLED`] until then.
    pub code: Code,
    /// From `begun` until it ended; zero until then.
    pub total: Duration,
}

impl CallRecord {
    /// Of a call that has just been received.
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
            inputs: 0,
            certificates: CertificateCounts::default(),
            timings: RequestTimings::default(),
            rows: PerRole::default(),
            votes: 0,
            refusal: None,
            code: Code::CANCELLED,
            total: Duration::ZERO,
        }
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::of(self.code)
    }
}
