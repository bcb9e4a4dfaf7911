//! The observers of calls.

use std::fmt;
use std::sync::Arc;

use super::CallRecord;
use crate::domain::Prediction;

/// Receives every call on the path of the request: a method must not block or take long.
pub trait CallObserver: Send + Sync {
    /// Whether the observer needs the trace context, which is parsed from the headers only then.
    fn reads_trace_context(&self) -> bool {
        false
    }

    /// The models have answered. The response is not sent yet, and the caller may have left.
    fn answered(&self, call: &CallRecord, predictions: &[Prediction]) {
        let _ = (call, predictions);
    }

    /// The call has ended. This is called exactly once for each call.
    fn finished(&self, call: &CallRecord);
}

/// A list of observers. Clones share it.
#[derive(Clone, Default)]
pub struct CallObservers(Arc<[Arc<dyn CallObserver>]>);

impl CallObservers {
    /// A list that notifies `observers` in this order.
    #[must_use]
    pub fn new(observers: impl IntoIterator<Item = Arc<dyn CallObserver>>) -> Self {
        Self(observers.into_iter().collect())
    }
}

impl CallObserver for CallObservers {
    fn reads_trace_context(&self) -> bool {
        self.0.iter().any(|observer| observer.reads_trace_context())
    }

    fn answered(&self, call: &CallRecord, predictions: &[Prediction]) {
        self.0.iter().for_each(|observer| observer.answered(call, predictions));
    }

    fn finished(&self, call: &CallRecord) {
        self.0.iter().for_each(|observer| observer.finished(call));
    }
}

impl fmt::Debug for CallObservers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CallObservers({})", self.0.len())
    }
}
