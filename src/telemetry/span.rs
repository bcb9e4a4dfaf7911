//! The spans of one request, made when it is over.
//!
//! Afterwards, because all that they tell is known then: a request that is not traced costs a draw of the sampler, and one
//! that is pays when its answer is there. The attributes are the OpenTelemetry conventions of RPC, and our own.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use super::call::{CallRecord, Code, Outcome};
use super::traces::Tracer;
use crate::domain::{RequestStage, Role};

/// Bytes of a caller's `tracestate` that are kept. The W3C asks for 512 at least, and allows to drop the rest.
const LONGEST_TRACE_STATE: usize = 512;

/// The trace that a request belongs to by its caller's word, if any.
#[derive(Debug, Clone, Default)]
pub struct TraceContext(Option<Context>);

impl TraceContext {
    /// Reads the headers `traceparent` and `tracestate`. One that is not as the W3C has it counts as none: the request then begins a
    /// trace of its own, which is no error.
    #[must_use]
    pub fn read(parent: Option<&str>, state: Option<&str>) -> Self {
        let Some(parent) = parent else {
            return Self::default();
        };
        let state = state.filter(|state| state.len() <= LONGEST_TRACE_STATE);
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers { parent, state });
        Self(context.has_active_span().then_some(context))
    }
}

struct Headers<'a> {
    parent: &'a str,
    state: Option<&'a str>,
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => Some(self.parent),
            "tracestate" => self.state,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

impl Tracer {
    /// Makes the spans of a call that is over, one for it and one for each stage that it came to, if it is traced. Returns the
    /// trace's id then.
    pub(super) fn record(&self, call: &CallRecord) -> Option<String> {
        let none = Context::new();
        let builder = SpanBuilder::from_name(call.rpc.full_name()).with_kind(SpanKind::Server);
        let parent = call.trace.0.as_ref().unwrap_or(&none);
        // Its true start, or the SDK would ask the clock of every request that is not traced.
        let clock = Clock::now();
        let builder = builder.with_start_time(clock.wall(call.begun));
        let mut span = self.sdk.build_with_context(builder, parent);
        if !span.is_recording() {
            return None;
        }
        span.set_attributes(attributes(call));
        if is_server_error(call.code) {
            span.set_status(Status::error(call.outcome().name()));
        }
        let trace_id = span.span_context().trace_id().to_string();
        let inside = Context::new().with_remote_span_context(span.span_context().clone());
        for (name, stage) in [
            ("queue", call.timings.queue()),
            ("standard", call.timings.run(Role::Standard)),
            ("robust", call.timings.run(Role::Robust)),
            ("mixing", call.timings.mixing),
        ] {
            if let Some(stage) = stage {
                self.stage(name, stage, clock, &inside);
            }
        }
        span.end_with_timestamp(clock.wall(call.begun + call.total));
        Some(trace_id)
    }

    fn stage(&self, name: &'static str, stage: RequestStage, clock: Clock, inside: &Context) {
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Internal);
        let builder = builder.with_start_time(clock.wall(stage.start));
        let mut span = self.sdk.build_with_context(builder, inside);
        span.end_with_timestamp(clock.wall(stage.start + stage.took));
    }
}

/// Counts and names: never what was sent.
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
    attributes.extend(call.alpha.map(|alpha| KeyValue::new("certimix.alpha", alpha)));
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

/// Whether a code is the server's failure, by the conventions of RPC: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL,
/// UNAVAILABLE and DATA_LOSS. The others are the caller's.
fn is_server_error(code: Code) -> bool {
    matches!(code.number(), 2 | 4 | 12 | 13 | 14 | 15)
}

/// The same moment on both clocks. Requests are timed by the one that never jumps; spans bear the time of day.
#[derive(Clone, Copy)]
struct Clock {
    steady: Instant,
    wall: SystemTime,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "spans bear the time of day, and nothing is decided by it"
    )]
    fn now() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    fn wall(self, moment: Instant) -> SystemTime {
        self.wall - self.steady.saturating_duration_since(moment)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(parent: &str, state: &str) -> Option<(String, String)> {
        let context = TraceContext::read(Some(parent), Some(state)).0?;
        let span = context.span().span_context().clone();
        Some((span.trace_id().to_string(), span.trace_state().header()))
    }

    #[test]
    fn a_context_that_is_none_begins_a_trace() {
        let id = "0af7651916cd43dd8448eb211c80319c".to_owned();
        assert_eq!(read(PARENT, "a=b,c=d"), Some((id.clone(), "a=b,c=d".to_owned())));
        assert_eq!(
            read(PARENT, &format!("a={}", "x".repeat(512))),
            Some((id, String::new()))
        );
        for wrong in [
            "",
            "nonsense",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        ] {
            assert_eq!(read(wrong, ""), None, "{wrong}");
        }
        assert!(TraceContext::read(None, Some("a=b")).0.is_none());
    }

    #[test]
    fn moments_keep_their_order_and_distance() {
        let clock = Clock::now();
        let before = clock.steady.checked_sub(Duration::from_millis(5)).unwrap();
        let wall = clock.wall.duration_since(clock.wall(before)).unwrap();
        assert_eq!(wall, Duration::from_millis(5));
    }
}
