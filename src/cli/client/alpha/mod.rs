//! `certimix alpha`: reads and changes alpha of a running server.
//!
//! [`set`] changes it: [`settings_file`] edits the text, [`replacement`] finds out whether the file
//! can be replaced and replaces it, [`diagnosis`] finds out whether that would have an effect, and
//! [`change_report`] says what it did.

mod change_report;
mod command;
mod diagnosis;
mod replacement;
mod served_alpha;
mod set;
mod settings_file;

pub use command::{AlphaArgs, run};
