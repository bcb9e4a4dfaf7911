//! Prometheus metrics.

mod endpoint;
mod requests;
mod scraped_server;
mod shadow_candidates;
mod telemetry_losses;
