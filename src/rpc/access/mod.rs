//! Authentication of TCP callers: TLS, client certificates and bearer tokens.
//!
//! A reload has two steps. [`AccessControl::prepare_reload`] reads the files and may fail;
//! [`PreparedCredentials::commit`] puts the new credentials in force and cannot fail. Each
//! handshake and each request loads the credentials in force. Certificates and tokens therefore
//! change while connections are open, and those connections stay open.

mod access_control;
mod bearer_tokens;
mod certificate_chain;
mod client_certificate;
mod credential_file;
mod credentials;
mod tls;

pub use access_control::{AccessControl, PreparedCredentials};
pub(in crate::rpc) use client_certificate::certificate_principal;
pub use credentials::CredentialsError;
