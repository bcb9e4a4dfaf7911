//! Wraps the I/O of a connection and detects two conditions that HTTP/2 does not report: the
//! arrival of the preface, and a peer that reads nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::activity::ConnectionActivity;
use super::header_block::HeaderBlock;

/// The length of the HTTP/2 preface and of an empty SETTINGS frame. Every peer sends both at once.
const PREFACE_BYTES: usize = 24 + 9;

/// I/O that records the preface, and fails a write that makes no progress for `write_timeout`.
pub(super) struct MonitoredIo<T> {
    io: T,
    activity: Arc<ConnectionActivity>,
    /// The bytes of the preface that have not arrived.
    preface_remaining: usize,
    headers: HeaderBlock,
    /// The longest time that the peer may read no byte of the written data.
    write_timeout: Duration,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl<T> MonitoredIo<T> {
    pub(super) fn new(io: T, activity: Arc<ConnectionActivity>, write_timeout: Duration) -> Self {
        Self {
            io,
            activity,
            preface_remaining: PREFACE_BYTES,
            headers: HeaderBlock::new(),
            write_timeout,
            write_timer: None,
        }
    }

    /// Fails a write that has been pending for longer than `write_timeout`.
    ///
    /// Without this check, a connection whose keepalive has timed out would wait forever to write
    /// its last frame.
    fn with_timeout<R>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.write_timer = None;
            return written;
        }
        let write_timeout = self.write_timeout;
        let timer = self
            .write_timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(write_timeout)));
        timer
            .as_mut()
            .poll(context)
            .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the peer reads nothing")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for MonitoredIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if self.preface_remaining > 0 {
            self.preface_remaining = self.preface_remaining.saturating_sub(buffer.filled().len() - before);
            if self.preface_remaining == 0 {
                self.activity.record_preface();
            }
        }
        self.headers.advance(buffer.filled().get(before..).unwrap_or_default());
        self.activity.record_headers(self.headers.is_open());
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for MonitoredIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.with_timeout(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.with_timeout(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.with_timeout(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(context);
        self.with_timeout(context, shut)
    }
}
