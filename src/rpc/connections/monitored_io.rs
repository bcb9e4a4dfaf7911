//! A connection's bytes, watched for two things that HTTP/2 does not see: the first words, and a peer that takes nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::activity::Activity;

/// Bytes of the preface and of the empty frame of settings behind it, which every peer sends at once.
const GREETING: usize = 24 + 9;

pub(super) struct WatchedIo<T> {
    io: T,
    activity: Arc<Activity>,
    /// Bytes of the greeting that have not come.
    silent: usize,
    /// How long the peer may take no byte of what is written.
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<T> WatchedIo<T> {
    pub(super) fn new(io: T, activity: Arc<Activity>, patience: Duration) -> Self {
        Self {
            io,
            activity,
            silent: GREETING,
            patience,
            stalled: None,
        }
    }

    /// Ends what has been pending for too long. Without this a connection whose keepalive has run out would wait for ever to
    /// say so.
    fn within_patience<R>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        stalled
            .as_mut()
            .poll(context)
            .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for WatchedIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if self.silent > 0 {
            self.silent = self.silent.saturating_sub(buffer.filled().len() - before);
            if self.silent == 0 {
                self.activity.greet();
            }
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WatchedIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.within_patience(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.within_patience(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.within_patience(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(context);
        self.within_patience(context, shut)
    }
}
