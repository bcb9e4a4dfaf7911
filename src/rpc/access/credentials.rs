//! The credentials in force: TLS and tokens, each with the files it was read from.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use super::bearer_tokens::BearerTokens;
use super::tls::{self, ServerTls};
use crate::domain::Violations;
use crate::settings::{AccessSettings, ConfigFile, ConfigFileKind, FileDigests, TlsSettings};

/// A part of the credentials that is read, and put in force, on its own.
pub(super) trait CredentialPart: Sized {
    /// The settings of the part.
    type Source: Clone + PartialEq;

    /// The part of `settings`.
    fn source(settings: &AccessSettings) -> Self::Source;

    /// The files that `source` names.
    fn files(source: &Self::Source) -> Vec<ConfigFile>;

    /// Whether `next` asks less of a caller than `current`, whatever the files hold.
    fn removes_guard(current: &Self::Source, next: &Self::Source) -> bool;

    /// Reads the files of `source`. Records each violation with its key.
    fn read(source: &Self::Source, now: SystemTime, violations: &mut Violations) -> Option<Self>;
}

/// A part that was read.
pub(super) struct Loaded<P: CredentialPart> {
    pub(super) part: P,
    pub(super) source: P::Source,
    /// The digest of the files, taken before they were read: a file that changes in between differs
    /// from it, and is read again.
    digest: String,
}

impl<P: CredentialPart> Loaded<P> {
    /// Reads `source`.
    pub(super) fn read(source: P::Source, now: SystemTime, violations: &mut Violations) -> Option<Self> {
        let digest = digest::<P>(&source);
        let part = P::read(&source, now, violations)?;
        Some(Self { part, source, digest })
    }

    /// Whether this is what `source` and its files are now.
    pub(super) fn is_current(&self, source: &P::Source) -> bool {
        self.source == *source && self.digest == digest::<P>(source)
    }

    /// The files that it was read from.
    pub(super) fn files(&self) -> Vec<ConfigFile> {
        P::files(&self.source)
    }
}

/// The digest of the files that `source` names.
pub(super) fn digest<P: CredentialPart>(source: &P::Source) -> String {
    FileDigests::default().combined(&P::files(source))
}

/// The TLS configuration; `None` if connections are in plaintext.
pub(super) struct TlsPart(pub(super) Option<ServerTls>);

impl CredentialPart for TlsPart {
    type Source = Option<TlsSettings>;

    fn source(settings: &AccessSettings) -> Self::Source {
        settings.tls.clone()
    }

    fn files(source: &Self::Source) -> Vec<ConfigFile> {
        let settings = AccessSettings {
            tls: source.clone(),
            bearer_token_file: None,
        };
        settings.config_files()
    }

    fn removes_guard(current: &Self::Source, next: &Self::Source) -> bool {
        let client_ca = |source: &Self::Source| source.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        (current.is_some() && next.is_none()) || (client_ca(current) && !client_ca(next))
    }

    fn read(source: &Self::Source, now: SystemTime, violations: &mut Violations) -> Option<Self> {
        match source {
            Some(settings) => tls::read_tls(settings, now, violations).map(|tls| Self(Some(tls))),
            None => Some(Self(None)),
        }
    }
}

/// The tokens; `None` if requests need none.
pub(super) struct TokenPart(pub(super) Option<BearerTokens>);

impl CredentialPart for TokenPart {
    type Source = Option<PathBuf>;

    fn source(settings: &AccessSettings) -> Self::Source {
        settings.bearer_token_file.clone()
    }

    fn files(source: &Self::Source) -> Vec<ConfigFile> {
        let files = source.iter().cloned();
        files.map(|path| (ConfigFileKind::Credentials, path)).collect()
    }

    fn removes_guard(current: &Self::Source, next: &Self::Source) -> bool {
        current.is_some() && next.is_none()
    }

    fn read(source: &Self::Source, _: SystemTime, violations: &mut Violations) -> Option<Self> {
        let Some(path) = source else { return Some(Self(None)) };
        match BearerTokens::read(path) {
            Ok(tokens) => Some(Self(Some(tokens))),
            Err(reason) => {
                violations.add("server.bearer_token_file", reason);
                None
            }
        }
    }
}

impl<P: CredentialPart> fmt::Debug for Loaded<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Loaded").finish_non_exhaustive()
    }
}
