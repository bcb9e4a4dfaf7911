//! Who may talk to the server by TCP: TLS, callers' certificates, bearer tokens.
//!
//! Prepared, then swapped: [`Credentials::prepare`] reads the files and may fail, [`Gate::swap`] cannot. A gate is read anew by
//! every handshake and every request, so certificates and tokens change under open connections, which live on.

mod certificates;
mod credentials;
mod gate;
mod tls;
mod tokens;

pub use credentials::{Credentials, CredentialsError};
pub use gate::Gate;
