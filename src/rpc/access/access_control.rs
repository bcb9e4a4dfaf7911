//! The credentials in force, and their reload.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use super::credentials::{CredentialPart, Loaded, TlsPart, TokenPart, digest};
use crate::call::Principal;
use crate::domain::Violations;
use crate::live::{AccessReload, GuardRemoval};
use crate::settings::{AccessSettings, ConfigFile};

/// The service that needs no token. A kubelet has none, and learns only whether the server serves.
const HEALTH_SERVICE: &str = "/grpc.health.v1.Health/";

/// The files of a changed part are complete if they are still the same after this time. A file that
/// is cut off could hold half a token.
const SETTLE_TIME: Duration = Duration::from_millis(30);
/// How often the files of a part may change before the reload gives up until the next one.
const MAX_READS: usize = 20;

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

/// Authenticates callers by the credentials in force.
///
/// A handshake or request that comes after a reload uses the new credentials. Open connections stay
/// open. TLS and tokens are read, and put in force, each on its own.
#[derive(Debug)]
pub struct AccessControl {
    tls: ArcSwap<Loaded<TlsPart>>,
    tokens: ArcSwap<Loaded<TokenPart>>,
    /// Held by a reload.
    reloading: Mutex<()>,
}

impl AccessControl {
    /// Reads the credentials that `settings` name. `now` is wall-clock time.
    ///
    /// # Errors
    /// A file cannot be used. The error holds every reason with its key.
    pub fn new(settings: &AccessSettings, now: SystemTime) -> Result<Self, CredentialsError> {
        let mut violations = Violations::default();
        let tls = Loaded::read(TlsPart::source(settings), now, &mut violations);
        let tokens = Loaded::read(TokenPart::source(settings), now, &mut violations);
        let (Some(tls), Some(tokens)) = (tls, tokens) else {
            return Err(CredentialsError(violations));
        };
        Ok(Self {
            tls: ArcSwap::from_pointee(tls),
            tokens: ArcSwap::from_pointee(tokens),
            reloading: Mutex::default(),
        })
    }

    /// Puts in force what `settings` and their files hold now. `now` is wall-clock time. A part whose
    /// files cannot be used stays as it is.
    ///
    /// If neither the settings nor the files of a part differ from those in force, this checks nothing
    /// again: a certificate that expires while it is in force must not block anything.
    pub fn reload(&self, settings: &AccessSettings, removal: GuardRemoval, now: SystemTime) -> AccessReload {
        let _only_one = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = AccessReload::default();
        if reload_part(
            &self.tls,
            TlsPart::source(settings),
            removal,
            now,
            &mut report.violations,
        ) {
            report.applied.push("tls");
        }
        let tokens = TokenPart::source(settings);
        if reload_part(&self.tokens, tokens, removal, now, &mut report.violations) {
            report.applied.push("server.bearer_token_file");
        }
        report.warnings = self.warnings(now);
        report
    }

    /// What is in force at `now` and an operator should know.
    #[must_use]
    pub fn warnings(&self, now: SystemTime) -> Violations {
        let mut warnings = Violations::default();
        for reason in self.untrusted_authorities(now) {
            warnings.add("tls.client_ca", format!("not trusted: {reason}"));
        }
        warnings
    }

    /// Why authorities in `tls.client_ca` are not trusted at `now`, one reason for each.
    #[must_use]
    pub fn untrusted_authorities(&self, now: SystemTime) -> Vec<String> {
        let loaded = self.tls.load();
        let authorities = loaded.part.0.as_ref().and_then(|tls| tls.authorities.as_ref());
        authorities.map_or_else(Vec::new, |authorities| authorities.invalid(now))
    }

    /// The number of tokens in force; `None` if requests need no token.
    #[must_use]
    pub fn token_count(&self) -> Option<usize> {
        self.tokens.load().part.0.as_ref().map(|tokens| tokens.count())
    }

    /// The files that the credentials in force were read from.
    #[must_use]
    pub fn files(&self) -> Vec<ConfigFile> {
        [self.tls.load().files(), self.tokens.load().files()].concat()
    }

    /// The earliest expiry of the certificates in `tls.certificate`; `None` without TLS.
    #[must_use]
    pub fn certificate_expiry(&self) -> Option<SystemTime> {
        self.tls.load().part.0.as_ref().map(|tls| tls.expires)
    }

    /// Whether callers have to show a token or a certificate.
    pub(in crate::rpc) fn asks_for_credentials(&self) -> bool {
        let loaded = self.tls.load();
        let authorities = loaded.part.0.as_ref().and_then(|tls| tls.authorities.as_ref());
        self.requires_token() || authorities.is_some()
    }

    /// The acceptor for one TLS handshake; `None` if connections are in plaintext.
    pub(in crate::rpc) fn tls_acceptor(&self) -> Option<TlsAcceptor> {
        let loaded = self.tls.load();
        let tls = loaded.part.0.as_ref()?;
        Some(TlsAcceptor::from(Arc::clone(&tls.config)))
    }

    /// Whether requests need a token, except those for health.
    pub(in crate::rpc) fn requires_token(&self) -> bool {
        self.tokens.load().part.0.is_some()
    }

    /// Checks the bearer token of a request for `path`. Returns the principal of the token, or `None`
    /// if the request needs none.
    ///
    /// # Errors
    /// UNAUTHENTICATED if the request needs a token and has no valid one.
    pub(in crate::rpc) fn authorize(&self, path: &str, headers: &HeaderMap) -> Result<Option<Principal>, Status> {
        match &self.tokens.load().part.0 {
            Some(tokens) if !path.starts_with(HEALTH_SERVICE) => tokens.check(headers).map(Some),
            _ => Ok(None),
        }
    }
}

/// Puts in force what `wanted` and its files hold now. Returns whether that is new.
///
/// If `wanted` cannot be used, the files that are in force are read again: a token that is removed
/// from them is revoked, whatever is wrong with the new settings.
fn reload_part<P: CredentialPart>(
    in_force: &ArcSwap<Loaded<P>>,
    wanted: P::Source,
    removal: GuardRemoval,
    now: SystemTime,
    violations: &mut Violations,
) -> bool {
    let current = in_force.load_full();
    let is_deferred = removal == GuardRemoval::Deferred && P::removes_guard(&current.source, &wanted);
    let wanted = if is_deferred { current.source.clone() } else { wanted };
    if current.is_current(&wanted) {
        return false;
    }
    let has_other_source = wanted != current.source;
    if let Some(next) = read_settled(wanted, now, violations) {
        in_force.store(Arc::new(next));
        return true;
    }
    if !has_other_source || current.is_current(&current.source) {
        return false;
    }
    match read_settled(current.source.clone(), now, violations) {
        Some(next) => {
            in_force.store(Arc::new(next));
            true
        }
        None => false,
    }
}

/// Reads `source` once its files rest.
fn read_settled<P: CredentialPart>(
    source: P::Source,
    now: SystemTime,
    violations: &mut Violations,
) -> Option<Loaded<P>> {
    let mut before = digest::<P>(&source);
    for _ in 0..MAX_READS {
        std::thread::sleep(SETTLE_TIME);
        let after = digest::<P>(&source);
        if before == after {
            break;
        }
        before = after;
    }
    Loaded::read(source, now, violations)
}
