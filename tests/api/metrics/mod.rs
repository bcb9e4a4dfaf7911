//! Prometheus metrics.

mod requests;
mod shadow_and_losses;
