//! Tells traces and the request log of each call.

use std::time::Instant;

use super::Tracer;
use super::call::{CallRecord, Observer};
use super::request_log::RequestLog;

/// Makes the spans of each call that is traced, and its line of the log, which then names the trace.
#[derive(Debug)]
pub struct Reports {
    tracer: Option<Tracer>,
    log: RequestLog,
}

impl Reports {
    /// Traces by `tracer`, if there is one.
    #[must_use]
    pub fn new(tracer: Option<Tracer>) -> Self {
        Self {
            tracer,
            log: RequestLog::new(Instant::now()),
        }
    }
}

impl Observer for Reports {
    fn reads_trace_context(&self) -> bool {
        self.tracer.is_some()
    }

    fn finished(&self, call: &CallRecord) {
        let trace = self.tracer.as_ref().and_then(|tracer| tracer.record(call));
        self.log.tell(call, trace.as_deref());
    }
}
