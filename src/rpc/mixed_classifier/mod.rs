//! The handlers of `certimix.v1.MixedClassifier`.
//!
//! [`service`] implements the generated trait. [`predict`] and [`certify`] answer one request:
//! [`decode_inputs`] and [`certification_params`] check it, `common::classify` classifies its
//! inputs, and [`encode`] writes the response. [`answer`] refuses a request whose answer may not fit. [`predict_stream`] and [`certify_stream`] are the
//! streams. [`model_info`] and [`shadow_report`] describe the server. [`request_error`] encodes the
//! error of one request of a stream.

mod answer;
mod certification_params;
mod certify;
mod certify_stream;
mod decode_inputs;
mod encode;
mod model_info;
mod predict;
mod predict_stream;
pub mod proto;
mod request_error;
mod service;
mod shadow_report;

pub(super) use service::MixedClassifierService;
