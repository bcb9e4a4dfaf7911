//! The state that requests read, and the reload that replaces it: prepared aside, then swapped.
//!
//! [`Live`] holds the [`Snapshot`] that each request loads once, and the [`ConfigStatus`] of the
//! last config change. A [`Reloader`] produces the next snapshot. Its change detector compares the
//! contents of the files, `prepare` builds everything that differs (this may fail, and then nothing
//! changes), and [`Live`] swaps the result in (this cannot fail). An alpha ramp is a series of such
//! swaps.

mod alpha_ramp;
mod change_detector;
mod contents;
mod draining_engines;
mod prepare;

mod reloader;
mod snapshot;
mod status;

pub use contents::{Contents, digest};
pub use prepare::{Commit, Loader, PrepareComponents, ReloadError};
pub use reloader::{ConfigObserver, Reloader, ReloaderContext};
pub use snapshot::{Live, NotLive, Snapshot};
pub use status::{ConfigStatus, PendingError};
