//! The body of a request stream.
//!
//! A task reads the stream into a queue of complete messages, so that no bytes of a handler that is
//! busy lie in the buffers of h2, where they could hold much more memory than their number. The
//! task stops to read while the queue is full. What then lies in h2's buffers is counted too.

use std::collections::VecDeque;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame};
use tokio::task::AbortHandle;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;

use super::compressed_message::Unpacking;
use super::memory_bounds::{BLOCKED_STREAM_BYTES, QUEUED_MESSAGE_BYTES, READ_AHEAD_BYTES};
use super::message_collector::{MessageCollector, TakenMessage};
use super::request_arrival::{BodyError, RequestArrival};
use crate::rpc::common::status;
use crate::rpc::memory::{HeldMemory, LastMessageMemory};

/// The frames that a stream reads before other tasks run. A frame has at most 16 KiB.
const FRAMES_PER_TURN: usize = 16;

/// The body of a request stream. It ends when its connection is to close.
pub(super) struct RequestStream {
    queue: Arc<MessageQueue>,
    /// The memory of the message that the handler received last.
    last_message: LastMessageMemory,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The end of a stream that no model works for, and the time that it may take.
    time: Option<(Pin<Box<Sleep>>, Duration)>,
    reader: AbortHandle,
}

/// The messages that have arrived and that the handler has not received.
#[derive(Default)]
struct MessageQueue {
    state: Mutex<QueueState>,
    arrived: AtomicWaker,
    taken: AtomicWaker,
}

#[derive(Default)]
struct QueueState {
    messages: VecDeque<(Bytes, HeldMemory)>,
    bytes: usize,
    /// The end of the stream, after the messages.
    end: Option<Result<(), BodyError>>,
}

impl RequestStream {
    /// Begins to read the stream, which may take `time`. `held` is the memory of the stream itself.
    pub(super) fn new(
        arrival: RequestArrival,
        collector: MessageCollector,
        held: &HeldMemory,
        last_message: LastMessageMemory,
        closing: Pin<Box<WaitForCancellationFutureOwned>>,
        time: Option<Duration>,
    ) -> Self {
        let queue = Arc::<MessageQueue>::default();
        let mut reader = StreamReader {
            arrival,
            collector,
            received: Bytes::new(),
            unpacking: None,
            stream_memory: held.sibling(),
            blocked: None,
            queue: Arc::clone(&queue),
        };
        let reader = tokio::spawn(std::future::poll_fn(move |context| reader.poll_read(context)));
        Self {
            queue,
            last_message,
            closing,
            time: time.map(|time| (Box::pin(tokio::time::sleep(time)), time)),
            reader: reader.abort_handle(),
        }
    }
}

impl Body for RequestStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.closing.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(status::connection_closing().into())));
        }
        if let Some((end, time)) = &mut self.time
            && end.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(status::stream_time_exceeded(*time).into())));
        }
        self.queue.arrived.register(context.waker());
        let mut state = self.queue.lock();
        if let Some((message, memory)) = state.messages.pop_front() {
            state.bytes -= message.len() + QUEUED_MESSAGE_BYTES;
            drop(state);
            self.queue.taken.wake();
            self.last_message.replace(memory);
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        match state.end.take() {
            None => Poll::Pending,
            Some(end) => {
                state.end = Some(Ok(()));
                Poll::Ready(end.err().map(Err))
            }
        }
    }
}

impl Drop for RequestStream {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl MessageQueue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a step of reading has done.
enum Step {
    /// Bytes were read.
    Read,
    /// A compressed message was unpacked. Other tasks run next.
    Unpacked,
    /// The stream has ended.
    End,
}

/// Reads a stream into its queue.
struct StreamReader {
    arrival: RequestArrival,
    collector: MessageCollector,
    /// Bytes that have arrived and that the collector has not taken.
    received: Bytes,
    /// The next message, if it is compressed, and its memory.
    unpacking: Option<(Unpacking, HeldMemory)>,
    /// A request of the same payer, from which the memory of each message is made.
    stream_memory: HeldMemory,
    /// The memory of what h2 holds while the queue is full.
    blocked: Option<HeldMemory>,
    queue: Arc<MessageQueue>,
}

impl StreamReader {
    /// Reads until the stream ends.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.queue.taken.register(context.waker());
        for _ in 0..FRAMES_PER_TURN {
            let end = match self.poll_step(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Step::Read)) => continue,
                Poll::Ready(Ok(Step::Unpacked)) => break,
                Poll::Ready(Ok(Step::End)) => Ok(()),
                Poll::Ready(Err(error)) => Err(error),
            };
            self.queue.lock().end = Some(end);
            self.queue.arrived.wake();
            return Poll::Ready(());
        }
        // Other tasks run before the next bytes.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads the next bytes if the queue has room.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Result<Step, BodyError>> {
        if let Some((unpacking, _)) = &mut self.unpacking {
            let message = ready!(unpacking.as_mut().poll(context))?;
            if let Some((_, memory)) = self.unpacking.take() {
                self.push(message, memory);
            }
            return Poll::Ready(Ok(Step::Unpacked));
        }
        let is_full = self.queue.lock().bytes >= READ_AHEAD_BYTES;
        if is_full {
            if self.blocked.is_none() {
                let blocked = self.stream_memory.sibling();
                blocked
                    .grow(BLOCKED_STREAM_BYTES)
                    .map_err(status::request_memory_refused)?;
                self.blocked = Some(blocked);
            }
            return Poll::Pending;
        }
        self.blocked = None;
        if self.received.is_empty() {
            let is_timed = self.collector.is_within_message();
            let Some(data) = ready!(self.arrival.poll_data(context, is_timed, self.collector.half_sent())) else {
                return Poll::Ready(match is_timed {
                    true => Err(status::message_incomplete().into()),
                    false => Ok(Step::End),
                });
            };
            self.received = data?;
        }
        self.collect().map_err(Into::into).into()
    }

    /// Collects the messages of the received bytes, up to the first one that is compressed.
    fn collect(&mut self) -> Result<Step, Status> {
        while !self.received.is_empty() && self.collector.collect(&mut self.received, true)? {
            let memory = self.stream_memory.sibling();
            match self.collector.take(&memory)? {
                TakenMessage::Plain(message) => self.push(message, memory),
                // A few received bytes can be many messages, so each one ends a turn.
                TakenMessage::Compressed(compressed) if compressed.is_short() => {
                    let message = compressed.unpack(|| false)?;
                    self.push(message, memory);
                    return Ok(Step::Unpacked);
                }
                TakenMessage::Compressed(compressed) => {
                    self.unpacking = Some((compressed.unpack_in_turn(), memory));
                    return Ok(Step::Read);
                }
            }
        }
        Ok(Step::Read)
    }

    /// Passes a message on to the handler.
    fn push(&mut self, message: Bytes, memory: HeldMemory) {
        self.arrival.restart_timer();
        let mut state = self.queue.lock();
        state.bytes += message.len() + QUEUED_MESSAGE_BYTES;
        state.messages.push_back((message, memory));
        drop(state);
        self.queue.arrived.wake();
    }
}
