//! Everything that the files say, read at once.

use std::fmt;
use std::time::SystemTime;

use thiserror::Error;

use super::tls::{self, Tls};
use super::tokens::Tokens;
use crate::domain::Violations;
use crate::settings::AccessSettings;

/// Why certificates, keys or tokens cannot be used: every reason, each with its key.
#[derive(Debug, Error)]
#[error("certificates or tokens cannot be used:\n{0}")]
pub struct CredentialsError(Violations);

impl CredentialsError {
    /// Each reason, with its key.
    #[must_use]
    pub fn into_violations(self) -> Violations {
        self.0
    }
}

/// TLS and tokens, ready to be swapped in.
pub struct Credentials {
    pub(super) tls: Option<Tls>,
    pub(super) tokens: Option<Tokens>,
}

impl Credentials {
    /// Reads the files that `settings` name. Certificates must hold at `now`, wall-clock time.
    ///
    /// It reads files, and is called off the threads that answer requests.
    ///
    /// # Errors
    /// If a file cannot be read or is not what its key wants, a certificate has expired or does not hold yet, or the key is that
    /// of another certificate: every reason.
    pub fn prepare(settings: &AccessSettings, now: SystemTime) -> Result<Self, CredentialsError> {
        let mut wrong = Violations::default();
        let tls = settings.tls.as_ref().and_then(|tls| tls::read(tls, now, &mut wrong));
        let tokens = settings.bearer_token_file.as_deref().and_then(|path| {
            Tokens::read(path)
                .map_err(|reason| wrong.add("server.bearer_token_file", reason))
                .ok()
        });
        wrong.into_result().map_err(CredentialsError)?;
        Ok(Self { tls, tokens })
    }

    /// When the first certificate of `tls.certificate` ends; `None` without TLS.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.tls.as_ref().map(|tls| tls.expires)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").finish_non_exhaustive()
    }
}
