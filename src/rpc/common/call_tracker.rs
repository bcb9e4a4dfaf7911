//! Tracks each call from its first header to its end, and passes its record to the observers.
//!
//! A handler begins a [`TrackedCall`] and ends it with its result. If the caller leaves, tonic
//! drops the handler and with it the call. The drop ends the call as cancelled. A server that stops may
//! cut off calls in the same way, after [`CallTracker::cut_off_on_drop`]; they end as unavailable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use bytes::Bytes;
use tonic::codegen::http::{HeaderMap, HeaderValue};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status};

use crate::call::{
    CallObserver as _, CallObservers, CallRecord, Caller, CertificateCounts, Code, Principal, RequestId, RequestIds,
    Rpc, TraceContext,
};
use crate::classifier::{ClassifierError, MixedClassifier, RequestPredictions};
use crate::rpc::common::status;
use crate::rpc::memory::{HeldMemory, LastMessageMemory};

/// The header that carries the request ID, in requests and responses.
pub(in crate::rpc) const REQUEST_ID: &str = "x-request-id";

/// The caller of a request that did not come over a connection of the server.
const UNKNOWN_CALLER: Caller = Caller {
    principal: Principal::Unknown,
    connection: 0,
};

/// Begins tracked calls. Clones share one state.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct CallTracker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ids: RequestIds,
    /// Whether an observer needs the trace context of a call.
    reads_trace_context: bool,
    observers: CallObservers,
    /// Whether the server cuts off the open calls.
    is_cut_off: AtomicBool,
}

