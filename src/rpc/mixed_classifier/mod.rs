//! The protocol `certimix.v1`.

pub(super) mod certification_params;
mod certify_stream;
pub(super) mod decode_inputs;
pub(super) mod encode;
mod model_info;
mod predict_stream;
pub mod proto;
mod service;
mod shadow_report;
