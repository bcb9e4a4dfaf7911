//! Applies the message size limit of the live settings to a generated server.

use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;

use crate::live::CurrentSnapshot;

/// A service with the message size limit of the live settings.
///
/// A generated server fixes its limits when it is built. This service therefore builds one for each
/// request, which copies a few references.
#[derive(Clone)]
pub(in crate::rpc) struct MessageSizeLimit<S> {
    inner: S,
    live: Arc<CurrentSnapshot>,
    set_limits: fn(S, usize, usize) -> S,
}

impl<S> MessageSizeLimit<S> {
    /// `set_limits` sets the largest request and the largest response, in bytes.
    pub(in crate::rpc) fn new(inner: S, live: Arc<CurrentSnapshot>, set_limits: fn(S, usize, usize) -> S) -> Self {
        Self {
            inner,
            live,
            set_limits,
        }
    }
}

impl<S: NamedService> NamedService for MessageSizeLimit<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for MessageSizeLimit<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        let limits = self.live.server().message_limits();
        (self.set_limits)(self.inner.clone(), limits.request, limits.response).call(request)
    }
}
