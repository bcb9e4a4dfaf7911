//! Wraps the I/O of a connection and detects conditions that HTTP/2 does not report: the arrival of
//! the preface, a peer that reads nothing, and a peer that sends too many frames. It also makes
//! authorities acceptable that HTTP/2 refuses.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};
use tokio::time::Sleep;

use super::activity::ConnectionActivity;
use super::frame_account::LimitedFrames;
use super::frame_monitor::FrameMonitor;

/// The length of the HTTP/2 preface and of an empty SETTINGS frame. Every peer sends both at once.
const PREFACE_BYTES: usize = 24 + 9;

/// I/O that records the preface, fails a write that makes no progress for `write_timeout`, and reads
/// no more frames in one poll, and of one kind, than `frames` allows.
pub(super) struct MonitoredIo<T> {
    io: Take<T>,
    frames: FrameMonitor,
    activity: Arc<ConnectionActivity>,
    /// The bytes of the preface that have not arrived.
    preface_remaining: usize,
    /// The longest time that the peer may read no byte of the written data.
    write_timeout: Duration,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> MonitoredIo<T> {
    pub(super) fn new(io: T, frames: FrameMonitor, activity: Arc<ConnectionActivity>, write_timeout: Duration) -> Self {
        Self {
            io: io.take(0),
            frames,
            activity,
            preface_remaining: PREFACE_BYTES,
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

    /// Tells the peer that it sent too many `frames`, if it takes the message at once.
    fn end(&mut self, context: &mut Context<'_>, frames: LimitedFrames) -> io::Error {
        if let Some(goaway) = self.frames.goaway(frames) {
            // The connection ends, whether the peer learns the reason or not.
            let _ = Pin::new(self.io.get_mut()).poll_write(context, &goaway);
            let _ = Pin::new(self.io.get_mut()).poll_flush(context);
        }
        io::Error::other(format!("the peer sent too many {} frames", frames.name()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for MonitoredIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.frames.must_yield() {
            // The task runs again after all tasks that are ready now.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let limit = self.frames.read_limit();
        self.io.set_limit(u64::try_from(limit).unwrap_or(u64::MAX));
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        let bytes = buffer.filled_mut().get_mut(before..).unwrap_or_default();
        if self.preface_remaining > 0 {
            self.preface_remaining = self.preface_remaining.saturating_sub(bytes.len());
            if self.preface_remaining == 0 {
                self.activity.record_preface();
            }
        }
        if let Err(frames) = self.frames.record_read(bytes, Instant::now()) {
            return Poll::Ready(Err(self.end(context, frames)));
        }
        self.activity.record_headers(self.frames.is_within_headers());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MonitoredIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(self.io.get_mut()).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = &written {
            let bytes = bytes.get(..*written).unwrap_or_default();
            self.frames.record_written(bytes, Instant::now());
        }
        self.with_timeout(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(self.io.get_mut()).poll_write_vectored(context, slices);
        if let Poll::Ready(Ok(written)) = &written {
            let (mut remaining, now) = (*written, Instant::now());
            for slice in slices {
                let bytes = slice.get(..remaining.min(slice.len())).unwrap_or_default();
                self.frames.record_written(bytes, now);
                remaining -= bytes.len();
            }
        }
        self.with_timeout(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(self.io.get_mut()).poll_flush(context);
        self.with_timeout(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(self.io.get_mut()).poll_shutdown(context);
        self.with_timeout(context, shut)
    }
}

#[cfg(test)]
mod tests;
