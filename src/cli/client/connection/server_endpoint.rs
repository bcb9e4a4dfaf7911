//! The address of a server with its TLS settings and token, before a connection exists.

use std::time::Duration;

use anyhow::{Context as _, bail};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint, Error};

use super::credentials::CredentialArgs;

/// The address on which `make run` listens.
const DEFAULT_ADDRESS: &str = "http://127.0.0.1:50051";

/// The address of a server, for the command line of every client.
#[derive(Debug, Clone, clap::Args)]
pub struct AddressArgs {
    /// The server's address: http://HOST:PORT, https://HOST:PORT for TLS, HOST:PORT, or
    /// unix:/path/to/socket
    #[arg(
        long,
        value_name = "URL",
        env = "CERTIMIX_ADDRESS",
        hide_env_values = true,
        default_value = DEFAULT_ADDRESS
    )]
    pub address: String,
}

/// An address with credentials that were read.
#[derive(Debug, Clone)]
pub(in crate::cli::client) struct ServerEndpoint {
    /// The address with its scheme.
    pub address: String,
    /// The `authorization` header, if there is a token.
    pub authorization: Option<MetadataValue<Ascii>>,
    endpoint: Endpoint,
}

impl ServerEndpoint {
    /// Reads the credentials for `address`, which may lack its scheme.
    ///
    /// # Errors
    /// The address is malformed, or a file of the credentials is missing or malformed.
    pub(in crate::cli::client) fn new(address: &str, credentials: &CredentialArgs) -> anyhow::Result<Self> {
        let address = with_scheme(address)?;
        let authorization = credentials.authorization(&address)?;
        let mut endpoint = Endpoint::from_shared(address.clone()).with_context(|| {
            format!("--address {address}: expected an address such as http://127.0.0.1:50051 or unix:/run/c.sock")
        })?;
        if let Some(tls) = credentials.tls_config(&address)? {
            endpoint = endpoint
                .tls_config(tls)
                .context("cannot set up TLS: expected PEM files in --tls-ca, --tls-certificate and --tls-key")?;
        }
        Ok(Self {
            address,
            authorization,
            endpoint,
        })
    }

    /// Connects within `timeout`.
    ///
    /// # Errors
    /// Nothing listens at the address, or the TLS handshake failed.
    pub(in crate::cli::client) async fn connect(&self, timeout: Duration) -> Result<Channel, Error> {
        self.endpoint.clone().connect_timeout(timeout).connect().await
    }
}

/// Adds `http://` to `host:port`. A Unix socket is `unix:` and its path.
fn with_scheme(address: &str) -> anyhow::Result<String> {
    match address.strip_prefix("unix:") {
        Some("" | "//") => bail!("--address {address}: the path of the socket is missing, such as unix:/run/c.sock"),
        Some(_) => return Ok(address.to_owned()),
        None => {}
    }
    match address.split_once("://") {
        None => Ok(format!("http://{address}")),
        Some(("http" | "https", _)) => Ok(address.to_owned()),
        Some((scheme, _)) => {
            bail!("--address {address}: expected http://, https:// or unix:, found {scheme}://")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::with_scheme;

    #[test]
    fn addresses_without_a_scheme_are_http() -> anyhow::Result<()> {
        assert_eq!(with_scheme("127.0.0.1:50051")?, "http://127.0.0.1:50051");
        assert_eq!(with_scheme("http://[::1]:1")?, "http://[::1]:1");
        assert_eq!(with_scheme("https://example.com:1")?, "https://example.com:1");
        assert_eq!(with_scheme("unix:/run/certimix.sock")?, "unix:/run/certimix.sock");
        assert_eq!(with_scheme("unix:///run/certimix.sock")?, "unix:///run/certimix.sock");
        assert_eq!(with_scheme("unix:beside.sock")?, "unix:beside.sock");
        for wrong in ["ftp://example.com", "unix:", "unix://"] {
            assert!(with_scheme(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }
}
