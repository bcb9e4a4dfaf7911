//! Models whose load takes seconds, so that a test observes a server that is not ready yet.

use super::Setup;

/// The number of sessions of each model. Each one is opened and tested.
const EXECUTORS: usize = 8;

/// Settings of a server that loads for a second or more: a hundred times what a first request needs.
/// A slower machine needs longer for both.
pub fn slow_load() -> Setup {
    Setup::pair("slow_g", "slow_h").with("runtime.executors", EXECUTORS)
}
