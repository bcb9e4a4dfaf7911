//! The cases, one file each. A case starts the servers that it needs, measures, and returns its
//! report.

mod abuse;
mod certify_throughput;
mod config_reload;
mod control_loop;
mod evaluate;
mod fair_share;
mod format;
mod load_levels;
mod memory;
mod open_inference_peer;
mod overload;
mod paired_rounds;
mod predict_beside_certify;

mod registry;
mod round_statistics;
mod saturation;
mod single_caller;
mod tiny_models;
mod transports;

pub use registry::CASES;
