//! Prometheus metrics.

mod endpoint;
mod requests;
mod scraped_server;
mod shadow_alphas;
mod telemetry_losses;
