//! CertifyStream: sends the certificate of one input as its radius grows, as fast as the caller
//! reads.
//!
//! A task draws the votes and writes its newest prediction into a slot of one. The response stream
//! takes the prediction in the slot when the caller is ready. A slow caller misses steps of the
//! growth and delays nothing. The task ends when the caller leaves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::Instrument as _;

use super::encode;
use super::proto::{CertifyStreamResponse, Timings};
use crate::call::Code;
use crate::classifier::CertificationParams;
use crate::domain::{Input, Prediction};
use crate::live::Snapshot;
use crate::rpc::common::call_tracker::{TrackedCall, recorded_code};
use crate::rpc::common::status;

/// A radius that has grown by more than this fraction of itself is sent at once.
const IMMEDIATE_GROWTH: f64 = 0.05;
/// A radius that has grown less is sent once this long has passed since the last message.
const SMALL_GROWTH_INTERVAL: Duration = Duration::from_millis(250);

type StreamItem = Result<CertifyStreamResponse, Status>;

/// A checked request, ready to start.
pub(super) struct CertifyStream {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) input: Input,
    pub(super) params: CertificationParams,
    pub(super) deadline: Instant,
    pub(super) include_components: bool,
}

impl CertifyStream {
    /// Starts to draw votes, and returns the responses. `call` ends with the last response.
    pub(super) fn start(self, call: TrackedCall) -> impl Stream<Item = StreamItem> {
        // One response waits for the caller, with the newest prediction behind it. The last
        // response has a slot of its own.
        let (updates, receiver) = mpsc::channel(1);
        let (last, last_receiver) = oneshot::channel();
        tokio::spawn(
            self.run(updates, last, call)
                .instrument(tracing::debug_span!("certify_stream")),
        );
        let last = stream::once(last_receiver).filter_map(|last| async { last.ok() });
        ReceiverStream::new(receiver).chain(last)
    }

    async fn run(self, updates: mpsc::Sender<StreamItem>, last: oneshot::Sender<StreamItem>, mut call: TrackedCall) {
        let (newest, mut predictions) = watch::channel(None);
        let mut throttle = UpdateThrottle::default();
        let mut on_growth = |prediction: Prediction| {
            if throttle.is_due(prediction.certificate.radius, Instant::now()) {
                newest.send_replace(Some(prediction));
            }
        };
        let classifier = &self.snapshot.classifier;
        let (input, caller) = (self.input.clone(), call.caller());
        let batch = classifier.predict_with_updates(caller, input, self.params, self.deadline, &mut on_growth);
        let forward_updates = async {
            while predictions.changed().await.is_ok() {
                let prediction = predictions.borrow_and_update().clone();
                if let Some(prediction) = prediction
                    && updates.send(Ok(self.response(prediction, None))).await.is_err()
                {
                    return;
                }
            }
        };
        let result = tokio::select! {
            result = batch => result,
            // The caller left, so nothing reads the rest. The sender of `predictions` lives as long
            // as `batch`.
            () = forward_updates => return,
            () = updates.closed() => return,
        };
        let item = match result {
            Ok(mut batch) => {
                call.record_predictions(&batch);
                let missing = || status::internal("there is no answer");
                let prediction = batch.predictions.pop().ok_or_else(missing);
                let timings = encode::timings(&batch.timings, call.received_at());
                prediction.map(|prediction| self.response(prediction, Some(timings)))
            }
            Err(error) => {
                call.record_error(&error);
                let mut status = status::classifier_error(&error);
                call.write_request_id(status.metadata_mut());
                Err(status)
            }
        };
        let code = item.as_ref().err().map_or(Code::OK, recorded_code);
        call.end_with_code(code);
        // A failed send means that the caller left.
        let _ = last.send(item);
    }

    /// The last response has the timings.
    fn response(&self, prediction: Prediction, timings: Option<Timings>) -> CertifyStreamResponse {
        let classifier = &self.snapshot.classifier;
        CertifyStreamResponse {
            prediction: Some(encode::prediction(
                prediction,
                classifier.labels(),
                self.include_components,
            )),
            provenance: Some(encode::provenance(classifier.provenance())),
            r#final: timings.is_some(),
            timings,
        }
    }
}

/// Limits how often a growing radius is sent.
#[derive(Default)]
struct UpdateThrottle {
    /// The radius of the last message, and the time at which it was sent.
    last_sent: Option<(f64, Instant)>,
}

impl UpdateThrottle {
    /// Whether a prediction with `radius` is to be sent at `now`. If so, it counts as sent.
    fn is_due(&mut self, radius: f64, now: Instant) -> bool {
        let is_due = self.last_sent.is_none_or(|(sent, sent_at)| {
            radius > sent * (1.0 + IMMEDIATE_GROWTH)
                || (radius > sent && now.duration_since(sent_at) >= SMALL_GROWTH_INTERVAL)
        });
        if is_due {
            self.last_sent = Some((radius, now));
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_growth_waits_and_no_radius_is_sent_twice() {
        let start = Instant::now();
        let mut throttle = UpdateThrottle::default();
        assert!(throttle.is_due(0.10, start));
        assert!(!throttle.is_due(0.101, start));
        assert!(throttle.is_due(0.11, start));
        assert!(!throttle.is_due(0.11, start + SMALL_GROWTH_INTERVAL));
        assert!(throttle.is_due(0.111, start + SMALL_GROWTH_INTERVAL));
    }
}
