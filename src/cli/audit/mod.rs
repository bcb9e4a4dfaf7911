//! The commands for auditors: whoever does not want to take the server's word.
//!
//! - `certimix radius` is the mathematics by itself: a `question` a line, its `fields` checked by name, an `answer` a line.
//! - `certimix verify` takes `certificates` that were served and `recompute`s them from their own counts.
//! - `certimix replay` draws the votes behind a certificate again and says whether they are the same.
//!
//! The last two show what they find as a list of `check`s.

mod answer;
mod certificates;
mod check;
mod fields;
mod object;
mod question;
mod radius;
mod recompute;
mod replay;
mod verify;

pub use radius::{RadiusArgs, run as run_radius};
pub use replay::{ReplayArgs, run as run_replay};
pub use verify::{VerifyArgs, run as run_verify};
