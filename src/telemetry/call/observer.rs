//! Who is told of calls.

use std::fmt;
use std::sync::Arc;

use super::CallRecord;
use crate::domain::Prediction;

/// Is told of every call, on its path: nothing here may wait or take long.
pub trait Observer: Send + Sync {
    /// The models have answered; the caller has not been answered yet, and may have left.
    fn answered(&self, call: &CallRecord, predictions: &[Prediction]) {
        let _ = (call, predictions);
    }

    /// The call has ended: each one does once.
    fn finished(&self, call: &CallRecord);
}

/// All who are told. Clones share them.
#[derive(Clone, Default)]
pub struct Observers(Arc<[Arc<dyn Observer>]>);

impl Observers {
    /// Tells each of `observers`, in that order.
    #[must_use]
    pub fn new(observers: impl IntoIterator<Item = Arc<dyn Observer>>) -> Self {
        Self(observers.into_iter().collect())
    }
}

impl Observer for Observers {
    fn answered(&self, call: &CallRecord, predictions: &[Prediction]) {
        self.0.iter().for_each(|observer| observer.answered(call, predictions));
    }

    fn finished(&self, call: &CallRecord) {
        self.0.iter().for_each(|observer| observer.finished(call));
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Observers({})", self.0.len())
    }
}
