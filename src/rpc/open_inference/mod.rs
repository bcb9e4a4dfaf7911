//! The Open Inference Protocol: KServe v2, with ModelConfig and ModelStatistics of Triton's extension.
//!
//! A second way to ask what Predict answers. [`service`] holds the handlers, [`model_infer`] the way of one ModelInfer: [`decode_inputs`]
//! and [`request_parameters`] read it, [`super::common::classify`] answers it like any Predict, [`encode`] writes it. [`outputs`] is the
//! one list of what can be asked for; [`metadata`] and [`model_config`] tell it. [`statistics`] counts.

mod decode_inputs;
mod encode;
mod metadata;
mod model_config;
mod model_infer;
mod outputs;
pub mod proto;
mod quoting;
mod request_parameters;
mod service;
mod statistics;
mod uncertified_reasons;

pub(super) use service::OpenInference;

/// The one input.
const INPUT: &str = "input";
/// The one version.
const VERSION: &str = "1";
/// What runs the model, in this protocol's words.
const PLATFORM: &str = "certimix_onnx_mixture";
