//! A service whose limit on messages is that of the newest settings.

use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;

use crate::live::Live;

/// Answers are small; a caller with a small limit on requests can still read them.
const SMALLEST_ANSWER_LIMIT: usize = 4 << 20;

/// A generated server, which fixes its limits when it is made: it is made for each request, a few references in all.
#[derive(Clone)]
pub(in crate::rpc) struct Limited<S> {
    inner: S,
    live: Arc<Live>,
    limit: fn(S, usize, usize) -> S,
}

impl<S> Limited<S> {
    /// `limit` sets the most bytes of a request and of an answer.
    pub(in crate::rpc) fn new(inner: S, live: Arc<Live>, limit: fn(S, usize, usize) -> S) -> Self {
        Self { inner, live, limit }
    }
}

impl<S: NamedService> NamedService for Limited<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Limited<S>
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
        let most = self.live.server().max_message_bytes;
        (self.limit)(self.inner.clone(), most, most.max(SMALLEST_ANSWER_LIMIT)).call(request)
    }
}
