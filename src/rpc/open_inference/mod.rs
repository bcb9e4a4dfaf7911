//! The Open Inference Protocol: KServe v2, with ModelConfig and ModelStatistics of Triton's extension.
//!
//! A second way to ask what Predict answers. [`service`] holds the handlers, [`infer`] the way of one ModelInfer: [`decode`]
//! and [`parameters`] read it, [`super::answering`] answers it like any Predict, [`encode`] writes it. [`outputs`] is the
//! one list of what can be asked for; [`metadata`] and [`model_config`] tell it. [`statistics`] counts.

mod decode;
mod encode;
mod infer;
mod metadata;
mod model_config;
mod outputs;
mod parameters;
pub mod proto;
mod reasons;
mod service;
mod statistics;
mod words;

pub(super) use service::OpenInference;

/// The one input.
const INPUT: &str = "input";
/// The one version.
const VERSION: &str = "1";
/// What runs the model, in this protocol's words.
const PLATFORM: &str = "certimix_onnx_mixture";
