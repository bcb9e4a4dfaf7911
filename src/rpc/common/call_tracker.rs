//! One call, from its first header to its end, whichever way it ends.
//!
//! Every handler begins a [`Call`] and ends it with what it answers. A handler that is dropped, because the caller left, drops its call,
//! and that is an end too.

use std::sync::Arc;
use std::time::Instant;

use tonic::codegen::http::{HeaderMap, HeaderValue};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Response, Status};

use crate::call::TraceContext;
use crate::call::{CallRecord, CertificateCounts, Code, Observer as _, Observers, RequestId, RequestIds, Rpc};
use crate::classifier::{ClassifierError, MixedClassifier, PredictionBatch};

/// The header that names a request, on the way in and on the way out.
pub(in crate::rpc) const REQUEST_ID: &str = "x-request-id";

/// Begins calls. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct Calls {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ids: RequestIds,
    /// Whether anybody wants to know of whose trace a call is.
    reads_trace_context: bool,
    observers: Observers,
}

impl Calls {
    /// `observers` are told of each.
    pub(in crate::rpc) fn new(observers: Observers) -> Self {
        let shared = Shared {
            ids: RequestIds::default(),
            reads_trace_context: observers.reads_trace_context(),
            observers,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A call whose headers have come just now.
    pub(in crate::rpc) fn begin(&self, rpc: Rpc, metadata: &MetadataMap) -> Call {
        let id = metadata.get(REQUEST_ID).map(MetadataValue::as_encoded_bytes);
        let id = id.and_then(RequestId::from_caller);
        let mut call = self.begin_as(rpc, id.unwrap_or_else(|| self.shared.ids.next()), Instant::now());
        if self.shared.reads_trace_context {
            let header = |name| metadata.get(name).and_then(|value| value.to_str().ok());
            call.record.trace = TraceContext::parse(header("traceparent"), header("tracestate"));
        }
        call
    }

    /// A call that no handler has seen, and whose headers nobody has kept.
    pub(in crate::rpc) fn unseen(&self) -> Call {
        self.begin_as(Rpc::Other, self.shared.ids.next(), Instant::now())
    }

    fn begin_as(&self, rpc: Rpc, id: RequestId, begun: Instant) -> Call {
        Call {
            record: CallRecord::new(rpc, id, begun),
            calls: self.clone(),
            over: false,
        }
    }
}

/// One call. Dropped without an end, it counts as cancelled.
#[derive(Debug)]
pub(in crate::rpc) struct Call {
    record: CallRecord,
    calls: Calls,
    over: bool,
}

impl Call {
    /// When it was received.
    pub(in crate::rpc) fn begun(&self) -> Instant {
        self.record.begun
    }

    /// `classifier` is asked for so many inputs.
    pub(in crate::rpc) fn asks(&mut self, classifier: &MixedClassifier, inputs: usize) {
        self.record.revision = Some(Arc::clone(&classifier.provenance().config_revision));
        self.record.alpha = Some(classifier.provenance().alpha);
        self.record.inputs = inputs;
    }

    /// The models have answered.
    pub(in crate::rpc) fn answered(&mut self, answer: &PredictionBatch) {
        self.record.certificates = CertificateCounts::of(&answer.predictions);
        self.record.timings = answer.timings;
        self.record.rows = answer.rows;
        self.record.votes = answer.votes;
        self.calls.shared.observers.answered(&self.record, &answer.predictions);
    }

    /// The models have not answered.
    pub(in crate::rpc) fn failed(&mut self, error: &ClassifierError) {
        self.record.refusal = match error {
            ClassifierError::Refused(refusal) | ClassifierError::TooShort(refusal) => Some(refusal.reason()),
            _ => None,
        };
    }

    /// Ends it with `answer`, which then bears its name.
    pub(in crate::rpc) fn end<T>(self, mut answer: Result<Response<T>, Status>) -> Result<Response<T>, Status> {
        match &mut answer {
            Ok(response) => self.name_in(response.metadata_mut()),
            Err(status) => self.name_in(status.metadata_mut()),
        }
        let code = answer.as_ref().err().map_or(Code::OK, code);
        self.finish(code);
        answer
    }

    /// Ends it with `code`.
    pub(in crate::rpc) fn finish(mut self, code: Code) {
        self.over(code);
    }

    /// Writes its name into the headers of an answer.
    pub(in crate::rpc) fn name_in(&self, metadata: &mut MetadataMap) {
        if let Ok(id) = MetadataValue::try_from(self.record.id.as_bytes()) {
            metadata.insert(REQUEST_ID, id);
        }
    }

    /// The same for an answer that is not tonic's to write.
    pub(in crate::rpc) fn name_in_headers(&self, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::from_bytes(self.record.id.as_bytes()) {
            headers.insert(REQUEST_ID, id);
        }
    }

    /// Makes it a stream of requests, each a call of its own: it is none itself any more.
    pub(in crate::rpc) fn into_stream(mut self) -> CallStream {
        self.over = true;
        CallStream {
            rpc: self.record.rpc,
            id: self.record.id,
            trace: self.record.trace.clone(),
            calls: self.calls.clone(),
            messages: 0,
        }
    }

    fn over(&mut self, code: Code) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.record.code = code;
        self.record.total = self.record.begun.elapsed();
        self.calls.shared.observers.finished(&self.record);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.over(if std::thread::panicking() {
            Code::INTERNAL
        } else {
            Code::CANCELLED
        });
    }
}

/// A stream of requests: they bear its name, and a number.
#[derive(Debug)]
pub(in crate::rpc) struct CallStream {
    rpc: Rpc,
    id: RequestId,
    trace: TraceContext,
    calls: Calls,
    messages: u64,
}

impl CallStream {
    /// The next request, which was read just now.
    pub(in crate::rpc) fn next(&mut self) -> Call {
        self.messages += 1;
        let mut call = self.calls.begin_as(self.rpc, self.id, Instant::now());
        call.record.message = Some(self.messages);
        call.record.trace = self.trace.clone();
        call
    }
}

/// The code of an answer.
pub(in crate::rpc) fn code(status: &Status) -> Code {
    Code::from_number(status.code().into())
}
