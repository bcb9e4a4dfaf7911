//! Reaching the server, and asking it what it serves.

use std::time::Duration;

use anyhow::{Context as _, bail};
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

use crate::cli::client::connection::credentials::SecurityArgs;
use crate::cli::client::connection::error_messages as failure;
use crate::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use crate::rpc::proto::{GetModelInfoRequest, GetModelInfoResponse};

/// Where `make run` listens.
const LOCAL: &str = "http://127.0.0.1:50051";

/// Longer than any local connection takes, short enough to find out that nothing listens.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An answer holds some dozen bytes a class and input: this is room for the largest batch.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Where the server is, and how long it may take.
#[derive(Debug, Clone, clap::Args)]
pub struct ConnectionArgs {
    /// The server's address: http://HOST:PORT, https://HOST:PORT for TLS, HOST:PORT, or unix:/path/to/socket
    #[arg(long, value_name = "URL", env = "CERTIMIX_ADDRESS", hide_env_values = true, default_value = LOCAL)]
    pub address: String,

    /// How long each request may take, such as 500ms or 10s. The server stops drawing votes shortly before
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub deadline: humantime::Duration,

    /// TLS and tokens
    #[command(flatten)]
    pub security: SecurityArgs,
}

/// A connected client.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// The generated client; clones share the connection.
    pub client: MixedClassifierClient<Channel>,
    /// The address as it was dialled.
    pub address: String,
    deadline: Duration,
    authorization: Option<MetadataValue<Ascii>>,
}

impl Connection {
    /// Connects now, so that a server that is not there is told before any file is read.
    pub(crate) async fn open(args: &ConnectionArgs) -> anyhow::Result<Self> {
        let address = url(&args.address)?;
        let deadline = Duration::from(args.deadline);
        let authorization = args.security.authorization(&address)?;
        let mut endpoint = Endpoint::from_shared(address.clone())
            .with_context(|| format!("{address} is not an address such as http://127.0.0.1:50051 or unix:/run/c.sock"))?
            .connect_timeout(CONNECT_TIMEOUT.min(deadline));
        if let Some(tls) = args.security.tls(&address)? {
            let told = "TLS cannot be used: are --tls-ca, --tls-certificate and --tls-key PEM files?";
            endpoint = endpoint.tls_config(tls).context(told)?;
        }
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| failure::unreachable(&address, &error))?;
        let client = MixedClassifierClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
        Ok(Self {
            client,
            address,
            deadline,
            authorization,
        })
    }

    /// How long a request may take.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// A request that carries the deadline, and the token if there is one.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = self.stream(message);
        request.set_timeout(self.deadline);
        request
    }

    /// A request without a deadline, which would be that of a whole stream.
    pub(crate) fn stream<T>(&self, messages: T) -> Request<T> {
        let mut request = Request::new(messages);
        if let Some(token) = &self.authorization {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }

    /// What is served.
    pub(crate) async fn model_info(&self) -> anyhow::Result<GetModelInfoResponse> {
        let request = self.request(GetModelInfoRequest {});
        let answer = self.client.clone().get_model_info(request).await;
        Ok(answer.map_err(|status| failure::explain(&status))?.into_inner())
    }
}

/// `host:port` is short for `http://host:port`; a Unix socket is `unix:` and its path.
fn url(address: &str) -> anyhow::Result<String> {
    match address.strip_prefix("unix:") {
        Some("" | "//") => bail!("--address {address}: the path of the socket is missing, such as unix:/run/c.sock"),
        Some(_) => return Ok(address.to_owned()),
        None => {}
    }
    match address.split_once("://") {
        None => Ok(format!("http://{address}")),
        Some(("http" | "https", _)) => Ok(address.to_owned()),
        Some((scheme, _)) => {
            bail!("--address {address}: only http://, https:// and unix: are supported, not {scheme}://")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn addresses() -> anyhow::Result<()> {
        assert_eq!(url("127.0.0.1:50051")?, "http://127.0.0.1:50051");
        assert_eq!(url("http://[::1]:1")?, "http://[::1]:1");
        assert_eq!(url("https://example.com:1")?, "https://example.com:1");
        assert_eq!(url("unix:/run/certimix.sock")?, "unix:/run/certimix.sock");
        assert_eq!(url("unix:///run/certimix.sock")?, "unix:///run/certimix.sock");
        assert_eq!(url("unix:beside.sock")?, "unix:beside.sock");
        for wrong in ["ftp://example.com", "unix:", "unix://"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }
}
