//! Servers to test, requests to send, and independent formulas for the expected results.

pub mod cifar10_images;
pub mod config_edit;
pub mod editable_server;
pub mod gzip;
pub mod messages;
pub mod model_infer;
pub mod model_info_poller;
pub mod partial_request;
pub mod predict_stream;
pub mod process;
pub mod raw_connection;
pub mod recompute;
pub mod reference_formulas;
pub mod request_burst;
pub mod request_load;
pub mod scrape;
pub mod server;
pub mod setup;
pub mod slow_load;
pub mod tls_authority;
pub mod trace_collector;

pub use server::TestServer;
pub use setup::{RUNTIME_LIBRARY, Setup, fixture};
