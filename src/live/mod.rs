//! The state that requests read, and the reload that replaces it: prepared aside, then swapped.
//!
//! [`CurrentSnapshot`] holds the [`Snapshot`] that each request loads once, and the [`ConfigStatus`] of the
//! last config change. A [`Reloader`] produces the next snapshot. Its change detector compares the
//! contents of the files, `prepare` builds everything that differs (this may fail, and then nothing
//! changes), and [`CurrentSnapshot`] swaps the result in (this cannot fail). An alpha ramp is a series of such
//! swaps. TLS and tokens are reloaded on their own ([`AccessReloader`]).

mod access_reload;
mod access_watch;
mod alpha_ramp;
mod change_detector;
mod config_digests;
mod draining_engines;
mod folder_watch;
mod prepare;

mod reloader;
mod snapshot;
mod status;

pub use access_reload::{AccessReload, AccessReloader, GuardRemoval, SharedAccessReloader};
pub use config_digests::ConfigDigests;
pub use prepare::{EngineLoader, ReloadError, SetLogFilter};
pub use reloader::{ConfigObserver, Reloader, ReloaderContext};
pub use snapshot::{CurrentSnapshot, NoSnapshot, Snapshot};
pub use status::{AccessStatus, ConfigStatus, PendingError};
