//! The only place that turns settings into a running server.
//!
//! Start-up: listen while not serving; load and warm both models; swap them in; serve and follow the
//! configuration. Shutdown: stop serving and wait until load balancers have noticed; accept no new
//! connections and no more requests of open streams; finish the requests in flight, within a time
//! limit; end the model threads.

mod components;
mod config_check;
mod error;
mod health;
mod memory_bound;
mod model_lifecycle;
mod observability;
mod run;

pub use config_check::{ConfigCheck, check_config, check_config_offline};
pub use error::AppError;
pub use memory_bound::{MemoryPart, memory_bound};
pub use model_lifecycle::ReadyReport;
pub use run::{ServerInputs, run};
