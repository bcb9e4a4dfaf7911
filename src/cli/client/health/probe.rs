//! One call of `grpc.health.v1.Health/Check`, within a deadline.

use std::error::Error as _;
use std::time::Duration;

use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::cli::client::connection::{ServerEndpoint, error_messages};

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Health {
    /// The service has this status.
    Status(ServingStatus),
    /// The server refused the check, for this reason.
    Refused(String),
    /// There was no connection, or no answer within the deadline, for this reason.
    Unreachable(String),
}

impl Health {
    /// The exit code of the command.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Status(ServingStatus::Serving) => 0,
            Self::Status(_) | Self::Refused(_) => 1,
            Self::Unreachable(_) => 2,
        }
    }
}

/// Connects and asks for the health of `service`, all within `deadline`.
pub(super) async fn check(endpoint: &ServerEndpoint, service: &str, deadline: Duration) -> Health {
    match tokio::time::timeout(deadline, connect_and_check(endpoint, service, deadline)).await {
        Ok(health) => health,
        Err(_) => Health::Unreachable(format!(
            "no answer from the server at {} within {}",
            endpoint.address,
            humantime::format_duration(deadline)
        )),
    }
}

async fn connect_and_check(endpoint: &ServerEndpoint, service: &str, deadline: Duration) -> Health {
    let channel = match endpoint.connect(deadline).await {
        Ok(channel) => channel,
        Err(error) => {
            return Health::Unreachable(error_messages::unreachable_in_one_line(&endpoint.address, &error));
        }
    };
    let mut request = Request::new(HealthCheckRequest {
        service: service.to_owned(),
    });
    // The server needs no token for a check. A proxy before it may.
    if let Some(token) = &endpoint.authorization {
        request.metadata_mut().insert("authorization", token.clone());
    }
    match HealthClient::new(channel).check(request).await {
        Ok(response) => Health::Status(response.into_inner().status()),
        Err(status) => from_status(&status),
    }
}

/// The health of a server whose call ended with an error.
fn from_status(status: &Status) -> Health {
    // A client makes a status from an error of the connection. An answer has no source.
    let was_answered = status.source().is_none() && status.code() != Code::Unavailable;
    if was_answered && status.code() == Code::NotFound {
        return Health::Status(ServingStatus::ServiceUnknown);
    }
    let reason = error_messages::status_in_one_line(status);
    if was_answered {
        Health::Refused(reason)
    } else {
        Health::Unreachable(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_serving_is_a_success() {
        assert_eq!(Health::Status(ServingStatus::Serving).exit_code(), 0);
        for status in [
            ServingStatus::NotServing,
            ServingStatus::Unknown,
            ServingStatus::ServiceUnknown,
        ] {
            assert_eq!(Health::Status(status).exit_code(), 1, "{status:?}");
        }
    }

    #[test]
    fn a_refusal_is_an_answer_and_a_broken_connection_is_none() {
        assert_eq!(from_status(&Status::unauthenticated("no token")).exit_code(), 1);
        assert_eq!(from_status(&Status::unimplemented("no health")).exit_code(), 1);
        assert_eq!(
            from_status(&Status::not_found("unknown service")),
            Health::Status(ServingStatus::ServiceUnknown)
        );
        // A proxy answers like this if it reaches no server.
        assert_eq!(from_status(&Status::unavailable("no healthy upstream")).exit_code(), 2);
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(from_status(&Status::from_error(Box::new(broken))).exit_code(), 2);
    }

    #[test]
    fn a_reason_is_one_line() {
        let Health::Refused(reason) = from_status(&Status::internal("one\ntwo\r\nthree")) else {
            panic!("an answer");
        };
        assert!(!reason.contains(['\n', '\r']), "{reason}");
        assert!(reason.contains("INTERNAL") && reason.contains("three"), "{reason}");
    }
}
