//! Every attack at the size of the reports.

use std::sync::Arc;
use std::time::Duration;

use super::aborted_connections::AbortedConnections;
use super::attack::Attack;
use super::frame_floods::{EmptyMessages, FloodFrame, FrameFlood};
use super::incomplete_messages::{HalfSentMessages, PrefixWaves};
use super::short_lived_requests::{RapidResets, ShortDeadlines};
use super::silent_sockets::{Port, SilentSockets};
use super::unbounded_work::{HugeBudgets, ImpossibleDeadlines};
use super::unread_answers::{HealthWatches, SlowReaders};

/// The encoded requests that depend on the models under attack.
#[derive(Debug, Clone)]
pub struct AttackMessages {
    /// A Predict of one input.
    pub predict: Vec<u8>,
    /// A Predict of 64 inputs.
    pub large_predict: Vec<u8>,
    /// The deadline of the large Predict: just too short for it.
    pub large_predict_deadline: Duration,
    /// A Certify with the largest vote budget that the operator permits.
    pub certify: Vec<u8>,
}

/// Every attack, in the order of the reports.
pub fn all_attacks(messages: &AttackMessages) -> Vec<Arc<dyn Attack>> {
    let mut all = wire_attacks(&messages.predict);
    all.extend(work_attacks(messages));
    all
}

/// The attacks that ask for more work than the server has time for.
pub fn work_attacks(messages: &AttackMessages) -> Vec<Arc<dyn Attack>> {
    vec![
        Arc::new(ImpossibleDeadlines {
            message: messages.large_predict.clone(),
            callers: 2,
            deadline: messages.large_predict_deadline,
        }),
        Arc::new(HugeBudgets {
            message: messages.certify.clone(),
            callers: 8,
        }),
    ]
}

/// The attacks on connections, memory and the thread of the wire. `predict` is a Predict of one
/// input.
pub fn wire_attacks(predict: &[u8]) -> Vec<Arc<dyn Attack>> {
    let second = Duration::from_secs(1);
    vec![
        Arc::new(PrefixWaves {
            connections: 4,
            prefixes: 1000,
            pause: second,
        }),
        Arc::new(HalfSentMessages {
            requests: 64,
            bytes: 1 << 20,
            hold: 5 * second,
        }),
        Arc::new(SilentSockets {
            sockets: 600,
            port: Port::Grpc,
            pause: second / 10,
        }),
        Arc::new(SilentSockets {
            sockets: 600,
            port: Port::GrpcWithPreface,
            pause: second / 10,
        }),
        Arc::new(SilentSockets {
            sockets: 300,
            port: Port::Metrics,
            pause: second / 10,
        }),
        Arc::new(EmptyMessages { streams: 1 }),
        Arc::new(FrameFlood(FloodFrame::Settings)),
        Arc::new(FrameFlood(FloodFrame::Ping)),
        Arc::new(FrameFlood(FloodFrame::EmptyData)),
        Arc::new(RapidResets {
            burst: 100,
            pause: second / 100,
        }),
        Arc::new(ShortDeadlines {
            message: predict.to_vec(),
            deadline: second / 1000,
            pause: second / 200,
        }),
        Arc::new(AbortedConnections {
            message: predict.to_vec(),
            connections: 8,
            requests: 4,
            life: second / 10,
        }),
        Arc::new(HealthWatches {
            watches: 1000,
            hold: 5 * second,
        }),
        Arc::new(SlowReaders {
            connections: 8,
            requests: 500,
            hold: 5 * second,
            reflection: false,
        }),
        Arc::new(SlowReaders {
            connections: 8,
            requests: 1000,
            hold: 5 * second,
            reflection: true,
        }),
    ]
}
