//! The Open Inference Protocol: KServe v2, with ModelConfig and ModelStatistics of Triton's
//! extension.
//!
//! Its ModelInfer is another way to call Predict. [`service`] implements the generated trait, and
//! [`model_infer`] answers one ModelInfer: [`decode_inputs`] and [`request_parameters`] read it,
//! `common::classify` classifies its inputs, and [`encode`] writes the response. [`outputs`] is the
//! one list of available outputs; [`metadata`] and [`model_config`] publish it. [`statistics`]
//! counts requests and adds up their times.

mod decode_inputs;
mod encode;
mod metadata;
mod model_config;
mod model_infer;
mod outputs;
mod parameter_value;
pub mod proto;
mod protocol_constants;
mod quoting;
mod request_parameters;
mod service;
mod statistics;
mod tensor_parameters;
mod uncertified_reasons;

pub(super) use service::OpenInferenceService;
