//! The options of a client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::address::{Address, Scheme};
use crate::connection::Connection;
use crate::options::checked_deadline;
use crate::token_file::TokenFile;
use crate::{Client, Error, RetryPolicy};

/// The deadline of a call that names none, and whose client names none.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(1);

/// The longest wait for one connection. A call waits no longer than its own deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection with calls in progress is tested this often, which finds a server whose machine is gone.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// The longest wait for the answer to such a test.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The options of a [`Client`], which [`Client::builder`] begins.
#[derive(Debug, Clone)]
#[must_use = "connect() or connect_lazy() makes the client"]
pub struct ClientBuilder {
    address: String,
    deadline: Duration,
    retry: RetryPolicy,
    tls_ca: Option<PathBuf>,
    tls_identity: Option<(PathBuf, PathBuf)>,
    tls_server_name: Option<String>,
    token_file: Option<PathBuf>,
}

impl ClientBuilder {
    pub(crate) fn new(address: String) -> Self {
        Self {
            address,
            deadline: DEFAULT_DEADLINE,
            retry: RetryPolicy::default(),
            tls_ca: None,
            tls_identity: None,
            tls_server_name: None,
            token_file: None,
        }
    }

    /// The deadline of calls that name none: more than 0, at most a day.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How often calls are repeated within their deadline.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The PEM file of the authority that signed the server's certificate. Required for TLS.
    pub fn tls_ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls_ca = Some(file.into());
        self
    }

    /// The PEM files of the client's own certificate and its key, for a server that requires one.
    pub fn tls_identity(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls_identity = Some((certificate.into(), key.into()));
        self
    }

    /// The name in the server's certificate, if it is not the host of the address.
    pub fn tls_server_name(mut self, name: impl Into<String>) -> Self {
        self.tls_server_name = Some(name.into());
        self
    }

    /// A file whose first line is the bearer token. It is read for each call, so that the token can be replaced.
    pub fn token_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.token_file = Some(file.into());
        self
    }

    /// Connects within the deadline of the client.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a wrong option,
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if nothing listens,
    /// [`ErrorKind::DeadlineExceeded`](crate::ErrorKind::DeadlineExceeded) if there is no connection in time.
    pub async fn connect(self) -> Result<Client, Error> {
        let endpoint = self.endpoint()?;
        let end = Instant::now() + self.deadline;
        let channel = match timeout_at(end, endpoint.connect()).await {
            Ok(connected) => connected.map_err(|error| self.unreachable(error))?,
            Err(_) => {
                let address = &self.address;
                return Err(Error::late(format!(
                    "no connection to {address} came within the deadline"
                )));
            }
        };
        self.client(channel)
    }

    /// A client that connects with its first call, so the server may start later.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a wrong option, or outside a tokio runtime.
    pub fn connect_lazy(self) -> Result<Client, Error> {
        if Handle::try_current().is_err() {
            return Err(Error::invalid(
                "runtime",
                "expected a call within a tokio runtime, which the connection needs",
            ));
        }
        let channel = self.endpoint()?.connect_lazy();
        self.client(channel)
    }

    fn client(&self, channel: Channel) -> Result<Client, Error> {
        let token_file = self.token_file.as_deref().map(TokenFile::open).transpose()?;
        Ok(Client::new(
            Connection::new(channel, token_file),
            self.deadline,
            self.retry,
        ))
    }

    fn unreachable(&self, error: tonic::transport::Error) -> Error {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Error::unavailable(format!("cannot reach the server at {}: {cause}", self.address)).with_source(error)
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        checked_deadline(self.deadline)?;
        let address = Address::parse(&self.address)?;
        let has_tls_options = self.tls_ca.is_some() || self.tls_identity.is_some() || self.tls_server_name.is_some();
        let uses_tls = match &address {
            Address::Unix(_) => false,
            Address::Tcp { scheme, .. } => match scheme {
                Some(Scheme::Https) => true,
                Some(Scheme::Http) => false,
                None => has_tls_options,
            },
        };
        if has_tls_options && !uses_tls {
            let description = format!(
                "expected https://HOST:PORT with the options of TLS, found {:?}",
                self.address
            );
            return Err(Error::invalid("address", description));
        }
        let (uri, is_private) = match address {
            Address::Unix(path) => (path, true),
            Address::Tcp { authority, .. } if uses_tls => (format!("https://{authority}"), true),
            Address::Tcp {
                authority, is_loopback, ..
            } => (format!("http://{authority}"), is_loopback),
        };
        if self.token_file.is_some() && !is_private {
            tracing::warn!(address = %self.address, "the token is sent without encryption: use https://");
        }
        let mut endpoint = Endpoint::from_shared(uri)
            .map_err(|error| Error::invalid("address", format!("found {:?}", self.address)).with_source(error))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .tcp_nodelay(true);
        if uses_tls {
            endpoint = endpoint.tls_config(self.tls()?).map_err(|error| {
                let description = "expected PEM files in tls_ca and tls_identity, and a name in tls_server_name";
                Error::invalid("tls_ca", description).with_source(error)
            })?;
        }
        Ok(endpoint)
    }

    fn tls(&self) -> Result<ClientTlsConfig, Error> {
        let Some(authority) = &self.tls_ca else {
            let description = "expected the PEM file of the authority that signed the server's certificate, found none";
            return Err(Error::invalid("tls_ca", description));
        };
        let authority = Certificate::from_pem(read("tls_ca", authority)?);
        let mut tls = ClientTlsConfig::new().ca_certificate(authority);
        if let Some((certificate, key)) = &self.tls_identity {
            let identity = Identity::from_pem(read("tls_identity", certificate)?, read("tls_identity", key)?);
            tls = tls.identity(identity);
        }
        if let Some(name) = &self.tls_server_name {
            tls = tls.domain_name(name);
        }
        Ok(tls)
    }
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| {
        let description = format!("expected a PEM file, cannot read {}: {error}", path.display());
        Error::invalid(option, description).with_source(error)
    })
}
