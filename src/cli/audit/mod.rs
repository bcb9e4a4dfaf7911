//! The commands for auditors, who do not rely on the server.
//!
//! - `certimix radius` ([`radius`]) evaluates the certificate mathematics on JSON lines.
//! - `certimix verify` ([`verify`]) recomputes served certificates from their own counts.
//! - `certimix replay` ([`replay`]) draws the votes behind a certificate again and compares them.
//!
//! [`record_file`] reads served certificates, and [`record_limits`] checks their numbers before use. [`comparison`] compares served values with recomputed
//! ones. [`mixture_verifier`] recomputes the mixture of a record for both of the last two commands.

mod comparison;
#[cfg(any(test, feature = "fuzzing"))]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a fuzz target stops at the first surprise"
)]
pub(crate) mod fuzzing;
mod mixture_verifier;
mod radius;
mod record_file;
mod record_limits;
mod replay;
#[cfg(test)]
mod test_records;
mod verify;

pub use radius::{RadiusArgs, run as run_radius};
pub use replay::{ReplayArgs, run as run_replay};
pub use verify::{VerifyArgs, run as run_verify};
