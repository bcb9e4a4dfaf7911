//! The state that the handlers of every protocol share.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{BoxFuture, Shared};
use tonic::{Request, Status};

use super::call_tracker::{CallTracker, TrackedCall};
use super::{deadline, status};
use crate::live::{CurrentSnapshot, Snapshot};

/// Completes when the server shuts down. Each listener and each request stream awaits it.
pub(in crate::rpc) type ShutdownSignal = Shared<BoxFuture<'static, ()>>;

/// The shared state of the handlers. Clones refer to the same state.
#[derive(Clone)]
pub(in crate::rpc) struct HandlerContext {
    pub(in crate::rpc) live: Arc<CurrentSnapshot>,
    pub(in crate::rpc) calls: CallTracker,
    pub(in crate::rpc) shutdown: ShutdownSignal,
}

impl HandlerContext {
    /// The live snapshot. A request uses one snapshot from its first check to its response.
    ///
    /// # Errors
    /// UNAVAILABLE while no models are live.
    pub(in crate::rpc) fn snapshot(&self) -> Result<Arc<Snapshot>, Status> {
        self.live.load().map_err(status::not_live)
    }

    /// The live snapshot, and the time by which `request` must be answered.
    ///
    /// # Errors
    /// UNAVAILABLE while no models are live; INVALID_ARGUMENT if the timeout header is malformed.
    pub(in crate::rpc) fn snapshot_and_deadline<T>(
        &self,
        request: &Request<T>,
        call: &TrackedCall,
    ) -> Result<(Arc<Snapshot>, Instant), Status> {
        let snapshot = self.snapshot()?;
        let max_request_time = snapshot.server.max_request_time;
        let deadline = deadline::request_deadline(request.metadata(), call.received_at(), max_request_time)
            .map_err(|violations| status::invalid_argument(&violations))?;
        Ok((snapshot, deadline))
    }
}
