//! What every test needs: a server, something to send to it, and the truth about the fixtures.

pub mod exchange;
pub mod otlp;
pub mod process;
pub mod recompute;
pub mod scrape;
pub mod server;
pub mod setup;
pub mod truth;
pub mod wire;

pub use server::TestServer;
pub use setup::{Setup, fixture};
