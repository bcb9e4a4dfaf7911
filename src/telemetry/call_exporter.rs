//! Exports each ended call: its spans and its line of the request log.

use std::time::Instant;

use super::request_log::RequestLog;
use super::traces::Tracer;
use crate::call::{CallObserver, CallRecord};

/// Exports the spans of each sampled call and its log line, which then carries the trace id.
#[derive(Debug)]
pub struct CallExporter {
    tracer: Option<Tracer>,
    log: RequestLog,
}

impl CallExporter {
    /// An exporter that sends spans through `tracer`, if there is one.
    #[must_use]
    pub fn new(tracer: Option<Tracer>) -> Self {
        Self {
            tracer,
            log: RequestLog::new(Instant::now()),
        }
    }
}

impl CallObserver for CallExporter {
    fn reads_trace_context(&self) -> bool {
        self.tracer.is_some()
    }

    fn finished(&self, call: &CallRecord) {
        let trace = self.tracer.as_ref().and_then(|tracer| tracer.record(call));
        self.log.write(call, trace.as_deref());
    }
}
