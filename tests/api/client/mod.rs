//! The commands `certimix predict`, `certify` and `info`, as people and scripts use them.

mod command;
mod failures;
mod interruption;
mod overload;
mod sources;
mod tables;
