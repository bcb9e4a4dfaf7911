//! The credentials that one set of files holds.

use std::fmt;
use std::time::SystemTime;

use thiserror::Error;

use super::bearer_tokens::BearerTokens;
use super::tls::{self, ServerTls};
use crate::domain::Violations;
use crate::settings::AccessSettings;

/// Certificates, keys or tokens cannot be used. The error holds every reason with its key.
#[derive(Debug, Error)]
#[error("certificates or tokens cannot be used:\n{0}")]
pub struct CredentialsError(Violations);

impl CredentialsError {
    /// Each reason with its key.
    #[must_use]
    pub fn into_violations(self) -> Violations {
        self.0
    }
}

/// The server's TLS configuration and the bearer tokens it accepts.
pub(super) struct Credentials {
    /// `None` if connections are in plaintext.
    pub(super) tls: Option<ServerTls>,
    /// `None` if requests need no token.
    pub(super) tokens: Option<BearerTokens>,
}

impl Credentials {
    /// Reads the files that `settings` name. `now` is wall-clock time.
    ///
    /// Reading blocks, so the caller must not run it on a thread that answers requests.
    ///
    /// # Errors
    /// A file cannot be read or does not hold what its key expects, a certificate is not valid at
    /// `now`, or the key does not belong to the certificate. The error holds every reason.
    pub(super) fn read(settings: &AccessSettings, now: SystemTime) -> Result<Self, CredentialsError> {
        let mut violations = Violations::default();
        let tls = settings
            .tls
            .as_ref()
            .and_then(|tls| tls::read_tls(tls, now, &mut violations));
        let tokens = settings.bearer_token_file.as_deref().and_then(|path| {
            BearerTokens::read(path)
                .map_err(|reason| violations.add("server.bearer_token_file", reason))
                .ok()
        });
        violations.into_result().map_err(CredentialsError)?;
        Ok(Self { tls, tokens })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").finish_non_exhaustive()
    }
}
