//! The clients of a running server: `certimix predict`, `certify`, `info`, `health`, `alpha` and
//! `shadow`.
//!
//! Each command has a folder; [`live_report()`] is for `certimix report --live`. The steps that commands share have folders too, in the order in which
//! a command uses them:
//!
//! 1. [`connection`] connects to the server, with TLS and tokens, and explains the server's errors.
//! 2. [`input`] converts files into inputs of the served model.
//! 3. [`requests`] groups inputs into requests and sends them.
//! 4. [`results`] converts predictions into records and prints them, as JSON lines or as a table
//!    with a summary.

mod alpha;
mod certify;
mod connection;
mod evaluation;
mod health;
mod inference_args;
mod info;
mod input;
mod live_report;
mod predict;
mod requests;
mod results;
mod shadow;

pub use alpha::{AlphaArgs, run as run_alpha};
pub use certify::{CertifyArgs, run as run_certify};
pub use connection::{ConnectionArgs, CredentialArgs};
pub use evaluation::Services;
pub use health::{HealthArgs, run as run_health};
pub use inference_args::InferenceArgs;
pub use info::{InfoArgs, run as run_info};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use input::fuzzing::client_inputs;
pub use input::{AcceptedInput, Conversions, ModelInput, read_file};
pub use live_report::live_report;
pub use predict::{PredictArgs, run as run_predict};
pub use results::{CertificateRecord, PredictionRecord, ProvenanceRecord};
pub use shadow::{ShadowArgs, run as run_shadow};
