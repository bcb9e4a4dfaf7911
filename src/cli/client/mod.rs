//! The clients for people: `certimix predict`, `certify`, `info`, `alpha` and `shadow`.
//!
//! One way leads through all of it: `connection` reaches the server and asks what it serves; `input` (with `image` and
//! `npy`) turns files into what that model takes; `batch` says which inputs travel together and `requests` sends them;
//! `record` is an answer as one line of JSON, which `certimix verify` and `certimix replay` read again; `report` shows
//! the records as they are or as a `table` with a `summary`. `security` is TLS and tokens, `failure` puts the server's errors into words.

mod alpha;
mod args;
mod batch;
mod certify;
mod connection;
mod failure;
mod image;
mod info;
mod input;
mod labels;
mod names;
mod npy;
mod predict;
mod predict_stream;
mod progress;
mod record;
mod report;
mod requests;
mod security;
mod settings_file;
mod shadow;
mod shadow_table;
mod stream;
mod summary;
mod table;

pub use alpha::{AlphaArgs, run as run_alpha};
pub use args::CommonArgs;
pub use certify::{CertifyArgs, run as run_certify};
pub use connection::ConnectionArgs;
pub use info::{InfoArgs, run as run_info};
pub use input::{Input, InputSpec, read_file};
pub use predict::{PredictArgs, run as run_predict};
pub use progress::Progress;
pub use record::{CertificateRecord, ProvenanceRecord, Record};
pub use shadow::{ShadowArgs, run as run_shadow};
