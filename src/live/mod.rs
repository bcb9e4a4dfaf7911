//! The state that requests read, and how it changes: prepared off to the side, then swapped in at once.
//!
//! [`Live`] holds the one [`Snapshot`] that a request loads, and what became of the last change of the configuration. A
//! [`Reloader`] makes the next one: it takes a [`look`] at what the files say, has [`prepare`] build whatever differs
//! (that may fail, and then nothing changes), and swaps it in (that cannot fail). [`ramp`] is alpha on its way.

mod contents;
mod look;
mod prepare;
mod ramp;
mod reloader;
mod retired;
mod snapshot;
mod status;

pub use contents::{Contents, digest};
pub use prepare::{Commit, Loader, PrepareParts, ReloadError};
pub use reloader::{ConfigObserver, Reloader, Surroundings};
pub use snapshot::{Live, NotLive, Snapshot};
pub use status::{ConfigStatus, PendingError};
