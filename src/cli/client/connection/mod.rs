//! The connection to the server: address, TLS and tokens, and readable messages for the server's errors.

pub(super) mod credentials;
pub(super) mod error_messages;
pub(super) mod server_connection;
