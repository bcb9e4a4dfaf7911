//! An open loop: requests are sent when a schedule says so, however many are still unanswered, and latency counts from the
//! moment that the schedule says: a server that stalls cannot hide it by slowing the load.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use prost::bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tonic::Code;
use tonic::transport::Channel;

use crate::raw_client::Call;

/// One request; times since the schedule began.
#[derive(Debug)]
pub struct Outcome {
    pub intended: Duration,
    pub sent: Duration,
    pub answered: Duration,
    pub code: Code,
    pub answer: Option<Bytes>,
}

impl Outcome {
    /// As a caller sees it who wanted to send at the intended moment, in milliseconds.
    pub fn latency_ms(&self) -> f64 {
        self.answered.saturating_sub(self.intended).as_secs_f64() * 1e3
    }

    /// How late the generator was, in milliseconds.
    pub fn lateness_ms(&self) -> f64 {
        self.sent.saturating_sub(self.intended).as_secs_f64() * 1e3
    }
}

/// Sends `call` at each moment of `schedule`, and returns when all are answered. `waiting` always tells how many wait.
pub async fn follow(
    schedule: Vec<Duration>,
    call: &Call,
    channels: &[Channel],
    deadline: Option<Duration>,
    waiting: &AtomicUsize,
) -> anyhow::Result<Vec<Outcome>> {
    let start = Instant::now();
    let mut due = pace(schedule, start)?;
    let mut outcomes = Vec::new();
    let mut requests = FuturesUnordered::new();
    let mut turn = 0;
    let mut scheduled = true;
    while scheduled || !requests.is_empty() {
        tokio::select! {
            // Sending first: an answer is noticed a little later, a late request is not what was planned.
            biased;
            next = due.recv(), if scheduled => {
                let Some(intended) = next else {
                    scheduled = false;
                    continue;
                };
                let channel = channels.get(turn % channels.len().max(1)).context("no connection")?;
                requests.push(request(start, intended, turn, call, channel.clone(), deadline));
                waiting.fetch_add(1, Ordering::Relaxed);
                turn += 1;
            }
            Some(outcome) = requests.next(), if !requests.is_empty() => {
                waiting.fetch_sub(1, Ordering::Relaxed);
                outcomes.push(outcome);
            }
        }
    }
    Ok(outcomes)
}

async fn request(
    start: Instant,
    intended: Duration,
    turn: usize,
    call: &Call,
    channel: Channel,
    deadline: Option<Duration>,
) -> Outcome {
    let sent = start.elapsed();
    let answer = call.send(turn, channel, deadline).await;
    Outcome {
        intended,
        sent,
        answered: start.elapsed(),
        code: answer.as_ref().map_or_else(tonic::Status::code, |_| Code::Ok),
        answer: answer.ok(),
    }
}

/// Tells each moment when it comes. On a thread of its own, because tokio's timer counts whole milliseconds.
fn pace(schedule: Vec<Duration>, start: Instant) -> anyhow::Result<UnboundedReceiver<Duration>> {
    let (tell, due) = unbounded_channel();
    std::thread::Builder::new().name("pace".to_owned()).spawn(move || {
        for intended in schedule {
            let left = intended.saturating_sub(start.elapsed());
            if !left.is_zero() {
                std::thread::sleep(left);
            }
            if tell.send(intended).is_err() {
                return;
            }
        }
    })?;
    Ok(due)
}
