//! Requests for more work than the server has time for.

use std::io;
use std::time::Duration;

use super::attack::{Attack, Session};
use super::connection::AttackConnection;
use super::target::Target;

const PREDICT: &str = "/certimix.v1.MixedClassifier/Predict";
const CERTIFY: &str = "/certimix.v1.MixedClassifier/Certify";
/// The pause after an answer, so that a refusal at once does not become a flood.
const PAUSE: Duration = Duration::from_millis(5);

/// Callers that send large requests with deadlines which the server can hardly meet, one after the
/// other.
pub struct ImpossibleDeadlines {
    /// A Predict of 64 inputs.
    pub message: Vec<u8>,
    pub callers: usize,
    pub deadline: Duration,
}

impl Attack for ImpossibleDeadlines {
    fn name(&self) -> &'static str {
        "impossible deadlines"
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        let timeout = format!("{}u", self.deadline.as_micros());
        keep_busy(
            target,
            session,
            self.callers,
            PREDICT,
            &[("grpc-timeout", &timeout)],
            &self.message,
        )
    }
}

/// Callers of Certify with the largest vote budget, one request after the other.
pub struct HugeBudgets {
    /// A Certify with a huge vote budget.
    pub message: Vec<u8>,
    pub callers: usize,
}

impl Attack for HugeBudgets {
    fn name(&self) -> &'static str {
        "huge vote budgets"
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        keep_busy(target, session, self.callers, CERTIFY, &[], &self.message)
    }
}

/// Keeps `callers` requests open, each on a connection of its own.
fn keep_busy(
    target: &Target,
    session: &Session,
    callers: usize,
    path: &str,
    headers: &[(&str, &str)],
    message: &[u8],
) -> io::Result<()> {
    let mut open = Vec::new();
    for _ in 0..callers {
        let mut connection = AttackConnection::open(target, session)?;
        let stream = connection.send_request(path, headers, message, session)?;
        session.count_sent(1);
        open.push((connection, stream));
    }
    while !session.is_stopped() {
        for (connection, stream) in &mut open {
            if connection.has_ended(*stream) {
                *stream = connection.send_request(path, headers, message, session)?;
                session.count_sent(1);
            }
        }
        session.wait(PAUSE);
    }
    Ok(())
}
