//! What every test needs: a server, something to send to it, and the truth about the fixtures.

pub mod certificates;
pub mod editor;
pub mod exchange;
pub mod half;
pub mod infer;
pub mod operator;
pub mod otlp;
pub mod process;
pub mod raw;
pub mod recompute;
pub mod scrape;
pub mod server;
pub mod setup;
pub mod sheet;
pub mod truth;
pub mod wire;

pub use server::TestServer;
pub use setup::{Setup, fixture};
