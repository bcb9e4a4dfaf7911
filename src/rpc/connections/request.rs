//! What each request of a connection goes through before it reaches its handler, and after.

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

use super::activity::{Activity, Open};
use super::counts::ConnectionCounts;
use super::framing::Framing;
use super::methods::Methods;
use super::request_body::{Due, Received};
use super::response_body::Answer;
use crate::live::Live;
use crate::rpc::access::AccessControl;
use crate::rpc::common::call_tracker::Calls;
use crate::rpc::common::{deadline, status_correction as early_errors};

/// What the requests of one connection have in common.
pub(super) struct Entry {
    pub(super) routes: Routes,
    pub(super) methods: Arc<Methods>,
    pub(super) counts: Arc<ConnectionCounts>,
    pub(super) activity: Arc<Activity>,
    /// Asks for tokens; none by the Unix socket.
    pub(super) access: Option<Arc<AccessControl>>,
    /// Comes when the connection is to be closed: it ends what has no end of its own.
    pub(super) closing: CancellationToken,
    /// Whose record each request has.
    pub(super) calls: Calls,
    /// How long a request may take is asked anew for each: a connection may last for days.
    pub(super) live: Arc<Live>,
}

impl Entry {
    /// Answers one request.
    pub(super) fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> + Send + use<> {
        let open = Open::new(&self.activity);
        let ending = || Box::pin(self.closing.clone().cancelled_owned());
        let endless = Methods::is_endless(request.uri().path()).then(ending);
        let routed = self.admit(&request).map(|()| {
            let longest = self.live.server().max_request_time;
            let within = deadline::asked(request.headers()).map_or(longest, |asked| asked.min(longest));
            let due = if self.methods.is_streamed_to(request.uri().path()) {
                Due::Messages {
                    framing: Framing::default(),
                    closing: ending(),
                }
            } else {
                Due::Request
            };
            // Routes are always ready.
            self.routes
                .clone()
                .call(request.map(|body| Received::new(body, due, within)))
        });
        let calls = self.calls.clone();
        async move {
            let response = match routed {
                Ok(answer) => answer.await?,
                Err(status) => refusal(&status),
            };
            let response = early_errors::correct(response, &calls);
            Ok(response.map(|body| Answer::new(body, open, endless)))
        }
    }

    fn admit(&self, request: &Request<Incoming>) -> Result<(), Box<Status>> {
        let Some(access) = &self.access else {
            return Ok(());
        };
        access
            .authorize(request.uri().path(), request.headers())
            .map_err(|status| {
                self.counts.unauthenticated.fetch_add(1, Relaxed);
                Box::new(status)
            })
    }
}

fn refusal(status: &Status) -> Response<Body> {
    let (parts, ()) = status.clone().into_http::<()>().into_parts();
    Response::from_parts(parts, Body::empty())
}
