//! Clients that are killed with requests in flight, and come back.

use std::io;
use std::time::Duration;

use super::attack::{Attack, Session};
use super::connection::AttackConnection;
use super::raw_http2::{flag, frame, grpc_message, kind};
use super::target::Target;

const PREDICT: &str = "/certimix.v1.MixedClassifier/Predict";

/// Connections that are reset while requests are being sent and answered.
pub struct AbortedConnections {
    /// A Predict of one input.
    pub message: Vec<u8>,
    /// Connections that are open at a time.
    pub connections: usize,
    /// Requests of each.
    pub requests: usize,
    /// The time for which a connection lives.
    pub life: Duration,
}

impl Attack for AbortedConnections {
    fn name(&self) -> &'static str {
        "aborted connections"
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            let mut connection = AttackConnection::open(target, session)?;
            for _ in 0..self.requests {
                connection.send_request(PREDICT, &[], &self.message, session)?;
                session.count_sent(1);
            }
            // The last request ends in the middle of its message.
            let stream = connection.start_request(PREDICT, &[])?;
            let part = grpc_message(self.message.len(), &[0; 100]);
            connection.send(&frame(kind::DATA, flag::NONE, stream, &part))?;
            connections.push(connection);
        }
        session.wait(self.life);
        connections.into_iter().try_for_each(AttackConnection::abort)
    }
}
