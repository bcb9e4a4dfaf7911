//! The credentials in force, and their reload.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio_rustls::TlsAcceptor;
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use super::credentials::{Credentials, CredentialsError};
use crate::call::Principal;
use crate::live::digest;
use crate::settings::AccessSettings;

/// The service that needs no token. A kubelet has none, and learns only whether the server serves.
const HEALTH_SERVICE: &str = "/grpc.health.v1.Health/";

/// Authenticates callers by the credentials in force.
///
/// A handshake or request that comes after a reload uses the new credentials. Open connections stay
/// open.
#[derive(Debug)]
pub struct AccessControl {
    in_force: ArcSwap<LoadedCredentials>,
}

/// Credentials and the source they come from.
#[derive(Debug)]
struct LoadedCredentials {
    credentials: Credentials,
    source: CredentialsSource,
}

impl LoadedCredentials {
    fn read(source: CredentialsSource, now: SystemTime) -> Result<Self, CredentialsError> {
        let credentials = Credentials::read(&source.settings, now)?;
        Ok(Self { credentials, source })
    }
}

/// The settings of the credentials, and a digest of the files that they name.
#[derive(Debug, PartialEq, Eq)]
struct CredentialsSource {
    settings: AccessSettings,
    files_digest: String,
}

impl CredentialsSource {
    fn of(settings: &AccessSettings) -> Self {
        let files: Vec<_> = settings.files().into_iter().map(|(_, file)| file).collect();
        Self {
            settings: settings.clone(),
            files_digest: digest(&files),
        }
    }
}

impl AccessControl {
    /// Reads the credentials that `settings` name. `now` is wall-clock time.
    ///
    /// # Errors
    /// A file cannot be used. The error holds every reason with its key.
    pub fn new(settings: &AccessSettings, now: SystemTime) -> Result<Self, CredentialsError> {
        let loaded = LoadedCredentials::read(CredentialsSource::of(settings), now)?;
        Ok(Self {
            in_force: ArcSwap::from_pointee(loaded),
        })
    }

    /// Reads the credentials that `settings` name, without putting them in force. `now` is
    /// wall-clock time.
    ///
    /// If neither the settings nor the files differ from those in force, this checks nothing again:
    /// a certificate that expires while it is in force must not block a change of another setting.
    ///
    /// # Errors
    /// A file cannot be used. The error holds every reason with its key.
    pub fn prepare_reload(
        self: &Arc<Self>,
        settings: &AccessSettings,
        now: SystemTime,
    ) -> Result<PreparedCredentials, CredentialsError> {
        // The digest comes first: a file that changes before it is read differs from its digest,
        // and the next reload reads it again.
        let source = CredentialsSource::of(settings);
        let next = match source == self.in_force.load().source {
            true => None,
            false => Some(LoadedCredentials::read(source, now)?),
        };
        let access = Arc::clone(self);
        Ok(PreparedCredentials { access, next })
    }

    /// The earliest expiry of the certificates in `tls.certificate`; `None` without TLS.
    #[must_use]
    pub fn certificate_expiry(&self) -> Option<SystemTime> {
        self.in_force.load().credentials.tls.as_ref().map(|tls| tls.expires)
    }

    /// The acceptor for one TLS handshake; `None` if connections are in plaintext.
    pub(in crate::rpc) fn tls_acceptor(&self) -> Option<TlsAcceptor> {
        let loaded = self.in_force.load();
        let tls = loaded.credentials.tls.as_ref()?;
        Some(TlsAcceptor::from(Arc::clone(&tls.config)))
    }

    /// Whether requests need a token, except those for health.
    pub(in crate::rpc) fn requires_token(&self) -> bool {
        self.in_force.load().credentials.tokens.is_some()
    }

    /// Checks the bearer token of a request for `path`. Returns the principal of the token, or `None`
    /// if the request needs none.
    ///
    /// # Errors
    /// UNAUTHENTICATED if the request needs a token and has no valid one.
    pub(in crate::rpc) fn authorize(&self, path: &str, headers: &HeaderMap) -> Result<Option<Principal>, Status> {
        match &self.in_force.load().credentials.tokens {
            Some(tokens) if !path.starts_with(HEALTH_SERVICE) => tokens.check(headers).map(Some),
            _ => Ok(None),
        }
    }
}

/// Credentials that are read and checked, and not yet in force.
pub struct PreparedCredentials {
    access: Arc<AccessControl>,
    /// `None` if the credentials in force stay.
    next: Option<LoadedCredentials>,
}

impl PreparedCredentials {
    /// Puts the credentials in force for every later handshake and request. This cannot fail.
    pub fn commit(self) {
        if let Some(next) = self.next {
            self.access.in_force.store(Arc::new(next));
        }
    }
}
