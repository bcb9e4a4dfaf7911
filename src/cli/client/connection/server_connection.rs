//! Connects to the server and sends requests with a deadline and a token.

use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::credentials::CredentialArgs;
use super::error_messages;
use super::server_endpoint::{AddressArgs, ServerEndpoint};
use crate::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use crate::rpc::proto::{GetModelInfoRequest, GetModelInfoResponse};

/// Longer than any local connection takes, and short enough to notice that nothing listens.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A response holds a few dozen bytes for each class and input. This suffices for the largest
/// batch.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// The address of the server, the deadline of requests, and the credentials.
#[derive(Debug, Clone, clap::Args)]
pub struct ConnectionArgs {
    /// The server
    #[command(flatten)]
    pub server: AddressArgs,

    /// The deadline of each request with its retries, such as 500ms or 10s. The server stops drawing
    /// votes shortly before
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub deadline: humantime::Duration,

    /// TLS and tokens
    #[command(flatten)]
    pub credentials: CredentialArgs,
}

impl ConnectionArgs {
    /// The arguments of a command that names its servers in its own way.
    pub fn new(address: String, deadline: humantime::Duration, credentials: CredentialArgs) -> Self {
        Self {
            server: AddressArgs { address },
            deadline,
            credentials,
        }
    }
}

/// A connected client of `certimix.v1`.
#[derive(Debug, Clone)]
pub(in crate::cli::client) struct ServerConnection {
    /// The generated client. Clones share the connection.
    pub client: MixedClassifierClient<Channel>,
    /// The address with its scheme.
    pub address: String,
    /// The deadline of each request.
    pub deadline: Duration,
    authorization: Option<MetadataValue<Ascii>>,
}

impl ServerConnection {
    /// Connects immediately, so that an unreachable server is reported before any file is read.
    pub(in crate::cli::client) async fn open(args: &ConnectionArgs) -> anyhow::Result<Self> {
        let deadline = Duration::from(args.deadline);
        let endpoint = ServerEndpoint::new(&args.server.address, &args.credentials)?;
        let channel = endpoint
            .connect(CONNECT_TIMEOUT.min(deadline))
            .await
            .map_err(|error| error_messages::unreachable(&endpoint.address, &error))?;
        let ServerEndpoint {
            address, authorization, ..
        } = endpoint;
        let client = MixedClassifierClient::new(channel).max_decoding_message_size(MAX_RESPONSE_BYTES);
        Ok(Self {
            client,
            address,
            deadline,
            authorization,
        })
    }

    /// A request with the deadline, and with the token if there is one.
    pub(in crate::cli::client) fn request<T>(&self, message: T) -> Request<T> {
        self.request_within(self.deadline, message)
    }

    /// A request with this timeout, and with the token if there is one.
    pub(in crate::cli::client) fn request_within<T>(&self, timeout: Duration, message: T) -> Request<T> {
        let mut request = self.request_without_deadline(message);
        request.set_timeout(timeout);
        request
    }

    /// A request with the token only. On a bidirectional stream, a deadline would end the whole
    /// stream.
    pub(in crate::cli::client) fn request_without_deadline<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.authorization {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }

    /// Calls `GetModelInfo`.
    pub(in crate::cli::client) async fn model_info(&self) -> anyhow::Result<GetModelInfoResponse> {
        let response = self.model_info_within(self.deadline).await;
        response.map_err(|status| error_messages::from_status(&status))
    }

    /// Calls `GetModelInfo` with this timeout.
    pub(in crate::cli::client) async fn model_info_within(
        &self,
        timeout: Duration,
    ) -> Result<GetModelInfoResponse, Status> {
        let request = self.request_within(timeout, GetModelInfoRequest {});
        let response = self.client.clone().get_model_info(request).await?;
        Ok(response.into_inner())
    }
}
