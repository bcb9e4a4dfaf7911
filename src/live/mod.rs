//! The state that requests read, and the reload that replaces it: prepared aside, then swapped.
//!
//! [`CurrentSnapshot`] holds the [`Snapshot`] that each request loads once, and the [`ConfigStatus`] of the
//! last config change. A [`Reloader`] produces the next snapshot. Its change detector compares the
//! contents of the files, `prepare` builds everything that differs (this may fail, and then nothing
//! changes), and [`CurrentSnapshot`] swaps the result in (this cannot fail). An alpha ramp is a series of such
//! swaps.

mod alpha_ramp;
mod change_detector;
mod config_digests;
mod draining_engines;
mod prepare;

mod reloader;
mod snapshot;
mod status;

pub use config_digests::{ConfigDigests, digest};
pub use prepare::{Commit, EngineLoader, PrepareComponents, ReloadError};
pub use reloader::{ConfigObserver, Reloader, ReloaderContext};
pub use snapshot::{CurrentSnapshot, NoSnapshot, Snapshot};
pub use status::{ConfigStatus, PendingError};
