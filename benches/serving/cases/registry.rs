//! The list of cases.

use super::{
    abuse, certify_throughput, config_reload, control_loop, evaluate, fair_share, load_levels, memory,
    open_inference_peer, overload, predict_beside_certify, saturation, single_caller, tiny_models, transports,
};
use crate::context::BenchContext;
use crate::provenance::Provenance;
use crate::report::CaseReport;

type RunCase = fn(&BenchContext, &Provenance) -> anyhow::Result<CaseReport>;

/// The cases by their letters in docs/benchmarks.md. `--only` takes these letters.
pub const CASES: &[(&str, RunCase)] = &[
    ("a", saturation::run),
    ("b", single_caller::run),
    ("c", tiny_models::run),
    ("d", predict_beside_certify::run),
    ("e", certify_throughput::run),
    ("f", overload::run),
    ("g", memory::run),
    ("h", load_levels::run),
    ("i", transports::run),
    ("j", config_reload::run),
    ("k", fair_share::run),
    ("l", abuse::run),
    ("m", evaluate::run),
    ("n", control_loop::run),
    ("o", open_inference_peer::run),
];
