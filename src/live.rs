//! The state that requests read: prepared off to the side, then swapped in at once.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use thiserror::Error;

use crate::classifier::MixedClassifier;

/// What is live. Each request loads it exactly once.
#[derive(Default)]
pub struct Live {
    classifier: ArcSwapOption<MixedClassifier>,
}

/// Nothing is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the models are not loaded yet, or the server is stopping")]
pub struct NotLive;

impl Live {
    /// The one snapshot of a request.
    ///
    /// # Errors
    /// If nothing is live: before the models have warmed up.
    pub fn load(&self) -> Result<Arc<MixedClassifier>, NotLive> {
        self.classifier.load_full().ok_or(NotLive)
    }

    /// Swaps `classifier` in. Requests in flight keep the one that they loaded.
    pub fn swap(&self, classifier: MixedClassifier) {
        self.classifier.store(Some(Arc::new(classifier)));
    }

    /// Takes the classifier out; the last request that reads it ends it.
    #[must_use]
    pub fn take(&self) -> Option<Arc<MixedClassifier>> {
        self.classifier.swap(None)
    }
}
