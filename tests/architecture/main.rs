//! Rules of the source tree that the compiler does not check.
//!
//! | module | rule |
//! |---|---|
//! | `layers` | a module uses only the layers below its own |
//! | `cycles` | no two files use each other, directly or through others |
//! | `module_files` | a `mod.rs` declares and re-exports modules, and holds no logic |
//! | `sole_users` | some external crates have one user |
//! | `config_files` | configuration files are read by one bounded reader |
//! | `error_chains` | a chain of errors becomes text in one place, without repetitions |
//! | `log_fields` | a log line shows no value as its `Debug` text |
//! | `file_length` | a file stays short enough to read |
//! | `nan_propagation` | the mathematics of a radius never drops a NaN |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod config_files;
mod cycles;
mod error_chains;
mod file_length;
mod imports;
mod layers;
mod log_fields;
mod module_files;
mod nan_propagation;
mod sole_users;
mod sources;
