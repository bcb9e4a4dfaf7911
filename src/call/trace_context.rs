//! The W3C trace context of a request.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The longest `tracestate` that is kept, in bytes. The W3C recommendation requires at least 512
/// and permits to drop the rest.
const MAX_TRACE_STATE_BYTES: usize = 512;

/// The trace that the caller's headers name, if any.
#[derive(Debug, Clone, Default)]
pub struct TraceContext(Option<Context>);

impl TraceContext {
    /// Parses the headers `traceparent` and `tracestate`. An invalid header counts as none: the
    /// request then starts a trace of its own, as the W3C recommendation requires.
    #[must_use]
    pub fn parse(parent: Option<&str>, state: Option<&str>) -> Self {
        let Some(parent) = parent else {
            return Self::default();
        };
        let state = state.filter(|state| state.len() <= MAX_TRACE_STATE_BYTES);
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers { parent, state });
        Self(context.has_active_span().then_some(context))
    }

    /// The parent of the request's span; `None` if the request starts a trace.
    #[must_use]
    pub fn parent(&self) -> Option<&Context> {
        self.0.as_ref()
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

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn parse(parent: &str, state: &str) -> Option<(String, String)> {
        let context = TraceContext::parse(Some(parent), Some(state)).0?;
        let span = context.span().span_context().clone();
        Some((span.trace_id().to_string(), span.trace_state().header()))
    }

    #[test]
    fn an_invalid_context_starts_a_trace() {
        let id = "0af7651916cd43dd8448eb211c80319c".to_owned();
        assert_eq!(parse(PARENT, "a=b,c=d"), Some((id.clone(), "a=b,c=d".to_owned())));
        assert_eq!(
            parse(PARENT, &format!("a={}", "x".repeat(512))),
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
            assert_eq!(parse(wrong, ""), None, "{wrong}");
        }
        assert!(TraceContext::parse(None, Some("a=b")).0.is_none());
    }
}
