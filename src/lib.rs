//! Certimix: a gRPC server that mixes an accurate and a robust classifier and certifies every answer.
//!
//! # The house
//!
//! Data flows one way; a module calls only layers below its own.
//!
//! | layer | module | what lives there |
//! |---|---|---|
//! | 6 | [`cli`], [`app`], [`shutdown`] | commands; the one place that composes; signals |
//! | 5 | [`rpc`], [`live`] | the wire; the state that requests read |
//! | 4 | [`classifier`] | both models as one: mixed predictions, the loop of votes, certificates |
//! | 3 | [`scheduler`] | rows of all requests, most urgent first, on executor threads |
//! | 2 | [`onnx`] | manifests, sessions, execution providers: the sole user of `ort` |
//! | 1 | [`settings`], [`telemetry`] | typed settings; logs, traces, metrics, and the record of each call with those who are told of it |
//! | 0 | [`domain`], [`certificate`] | plain types; the mathematics, pure |
//!
//! # The way of one request
//!
//! `rpc::service` takes a Predict, loads the live classifier once, and has `rpc::decode` check the tensor. The scheduler
//! lets it in or refuses it. `classifier::MixedClassifier` submits one row for each model, or one for the standard model and a loop of
//! votes for the robust one. Executor threads take rows as they come free and run them on ONNX Runtime. `certificate` turns
//! what came back into a radius, `classifier::MixedClassifier` mixes, `rpc::encode` answers. A ModelInfer of `rpc::open_inference` goes
//! the same way, with other first and last steps.

pub mod app;
pub mod certificate;
pub mod classifier;
pub mod cli;
pub mod domain;
pub mod live;
pub mod onnx;
pub mod rpc;
pub mod scheduler;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
