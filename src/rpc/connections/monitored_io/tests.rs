use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use tokio::io::{AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::rpc::connections::counts::ConnectionCounts;
use crate::rpc::connections::frame_account::FrameAccount;
use crate::rpc::connections::frame_monitor::{FrameState, PeerFault};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0certimix";
/// DATA of one byte for stream 1.
const SMALL_DATA: &[u8] = b"\0\0\x01\0\0\0\0\0\x01x";

#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Peer {
    io: MonitoredIo<DuplexStream>,
    state: Arc<FrameState>,
    counts: Arc<ConnectionCounts>,
    activity: Arc<ConnectionActivity>,
    peer: DuplexStream,
}

impl Peer {
    /// A connection whose peer has sent `bytes`.
    async fn sending(bytes: &[u8]) -> Self {
        let (io, mut peer) = tokio::io::duplex(1 << 20);
        peer.write_all(bytes).await.unwrap();
        let (state, counts) = (Arc::<FrameState>::default(), Arc::<ConnectionCounts>::default());
        let activity = Arc::new(ConnectionActivity::new(Instant::now()));
        let account = FrameAccount::new(100, Instant::now());
        let frames = FrameMonitor::new(Arc::clone(&state), Arc::clone(&counts), account);
        let io = MonitoredIo::new(io, frames, Arc::clone(&activity), Duration::from_secs(1));
        Self {
            io,
            state,
            counts,
            activity,
            peer,
        }
    }

    /// Reads as h2 does in one poll: until nothing is ready.
    fn poll(&mut self, context: &mut Context<'_>) -> io::Result<usize> {
        self.state.budget.renew();
        let mut bytes = [0; 64 << 10];
        let mut total = 0;
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.io).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) => total += buffer.filled().len(),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(total),
            }
        }
    }
}

#[tokio::test]
async fn one_poll_reads_few_small_frames_and_asks_for_the_next() {
    let bytes = [PREFACE, &SMALL_DATA.repeat(10_000)].concat();
    let mut peer = Peer::sending(&bytes).await;
    let waker = Arc::new(CountingWaker::default());
    let task = Waker::from(Arc::clone(&waker));
    let mut context = Context::from_waker(&task);
    let mut received = 0;
    let mut polls = 0;
    while received < bytes.len() {
        let wakes = waker.0.load(Ordering::Relaxed);
        let read = peer.poll(&mut context).unwrap();
        received += read;
        polls += 1;
        // The budget of 32 frames, and those that the last read held beyond it.
        assert!(read > 0 && read <= 33 * 10 + 256 + PREFACE.len(), "{read}");
        // The runtime limits the reads of this task too.
        tokio::task::yield_now().await;
        let has_more = received < bytes.len();
        assert!(
            !has_more || waker.0.load(Ordering::Relaxed) > wakes,
            "nothing wakes the task"
        );
    }
    assert!(polls > 100);
    assert!(peer.activity.snapshot().preface_received);
}

#[tokio::test]
async fn one_poll_reads_many_bytes_of_large_frames() {
    let frame = [&b"\0\x40\0\0\0\0\0\0\x01"[..], &[0; 16 << 10]].concat();
    let bytes = [PREFACE, &frame.repeat(20)].concat();
    let mut peer = Peer::sending(&bytes).await;
    let read = peer.poll(&mut Context::from_waker(Waker::noop())).unwrap();
    assert_eq!(read, bytes.len());
}

#[tokio::test]
async fn a_flood_ends_with_goaway() {
    let mut peer = Peer::sending(&[PREFACE, &PING.repeat(1100)].concat()).await;
    let error = loop {
        match peer.poll(&mut Context::from_waker(Waker::noop())) {
            Ok(read) => assert!(read > 0, "the flood is not ended"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("too many PING"), "{error}");
    assert_eq!(peer.state.fault(), Some(PeerFault::Flood(LimitedFrames::Ping)));
    let mut received = [0; 64];
    let read = peer.peer.read(&mut received).await.unwrap();
    // GOAWAY with ENHANCE_YOUR_CALM.
    assert_eq!((received[3], received[16]), (7, 11));
    assert_eq!(&received[17..read], b"too many PING frames");
}

#[tokio::test]
async fn the_resets_of_requests_are_counted() {
    let headers = |stream: u8| [0, 0, 1, 1, 4, 0, 0, 0, stream, 0x83];
    let reset = |stream: u8| [0, 0, 4, 3, 0, 0, 0, 0, stream, 0, 0, 0, 8];
    let mut peer = Peer::sending(&[PREFACE, &headers(1), &headers(3), &reset(3)].concat()).await;
    let mut context = Context::from_waker(Waker::noop());
    while peer.poll(&mut context).unwrap() > 0 {}
    assert_eq!((peer.counts.begun_resets(), peer.counts.unbegun_resets()), (0, 1));
    peer.peer.write_all(&reset(1)).await.unwrap();
    while peer.poll(&mut context).unwrap() > 0 {}
    assert_eq!((peer.counts.begun_resets(), peer.counts.unbegun_resets()), (1, 1));
}