impl CallTracker {
    /// Every call is reported to `observers`.
    pub(in crate::rpc) fn new(observers: CallObservers) -> Self {
        let shared = Shared {
            ids: RequestIds::default(),
            reads_trace_context: observers.reads_trace_context(),
            observers,
            is_cut_off: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A guard. After its drop, a call that is dropped was cut off by the server.
    pub(in crate::rpc) fn cut_off_on_drop(&self) -> CutOffGuard {
        CutOffGuard(Arc::clone(&self.shared))
    }

    /// The code of a call that ends without an answer because its caller is gone.
    pub(in crate::rpc) fn code_without_answer(&self) -> Code {
        if self.shared.is_cut_off.load(Relaxed) {
            Code::UNAVAILABLE
        } else {
            Code::CANCELLED
        }
    }

    /// Begins a call whose headers have just arrived.
    pub(in crate::rpc) fn begin<T>(&self, rpc: Rpc, request: &Request<T>) -> TrackedCall {
        let metadata = request.metadata();
        let id = metadata.get(REQUEST_ID).map(MetadataValue::as_encoded_bytes);
        let id = id.and_then(RequestId::from_caller);
        let mut call = self.begin_with_id(rpc, id.unwrap_or_else(|| self.shared.ids.next()), Instant::now());
        call.caller = request.extensions().get().copied().unwrap_or(UNKNOWN_CALLER);
        call.memory = request.extensions().get().cloned();
        call.last_message = request.extensions().get().cloned();
        if self.shared.reads_trace_context {
            let header = |name| metadata.get(name).and_then(|value| value.to_str().ok());
            call.record.trace = TraceContext::parse(header("traceparent"), header("tracestate"));
        }
        call
    }

    /// Begins a call that no handler has received. Its request headers are no longer available.
    pub(in crate::rpc) fn begin_without_handler(&self) -> TrackedCall {
        self.begin_with_id(Rpc::Other, self.shared.ids.next(), Instant::now())
    }

    fn begin_with_id(&self, rpc: Rpc, id: RequestId, received_at: Instant) -> TrackedCall {
        TrackedCall {
            record: CallRecord::new(rpc, id, received_at),
            caller: UNKNOWN_CALLER,
            memory: None,
            last_message: None,
            tracker: self.clone(),
            has_ended: false,
        }
    }
}

/// Marks the open calls as cut off by the server when it is dropped.
pub(in crate::rpc) struct CutOffGuard(Arc<Shared>);

impl Drop for CutOffGuard {
    fn drop(&mut self) {
        self.0.is_cut_off.store(true, Relaxed);
    }
}

/// One call in progress. A drop without an end counts as cancelled, as unavailable if the server cuts
/// off its calls, or as internal during a panic.
#[derive(Debug)]
pub(in crate::rpc) struct TrackedCall {
    record: CallRecord,
    caller: Caller,
    /// The memory of the request. `None` for a request that did not come over a connection.
    memory: Option<HeldMemory>,
    /// The memory of the messages of a stream.
    last_message: Option<LastMessageMemory>,
    tracker: CallTracker,
    has_ended: bool,
}

impl TrackedCall {
    /// The time at which the call was received.
    pub(in crate::rpc) fn received_at(&self) -> Instant {
        self.record.begun
    }

    /// The caller, by whom the capacity of the models is shared.
    pub(in crate::rpc) fn caller(&self) -> Caller {
        self.caller
    }

    /// The memory of the request, which lasts as long as one of its clones.
    pub(in crate::rpc) fn memory(&self) -> Option<HeldMemory> {
        self.memory.clone()
    }

    /// Adds `bytes` to the memory of the request, for its answer.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED if the caller holds its share of the memory.
    pub(in crate::rpc) fn hold_answer(&self, bytes: usize) -> Result<(), Status> {
        let memory = self.memory.as_ref();
        memory
            .map_or(Ok(()), |memory| memory.grow(bytes))
            .map_err(status::request_memory_refused)
    }

    /// The same bytes of an input. They count as memory of the request until the last executor has
    /// dropped them, which may be after the caller has left.
    pub(in crate::rpc) fn count_input(&self, bytes: Bytes) -> Bytes {
        match &self.memory {
            Some(memory) => memory.attach(bytes),
            None => bytes,
        }
    }

    /// Records the configuration of `classifier` and the number of inputs.
    pub(in crate::rpc) fn record_request(&mut self, classifier: &MixedClassifier, inputs: usize) {
        let provenance = classifier.provenance();
        self.record.revision = Some(Arc::clone(&provenance.config_revision));
        self.record.alpha = Some(provenance.alpha);
        self.record.fallback_alpha = Some(provenance.fallback_alpha);
        self.record.inputs = inputs;
    }

    /// Records the classifier's results and reports the predictions.
    pub(in crate::rpc) fn record_predictions(&mut self, batch: &RequestPredictions) {
        self.record.certificates = CertificateCounts::of(&batch.predictions);
        self.record.timings = batch.timings;
        self.record.rows = batch.rows;
        self.record.votes = batch.votes;
        let observers = &self.tracker.shared.observers;
        observers.answered(&self.record, &batch.predictions);
    }

    /// Records the classifier's error.
    pub(in crate::rpc) fn record_error(&mut self, error: &ClassifierError) {
        self.record.refusal = match error {
            ClassifierError::Refused(refusal) | ClassifierError::TooShort(refusal) => Some(refusal.reason()),
            _ => None,
        };
    }

    /// Ends the call with `result`, and writes the request ID into the metadata of the result.
    pub(in crate::rpc) fn end<T>(self, mut result: Result<Response<T>, Status>) -> Result<Response<T>, Status> {
        match &mut result {
            Ok(response) => self.write_request_id(response.metadata_mut()),
            Err(status) => self.write_request_id(status.metadata_mut()),
        }
        let code = result.as_ref().err().map_or(Code::OK, recorded_code);
        self.end_with_code(code);
        result
    }

    /// Ends the call with `code`.
    pub(in crate::rpc) fn end_with_code(mut self, code: Code) {
        self.end_once(code);
    }

    /// Ends a call whose message no handler has received, with `code`. Nothing of this server has failed
    /// then, whatever the code.
    pub(in crate::rpc) fn end_without_handler(mut self, code: Code) {
        self.record.is_callers_fault = true;
        self.end_once(code);
    }

    /// Writes the request ID into the metadata of a response.
    pub(in crate::rpc) fn write_request_id(&self, metadata: &mut MetadataMap) {
        if let Ok(id) = MetadataValue::try_from(self.record.id.as_bytes()) {
            metadata.insert(REQUEST_ID, id);
        }
    }

    /// Writes the request ID into HTTP headers, for a response that tonic does not write.
    pub(in crate::rpc) fn write_request_id_header(&self, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::from_bytes(self.record.id.as_bytes()) {
            headers.insert(REQUEST_ID, id);
        }
    }

    /// Turns the call into a stream whose messages are calls of their own. The stream itself is
    /// then no longer a call.
    pub(in crate::rpc) fn into_stream(mut self) -> StreamCallTracker {
        self.has_ended = true;
        StreamCallTracker {
            rpc: self.record.rpc,
            id: self.record.id,
            caller: self.caller,
            last_message: self.last_message.take(),
            trace: self.record.trace.clone(),
            tracker: self.tracker.clone(),
            messages: 0,
        }
    }

    fn end_once(&mut self, code: Code) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        self.record.code = code;
        self.record.total = self.record.begun.elapsed();
        self.tracker.shared.observers.finished(&self.record);
    }
}

impl Drop for TrackedCall {
    fn drop(&mut self) {
        self.end_once(if std::thread::panicking() {
            Code::INTERNAL
        } else {
            self.tracker.code_without_answer()
        });
    }
}

/// Begins a tracked call for each message of a request stream. The calls share the request ID of
/// the stream and are numbered from 1.
#[derive(Debug)]
pub(in crate::rpc) struct StreamCallTracker {
    rpc: Rpc,
    caller: Caller,
    last_message: Option<LastMessageMemory>,
    id: RequestId,
    trace: TraceContext,
    tracker: CallTracker,
    messages: u64,
}

impl StreamCallTracker {
    /// Begins the call of a message that has just been read.
    pub(in crate::rpc) fn begin_message(&mut self) -> TrackedCall {
        self.messages += 1;
        let mut call = self.tracker.begin_with_id(self.rpc, self.id, Instant::now());
        call.caller = self.caller;
        call.memory = self.last_message.as_ref().and_then(LastMessageMemory::take);
        call.record.message = Some(self.messages);
        call.record.trace = self.trace.clone();
        call
    }
}

/// The code of `status`, as records hold it.
pub(in crate::rpc) fn recorded_code(status: &Status) -> Code {
    Code::from_number(status.code().into())
}
