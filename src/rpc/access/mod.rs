//! Authentication of TCP callers: TLS, client certificates and bearer tokens.
//!
//! [`AccessControl::reload`] reads TLS and tokens each on its own. What can be used is put in force;
//! what cannot be used leaves the old credentials in force. Each handshake and each request loads the
//! credentials in force. Certificates and tokens therefore change while connections are open, and
//! those connections stay open.

mod access_control;
mod bearer_tokens;
mod certificate_chain;
mod client_authorities;
mod client_certificate;
mod credential_file;
mod credentials;
mod tls;

pub use access_control::{AccessControl, CredentialsError};
pub(in crate::rpc) use client_certificate::certificate_principal;
