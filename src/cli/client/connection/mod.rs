//! The connection to the server: address, TLS and tokens, and readable messages for the server's
//! errors.

mod credentials;
pub(super) mod error_messages;
mod server_connection;
mod server_endpoint;

pub use credentials::CredentialArgs;
pub use server_connection::ConnectionArgs;
pub(super) use server_connection::ServerConnection;
pub use server_endpoint::AddressArgs;
pub(super) use server_endpoint::ServerEndpoint;
