//! Passes one request to its handler: checks its token, limits its arrival and its memory, and
//! corrects its response.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hyper::body::Incoming;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::service::Routes;

use super::activity::ConnectionActivity;
use super::counts::ConnectionCounts;
use super::memory_bounds::{HEADER_BYTES, OPEN_REQUEST_BYTES, QUEUED_MESSAGE_BYTES};
use super::message_collector::MessageCollector;
use super::message_memory::MessageMemory;
use super::method_descriptors::MethodDescriptors;
use super::open_request::{ArrivingBody, OpenRequest};
use super::open_streams::{ConnectionStreams, OpenStream};
use super::received_body::{Departure, ReceivedBody};
use super::request_arrival::RequestArrival;
use super::request_body::RequestBody;
use super::request_headers::refuse_other_protocols;
use super::request_stream::RequestStream;
use super::response_body::{Answer, ResponseBody};
use crate::call::Caller;
use crate::live::CurrentSnapshot;
use crate::rpc::access::AccessControl;
use crate::rpc::common::call_tracker::CallTracker;
use crate::rpc::common::deadline::requested_timeout;
use crate::rpc::common::status;
use crate::rpc::common::status_correction::correct_response;
use crate::rpc::compression::{ConnectionTurns, GRPC_ENCODING, MessageEncoding, read_message_encoding};
use crate::rpc::memory::{HalfSentRequest, HeldMemory, LastMessageMemory, MemoryRefusal, Payer, RequestMemory};

/// Handles the requests of one connection.
pub(super) struct RequestHandler {
    /// The caller of the requests that carry no token.
    pub(super) caller: Caller,
    pub(super) routes: Routes,
    pub(super) methods: Arc<MethodDescriptors>,
    pub(super) counts: Arc<ConnectionCounts>,
    pub(super) activity: Arc<ConnectionActivity>,
    /// Checks tokens. `None` on the Unix socket.
    pub(super) access: Option<Arc<AccessControl>>,
    /// Cancelled when the connection is to close. It ends request streams and endless responses.
    pub(super) closing: CancellationToken,
    /// Records the calls that no handler receives.
    pub(super) calls: CallTracker,
    /// The live settings. Each request reads its limits, because a connection may stay open for
    /// days.
    pub(super) live: Arc<CurrentSnapshot>,
    pub(super) memory: Arc<RequestMemory>,
    /// The open streams of this connection that no model works for.
    pub(super) auxiliary_streams: ConnectionStreams,
    /// The turns in which this connection unpacks compressed messages.
    pub(super) unpack_turns: ConnectionTurns,
}

