//! Bounds the number of open streams that no model works for: health watches and reflection.
//!
//! Such a stream stays open at no cost to its caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Most open streams of one connection. A client needs one watch and one reflection stream.
pub(super) const MAX_AUXILIARY_STREAMS: usize = 16;

/// Most open streams of all connections together.
pub(super) const MAX_ALL_AUXILIARY_STREAMS: usize = 1024;

/// The open streams of all connections.
pub(super) type AllStreams = AtomicUsize;

/// The open streams of one connection.
pub(super) struct ConnectionStreams {
    own: Arc<AtomicUsize>,
    all: Arc<AllStreams>,
}

impl ConnectionStreams {
    /// A connection without streams.
    pub(super) fn new(all: &Arc<AllStreams>) -> Self {
        Self {
            own: Arc::default(),
            all: Arc::clone(all),
        }
    }

    /// Opens a stream. `None` if too many are open.
    pub(super) fn open(&self) -> Option<OpenStream> {
        let own = CountedStream::count(&self.own, MAX_AUXILIARY_STREAMS)?;
        let all = CountedStream::count(&self.all, MAX_ALL_AUXILIARY_STREAMS)?;
        Some(OpenStream { _counts: [own, all] })
    }
}

/// One open stream. A drop ends it.
pub(super) struct OpenStream {
    _counts: [CountedStream; 2],
}

struct CountedStream(Arc<AtomicUsize>);

impl CountedStream {
    fn count(open: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let counted = Self(Arc::clone(open));
        // A refused stream is counted for a moment, and may refuse another one.
        (open.fetch_add(1, Relaxed) < most).then_some(counted)
    }
}

impl Drop for CountedStream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_and_all_connections_have_a_limit() {
        let all = Arc::default();
        let connections: Vec<_> = (0..100).map(|_| ConnectionStreams::new(&all)).collect();
        let open: Vec<_> = (0..MAX_AUXILIARY_STREAMS)
            .map(|_| connections[0].open().unwrap())
            .collect();
        assert!(connections[0].open().is_none());
        let others: Vec<_> = connections[1..]
            .iter()
            .flat_map(|connection| std::iter::from_fn(|| connection.open()))
            .collect();
        assert_eq!(open.len() + others.len(), MAX_ALL_AUXILIARY_STREAMS);
        drop((open, others));
        assert_eq!(all.load(Relaxed), 0);
        assert!(connections[0].open().is_some());
    }
}
