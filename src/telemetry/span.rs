//! The spans of one request, made when it is over.
//!
//! Afterwards, because all that they tell is known then: a request that is not traced costs a draw of the sampler, and one
//! that is pays when its answer is there. The attributes are the OpenTelemetry conventions of RPC, and our own.

use std::time::{Instant, SystemTime};

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::Span;

use super::traces::Tracer;
use crate::domain::{Role, Stage, Timings};

/// Bytes of a caller's `tracestate` that are kept. The W3C asks for 512 at least, and allows to drop the rest.
const LONGEST_TRACE_STATE: usize = 512;

/// The trace that a request belongs to by its caller's word, if any.
#[derive(Debug, Clone, Default)]
pub struct TraceContext(Option<Context>);

/// What the spans of one request tell. Counts and names: never what was sent.
#[derive(Debug, Clone)]
pub struct RequestSpan<'a> {
    /// Service and method: `certimix.v1.MixedClassifier/Predict`.
    pub name: &'static str,
    /// When it came.
    pub received: Instant,
    /// When its answer was ready.
    pub answered: Instant,
    /// The status code of gRPC.
    pub code: i32,
    /// The outcome, by a name of ours.
    pub outcome: &'static str,
    /// Names the request.
    pub request_id: &'a str,
    /// Names the configuration that answered, if any did.
    pub config_revision: Option<&'a str>,
    /// Inputs of the request.
    pub inputs: usize,
    /// Answers with a certificate, if there are answers.
    pub certified: Option<usize>,
    /// Where the time went.
    pub timings: &'a Timings,
}

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
    /// Makes the spans of a request that is over, one for it and one for each stage that it came to, if it is traced. Returns
    /// the trace's id then.
    pub fn record(&self, context: &TraceContext, request: &RequestSpan) -> Option<String> {
        let none = Context::new();
        let builder = SpanBuilder::from_name(request.name).with_kind(SpanKind::Server);
        let parent = context.0.as_ref().unwrap_or(&none);
        // Its true start, or the SDK would ask the clock of every request that is not traced.
        let clock = Clock::now();
        let mut span = self
            .sdk
            .build_with_context(builder.with_start_time(clock.wall(request.received)), parent);
        if !span.is_recording() {
            return None;
        }
        span.set_attributes(attributes(request));
        if is_server_error(request.code) {
            span.set_status(Status::error(request.outcome));
        }
        let trace_id = span.span_context().trace_id().to_string();
        let inside = Context::new().with_remote_span_context(span.span_context().clone());
        let timings = request.timings;
        for (name, stage) in [
            ("queue", timings.queue()),
            ("standard", timings.run(Role::Standard)),
            ("robust", timings.run(Role::Robust)),
            ("mixing", timings.mixing),
        ] {
            if let Some(stage) = stage {
                self.stage(name, stage, clock, &inside);
            }
        }
        span.end_with_timestamp(clock.wall(request.answered));
        Some(trace_id)
    }

    fn stage(&self, name: &'static str, stage: Stage, clock: Clock, inside: &Context) {
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Internal);
        let mut span: Span = self
            .sdk
            .build_with_context(builder.with_start_time(clock.wall(stage.start)), inside);
        span.end_with_timestamp(clock.wall(stage.start + stage.took));
    }
}

fn attributes(request: &RequestSpan) -> Vec<KeyValue> {
    let (service, method) = request.name.split_once('/').unwrap_or(("", request.name));
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let mut attributes = vec![
        KeyValue::new("rpc.system", "grpc"),
        KeyValue::new("rpc.service", service),
        KeyValue::new("rpc.method", method),
        KeyValue::new("rpc.grpc.status_code", i64::from(request.code)),
        KeyValue::new("certimix.outcome", request.outcome),
        KeyValue::new("certimix.request_id", request.request_id.to_owned()),
        KeyValue::new("certimix.inputs", count(request.inputs)),
    ];
    attributes.extend(
        request
            .config_revision
            .map(|revision| KeyValue::new("certimix.config_revision", revision.to_owned())),
    );
    attributes.extend(
        request
            .certified
            .map(|certified| KeyValue::new("certimix.certified", count(certified))),
    );
    attributes
}

/// Whether a code is the server's failure, by the conventions of RPC: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL,
/// UNAVAILABLE and DATA_LOSS. The others are the caller's.
fn is_server_error(code: i32) -> bool {
    matches!(code, 2 | 4 | 12 | 13 | 14 | 15)
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
