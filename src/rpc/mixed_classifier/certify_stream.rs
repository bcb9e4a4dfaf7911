//! CertifyStream: the certificate as it grows, at the pace of its reader.
//!
//! A task draws the votes and puts its latest answer into a slot of one; the reader takes what is there when it is
//! ready. A slow reader misses steps of the growth and holds nothing up. When it leaves, the task ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::Instrument as _;

use super::encode;
use super::proto::CertifyStreamResponse;
use crate::call::Code;
use crate::classifier::CertificationParams;
use crate::domain::{Input, Prediction};
use crate::live::Snapshot;
use crate::rpc::common::call_tracker::{Call, code};
use crate::rpc::common::status;

/// A message is sent when the radius has grown by this part of itself,
const GROWN_BY: f64 = 0.05;
/// or when it has grown at all and this long has passed since the last message.
const AT_LEAST_EVERY: Duration = Duration::from_millis(250);

type Message = Result<CertifyStreamResponse, Status>;

/// A stream about to start.
pub(in crate::rpc) struct Growing {
    pub(in crate::rpc) snapshot: Arc<Snapshot>,
    pub(in crate::rpc) input: Input,
    pub(in crate::rpc) order: CertificationParams,
    pub(in crate::rpc) deadline: Instant,
    pub(in crate::rpc) components: bool,
}

impl Growing {
    /// `call` ends with it.
    pub(in crate::rpc) fn start(self, call: Call) -> impl Stream<Item = Message> {
        // One message waits for the reader, the newest answer behind it; the last one has a slot of its own.
        let (messages, receiver) = mpsc::channel(1);
        let (last, ending) = oneshot::channel();
        tokio::spawn(
            self.run(messages, last, call)
                .instrument(tracing::debug_span!("certify_stream")),
        );
        let ending = stream::once(ending).filter_map(|last| async { last.ok() });
        ReceiverStream::new(receiver).chain(ending)
    }

    async fn run(self, messages: mpsc::Sender<Message>, last: oneshot::Sender<Message>, mut call: Call) {
        let (newest, mut answers) = watch::channel(None);
        let mut pace = Pace::default();
        let mut grown = |prediction: Prediction| {
            if pace.is_due(prediction.certificate.radius, Instant::now()) {
                newest.send_replace(Some(prediction));
            }
        };
        let classifier = &self.snapshot.classifier;
        let votes = classifier.predict_with_updates(self.input.clone(), self.order, self.deadline, &mut grown);
        let forward = async {
            while answers.changed().await.is_ok() {
                let prediction = answers.borrow_and_update().clone();
                if let Some(prediction) = prediction
                    && messages.send(Ok(self.message(prediction, false))).await.is_err()
                {
                    return;
                }
            }
        };
        let answer = tokio::select! {
            answer = votes => answer,
            // The reader left: nobody needs the rest. The sender lives as long as `votes`.
            () = forward => return,
            () = messages.closed() => return,
        };
        let message = match answer {
            Ok(mut answer) => {
                call.answered(&answer);
                let missing = || Status::internal("there is no answer");
                let last = answer.predictions.pop().ok_or_else(missing);
                last.map(|prediction| self.message(prediction, true))
            }
            Err(error) => {
                call.failed(&error);
                let mut status = status::failed(&error);
                call.name_in(status.metadata_mut());
                Err(status)
            }
        };
        let ended = message.as_ref().err().map_or(Code::OK, code);
        call.finish(ended);
        // A reader that left misses nothing.
        let _ = last.send(message);
    }

    fn message(&self, prediction: Prediction, is_last: bool) -> CertifyStreamResponse {
        CertifyStreamResponse {
            prediction: Some(encode::prediction(
                prediction,
                self.snapshot.classifier.labels(),
                self.components,
            )),
            provenance: Some(encode::provenance(self.snapshot.classifier.provenance())),
            r#final: is_last,
        }
    }
}

/// When a grown radius is worth a message.
#[derive(Default)]
struct Pace {
    sent: Option<(f64, Instant)>,
}

impl Pace {
    fn is_due(&mut self, radius: f64, now: Instant) -> bool {
        let due = self.sent.is_none_or(|(sent, when)| {
            radius > sent * (1.0 + GROWN_BY) || (radius > sent && now.duration_since(when) >= AT_LEAST_EVERY)
        });
        if due {
            self.sent = Some((radius, now));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_steps_wait_and_nothing_is_sent_twice() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert!(pace.is_due(0.10, start));
        assert!(!pace.is_due(0.101, start));
        assert!(pace.is_due(0.11, start));
        assert!(!pace.is_due(0.11, start + AT_LEAST_EVERY));
        assert!(pace.is_due(0.111, start + AT_LEAST_EVERY));
    }
}
