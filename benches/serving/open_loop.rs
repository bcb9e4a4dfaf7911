//! An open loop: it sends requests at scheduled times, however many are unanswered.
//!
//! Latency counts from the scheduled time, so a server that stalls cannot hide the stall by slowing
//! the load.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use prost::bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tonic::Code;
use tonic::transport::Channel;

use crate::raw_client::EncodedCall;

/// The outcome of one request. Times count from the start of the schedule.
#[derive(Debug)]
pub struct RequestOutcome {
    pub scheduled: Duration,
    pub sent: Duration,
    pub answered: Duration,
    pub code: Code,
    pub answer: Option<Bytes>,
}

impl RequestOutcome {
    /// The time from the scheduled time to the answer in milliseconds.
    pub fn latency_ms(&self) -> f64 {
        self.answered.saturating_sub(self.scheduled).as_secs_f64() * 1e3
    }

    /// The time by which the generator missed the schedule in milliseconds.
    pub fn send_delay_ms(&self) -> f64 {
        self.sent.saturating_sub(self.scheduled).as_secs_f64() * 1e3
    }
}

/// Sends `call` at each time of `schedule` and returns after the last answer. `outstanding` always
/// holds the number of unanswered requests.
pub async fn run_open_loop(
    schedule: Vec<Duration>,
    call: &EncodedCall,
    channels: &[Channel],
    deadline: Option<Duration>,
    outstanding: &AtomicUsize,
) -> anyhow::Result<Vec<RequestOutcome>> {
    let start = Instant::now();
    let mut due = spawn_timer(schedule, start)?;
    let mut outcomes = Vec::new();
    let mut requests = FuturesUnordered::new();
    let mut turn = 0;
    let mut schedule_open = true;
    while schedule_open || !requests.is_empty() {
        tokio::select! {
            // Sending comes first: a late request breaks the schedule, a late look at an answer does not.
            biased;
            next = due.recv(), if schedule_open => {
                let Some(scheduled) = next else {
                    schedule_open = false;
                    continue;
                };
                let channel = channels.get(turn % channels.len().max(1)).context("no connection")?;
                requests.push(send_request(start, scheduled, turn, call, channel.clone(), deadline));
                outstanding.fetch_add(1, Ordering::Relaxed);
                turn += 1;
            }
            Some(outcome) = requests.next(), if !requests.is_empty() => {
                outstanding.fetch_sub(1, Ordering::Relaxed);
                outcomes.push(outcome);
            }
        }
    }
    Ok(outcomes)
}

async fn send_request(
    start: Instant,
    scheduled: Duration,
    turn: usize,
    call: &EncodedCall,
    channel: Channel,
    deadline: Option<Duration>,
) -> RequestOutcome {
    let sent = start.elapsed();
    let answer = call.send(turn, channel, deadline).await;
    RequestOutcome {
        scheduled,
        sent,
        answered: start.elapsed(),
        code: answer.as_ref().map_or_else(tonic::Status::code, |_| Code::Ok),
        answer: answer.ok(),
    }
}

/// Sends each scheduled time when it comes. The timer has its own thread because tokio's timer
/// counts whole milliseconds.
fn spawn_timer(schedule: Vec<Duration>, start: Instant) -> anyhow::Result<UnboundedReceiver<Duration>> {
    let (sender, due) = unbounded_channel();
    std::thread::Builder::new().name("timer".to_owned()).spawn(move || {
        for scheduled in schedule {
            let remaining = scheduled.saturating_sub(start.elapsed());
            if !remaining.is_zero() {
                std::thread::sleep(remaining);
            }
            if sender.send(scheduled).is_err() {
                return;
            }
        }
    })?;
    Ok(due)
}
