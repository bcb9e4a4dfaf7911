//! The commands `certimix predict`, `certify`, `info` and `health`, as people and scripts use them.

mod command;
mod failures;
mod health;
mod interruption;
mod overload;
mod sources;
mod tables;
