//! The received bytes of one message, which another thread can free.

use std::sync::{Mutex, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;

/// The received bytes of a message. Another thread can end the request and free them.
#[derive(Debug)]
pub(super) struct HalfSentBuffer {
    /// `None` once the request was pushed out.
    bytes: Mutex<Option<Vec<u8>>>,
    evicted: AtomicWaker,
}

impl HalfSentBuffer {
    pub(super) fn new() -> Self {
        Self {
            bytes: Mutex::new(Some(Vec::new())),
            evicted: AtomicWaker::new(),
        }
    }

    /// Frees the bytes and wakes the task that collects them.
    pub(super) fn evict(&self) {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(bytes);
        self.evicted.wake();
    }

    /// Applies `change` to the bytes; `None` once the request was pushed out.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut Vec<u8>) -> R) -> Option<R> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.as_mut().map(change)
    }

    /// Wakes `waker` when the bytes are freed.
    pub(super) fn wake_on_eviction(&self, waker: &Waker) {
        self.evicted.register(waker);
    }
}
