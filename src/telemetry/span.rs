//! The spans of one call, recorded when the call has ended.
//!
//! All attributes are known by then. An unsampled call costs one draw of the sampler; a sampled call
//! pays after its response is ready. The attributes follow the OpenTelemetry conventions for RPC, and
//! add our own under `certimix.`.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};

use super::traces::Tracer;
use crate::call::{CallRecord, Code, Outcome};
use crate::domain::{RequestStage, Role};

impl Tracer {
    /// Records the span of an ended call and a child span for each stage that the call reached, if
    /// the call is sampled. Returns the trace id then.
    pub(super) fn record(&self, call: &CallRecord) -> Option<String> {
        let no_parent = Context::new();
        let builder = SpanBuilder::from_name(call.rpc.full_name()).with_kind(SpanKind::Server);
        let parent = call.trace.parent().unwrap_or(&no_parent);
        // Without a start time the SDK would read the clock for every unsampled call.
        let clock = Clock::now();
        let builder = builder.with_start_time(clock.wall(call.begun));
        let mut span = self.sdk.build_with_context(builder, parent);
        if !span.is_recording() {
            return None;
        }
        span.set_attributes(attributes(call));
        if is_server_error(call.code) && !call.is_callers_fault {
            span.set_status(Status::error(call.outcome().name()));
        }
        let trace_id = span.span_context().trace_id().to_string();
        let context = Context::new().with_remote_span_context(span.span_context().clone());
        for (name, stage) in [
            ("queue", call.timings.queue()),
            ("standard", call.timings.run(Role::Standard)),
            ("robust", call.timings.run(Role::Robust)),
            ("mixing", call.timings.mixing),
        ] {
            if let Some(stage) = stage {
                self.record_stage(name, stage, clock, &context);
            }
        }
        span.end_with_timestamp(clock.wall(call.begun + call.total));
        Some(trace_id)
    }

    fn record_stage(&self, name: &'static str, stage: RequestStage, clock: Clock, parent: &Context) {
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Internal);
        let builder = builder.with_start_time(clock.wall(stage.start));
        let mut span = self.sdk.build_with_context(builder, parent);
        span.end_with_timestamp(clock.wall(stage.start + stage.took));
    }
}

/// The attributes of a call: counts and names, never the contents of a request.
fn attributes(call: &CallRecord) -> Vec<KeyValue> {
    let wide = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut attributes = vec![
        KeyValue::new("rpc.system", "grpc"),
        KeyValue::new("rpc.method", call.rpc.name()),
        KeyValue::new("rpc.grpc.status_code", i64::try_from(call.code.number()).unwrap_or(2)),
        KeyValue::new("certimix.outcome", call.outcome().name()),
        KeyValue::new("certimix.request_id", call.id.to_string()),
        KeyValue::new("certimix.inputs", i64::try_from(call.inputs).unwrap_or(i64::MAX)),
    ];
    let service = call.rpc.full_name().split_once('/').map(|(service, _)| service);
    attributes.extend(service.map(|service| KeyValue::new("rpc.service", service)));
    attributes.extend(
        call.message
            .map(|message| KeyValue::new("certimix.message", wide(message))),
    );
    attributes.extend(
        call.refusal
            .map(|reason| KeyValue::new("certimix.refusal", reason.name())),
    );
    if let Some(revision) = &call.revision {
        attributes.push(KeyValue::new("certimix.config_revision", Arc::clone(revision)));
    }
    for (name, weight) in [
        ("certimix.alpha", call.alpha),
        ("certimix.fallback_alpha", call.fallback_alpha),
    ] {
        attributes.extend(weight.map(|weight| KeyValue::new(name, weight)));
    }
    if call.outcome() == Outcome::Ok {
        let counts = call.certificates;
        attributes.extend([
            KeyValue::new("certimix.certified", wide(counts.certified)),
            KeyValue::new("certimix.abstained", wide(counts.abstained)),
            KeyValue::new("certimix.unavailable", wide(counts.unavailable)),
            KeyValue::new("certimix.votes", wide(call.votes)),
        ]);
    }
    attributes
}

/// Whether the OpenTelemetry conventions count a code as a server error: UNKNOWN, DEADLINE_EXCEEDED,
/// UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS. The others are errors of the caller.
fn is_server_error(code: Code) -> bool {
    matches!(code.number(), 2 | 4 | 12 | 13 | 14 | 15)
}

/// One moment on both clocks. Calls are timed by the monotonic clock; spans carry the time of day.
#[derive(Clone, Copy)]
struct Clock {
    monotonic: Instant,
    wall: SystemTime,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "spans carry the time of day; nothing is decided by it"
    )]
    fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    fn wall(self, moment: Instant) -> SystemTime {
        self.wall - self.monotonic.saturating_duration_since(moment)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_time_of_day_keeps_intervals() {
        let clock = Clock::now();
        let before = clock.monotonic.checked_sub(Duration::from_millis(5)).unwrap();
        let wall = clock.wall.duration_since(clock.wall(before)).unwrap();
        assert_eq!(wall, Duration::from_millis(5));
    }
}
