//! Passes one request to its handler: checks its token, limits its arrival, and corrects its
//! response.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::codegen::http::{Request, Response};
use tonic::service::Routes;

use super::activity::ConnectionActivity;
use super::counts::ConnectionCounts;
use super::message_framing::MessageFraming;
use super::method_descriptors::MethodDescriptors;
use super::open_request::OpenRequest;
use super::received_body::ReceivedBody;
use super::request_body::{RequestBody, TimeoutScope};
use super::request_headers::refuse_other_protocols;
use super::response_body::ResponseBody;
use crate::call::Caller;
use crate::live::CurrentSnapshot;
use crate::rpc::access::AccessControl;
use crate::rpc::common::call_tracker::CallTracker;
use crate::rpc::common::deadline::requested_timeout;
use crate::rpc::common::status_correction::correct_response;

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
    /// The live settings. Each request reads its time limit, because a connection may stay open for
    /// days.
    pub(super) live: Arc<CurrentSnapshot>,
}

impl RequestHandler {
    /// Handles one request.
    pub(super) fn handle(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, Infallible>> + Send + use<> {
        let closing = || Box::pin(self.closing.clone().cancelled_owned());
        let is_endless = MethodDescriptors::has_endless_response(request.uri().path());
        let (open_request, arriving) = OpenRequest::new(&self.activity, is_endless);
        let end_of_endless = is_endless.then(closing);
        // Boxed, because responses are large and rarely refusals.
        let authorized = match refuse_other_protocols(&request) {
            Some(refusal) => Err(Box::new(refusal)),
            None => self
                .authorize(&request)
                .map_err(|status| Box::new(error_response(&status))),
        };
        let mut departure = None;
        let routed = authorized.map(|caller| {
            request.extensions_mut().insert(caller);
            let max_request_time = self.live.server().max_request_time;
            let timeout = requested_timeout(request.headers())
                .map_or(max_request_time, |requested| requested.min(max_request_time));
            let scope = if self.methods.is_client_streaming(request.uri().path()) {
                TimeoutScope::EachMessage {
                    framing: MessageFraming::default(),
                    closing: closing(),
                }
            } else {
                TimeoutScope::WholeRequest
            };
            let request = request.map(|incoming| {
                let (body, of_caller) = ReceivedBody::new(incoming);
                departure = Some(of_caller);
                RequestBody::new(body, arriving, scope, timeout)
            });
            // Routes are always ready, so `poll_ready` is not needed.
            self.routes.clone().call(request)
        });
        let calls = self.calls.clone();
        async move {
            let response = match routed {
                Ok(response) => response.await?,
                Err(refusal) => *refusal,
            };
            let has_left = departure.is_some_and(|departure| departure.has_happened());
            let response = correct_response(response, has_left, &calls);
            Ok(response.map(|body| ResponseBody::new(body, open_request, end_of_endless)))
        }
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

fn error_response(status: &Status) -> Response<Body> {
    let (parts, ()) = status.clone().into_http::<()>().into_parts();
    Response::from_parts(parts, Body::empty())
}