impl RequestHandler {
    /// Handles one request.
    pub(super) fn handle(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, Infallible>> + Send + use<> {
        let is_endless = MethodDescriptors::has_endless_response(request.uri().path());
        let (open_request, arriving) = OpenRequest::new(&self.activity, is_endless);
        // Boxed, because responses are large and rarely refusals.
        let admitted = match refuse_other_protocols(&request) {
            Some(refusal) => Err(Box::new(refusal)),
            None => self.admit(&request).map_err(|status| Box::new(error_response(&status))),
        };
        let routed = admitted.map(|admitted| self.route(request, arriving, admitted));
        let calls = self.calls.clone();
        async move {
            let (response, has_left, answer) = match routed {
                Ok(Routed {
                    response,
                    departure,
                    answer,
                }) => (response.await?, departure.has_happened(), Some(answer)),
                Err(refusal) => (*refusal, false, None),
            };
            let response = correct_response(response, has_left, &calls);
            Ok(response.map(|body| ResponseBody::new(body, open_request, answer)))
        }
    }

    /// Checks whether `request` is admitted, before any byte of its body is read.
    ///
    /// # Errors
    /// UNAUTHENTICATED without a valid token, UNIMPLEMENTED for an unknown compression, and
    /// RESOURCE_EXHAUSTED without memory.
    fn admit(&self, request: &Request<Incoming>) -> Result<Admitted, Box<Status>> {
        let caller = self.authorize(request)?;
        let encoding = read_message_encoding(request.headers(), self.live.server().accept_gzip)?;
        let path = request.uri().path();
        let is_stream = self.methods.is_client_streaming(path);
        let is_auxiliary = MethodDescriptors::is_auxiliary_stream(path);
        let stream = match is_auxiliary {
            true => Some(
                self.auxiliary_streams
                    .open()
                    .ok_or_else(|| Box::new(status::too_many_streams()))?,
            ),
            false => None,
        };
        let asks_for_credentials = self.access.as_ref().is_some_and(|access| access.asks_for_credentials());
        let payer = Payer {
            caller,
            is_stranger: asks_for_credentials && !caller.principal.is_authenticated(),
        };
        let request_bytes = OPEN_REQUEST_BYTES + path.len() + header_bytes(request.headers());
        let held = HeldMemory::new(&self.memory, payer);
        let refused = |refusal: MemoryRefusal| Box::new(status::request_memory_refused(refusal));
        let half_sent = match is_stream {
            true => held.grow(request_bytes).map(|()| None),
            false => HalfSentRequest::begin(&self.memory, payer, request_bytes).map(Some),
        };
        Ok(Admitted {
            caller,
            payer,
            held,
            half_sent: half_sent.map_err(refused)?,
            request_bytes,
            stream,
            encoding,
        })
    }

    /// Passes `request` to its handler.
    fn route(&self, request: Request<Incoming>, arriving: ArrivingBody, admitted: Admitted) -> Routed {
        let server = self.live.server();
        let timeout = requested_timeout(request.headers()).map_or(server.max_request_time, |requested| {
            requested.min(server.max_request_time)
        });
        let path = request.uri().path();
        let is_endless = MethodDescriptors::has_endless_response(path);
        let is_stream = self.methods.is_client_streaming(path);
        let messages = MessageMemory {
            memory: Arc::clone(&self.memory),
            payer: admitted.payer,
            methods: Arc::clone(&self.methods),
            limits: self.methods.limits(path, server.max_message_bytes),
            overhead: match is_stream {
                true => QUEUED_MESSAGE_BYTES,
                false => admitted.request_bytes,
            },
            encoding: admitted.encoding,
            unpack_turns: self.unpack_turns.clone(),
            unpack_timeout: timeout,
        };
        // No model works for an auxiliary stream, so it has the time of one request.
        let stream_time = admitted.stream.is_some().then_some(timeout);
        let collector = MessageCollector::new(messages, admitted.half_sent);
        let held = admitted.held;
        let (mut parts, incoming) = request.into_parts();
        if admitted.encoding == MessageEncoding::Gzip {
            // tonic receives the messages unpacked.
            parts.headers.remove(GRPC_ENCODING);
        }
        let (body, departure) = ReceivedBody::new(incoming);
        let arrival = RequestArrival::new(body, arriving, timeout);
        let mut request = Request::from_parts(parts, ());
        let extensions = request.extensions_mut();
        extensions.insert(admitted.caller);
        extensions.insert(held.clone());
        // Routes are always ready, so `poll_ready` is not needed.
        let response = if is_stream {
            let last_message = LastMessageMemory::default();
            extensions.insert(last_message.clone());
            let closing = self.closing();
            let body = RequestStream::new(arrival, collector, &held, last_message, closing, stream_time);
            self.routes.clone().call(request.map(|()| body))
        } else {
            let body = RequestBody::new(arrival, collector, held.clone());
            self.routes.clone().call(request.map(|()| body))
        };
        let answer = Answer {
            held,
            closing: is_endless.then(|| self.closing()),
            _stream: admitted.stream,
        };
        Routed {
            response,
            departure,
            answer,
        }
    }

    fn closing(&self) -> Pin<Box<WaitForCancellationFutureOwned>> {
        Box::pin(self.closing.clone().cancelled_owned())
    }

    /// Checks the token of `request`, and returns its caller.
    fn authorize(&self, request: &Request<Incoming>) -> Result<Caller, Box<Status>> {
        let Some(access) = &self.access else {
            self.activity.record_established(self.caller.principal);
            return Ok(self.caller);
        };
        match access.authorize(request.uri().path(), request.headers()) {
            Ok(principal) => {
                let caller = Caller {
                    principal: principal.unwrap_or(self.caller.principal),
                    ..self.caller
                };
                // A health check shows no token where tokens are required.
                if principal.is_some() || !access.requires_token() {
                    self.activity.record_established(caller.principal);
                }
                Ok(caller)
            }
            Err(status) => {
                self.counts.unauthenticated.fetch_add(1, Relaxed);
                Err(Box::new(status))
            }
        }
    }
}

/// A request that its handler has received.
struct Routed {
    response: <Routes as tonic::codegen::Service<Request<Body>>>::Future,
    departure: Departure,
    answer: Answer,
}

/// A request that its handler may receive.
struct Admitted {
    caller: Caller,
    payer: Payer,
    /// The memory of the request once it is complete, or of a stream.
    held: HeldMemory,
    /// The memory of the request until then. `None` for a stream.
    half_sent: Option<HalfSentRequest>,
    /// The bytes of the request beside its messages.
    request_bytes: usize,
    /// The place among the streams that no model works for.
    stream: Option<OpenStream>,
    /// How its messages may be compressed.
    encoding: MessageEncoding,
}

/// The memory of the headers of a request. They stay as long as it does.
fn header_bytes(headers: &HeaderMap) -> usize {
    let header = |(name, value): (&tonic::codegen::http::HeaderName, &tonic::codegen::http::HeaderValue)| {
        name.as_str().len() + value.len() + HEADER_BYTES
    };
    headers.iter().map(header).sum()
}

fn error_response(status: &Status) -> Response<Body> {
    let (parts, ()) = status.clone().into_http::<()>().into_parts();
    Response::from_parts(parts, Body::empty())
}
