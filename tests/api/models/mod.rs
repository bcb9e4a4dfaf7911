//! How the server loads, checks and runs models.

mod bundled;
mod concurrent_execution;
mod interfaces;
mod row_independence;
mod run_cancellation;
mod self_test;
