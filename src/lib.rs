//! Certimix: a gRPC server that mixes an accurate and a robust classifier and certifies its answers.
//!
//! # Layers
//!
//! Data flows one way: a module uses only modules of lower layers.
//!
//! | layer | module | contents |
//! |---|---|---|
//! | 8 | `fuzzing`, of tests and of `fuzz/` alone | the fuzz targets |
//! | 7 | [`cli`], [`app`], [`shutdown`] | commands; the composition of a server; signals |
//! | 6 | [`telemetry`] | logs, traces and metrics, which read every layer below |
//! | 5 | [`rpc`], [`live`] | the wire protocols; the state that requests read, and its reload |
//! | 5 | [`evaluation`] | data sets, and the outputs of both models for their inputs |
//! | 4 | [`classifier`] | both models as one: mixed predictions, the vote loop, certificates |
//! | 3 | [`scheduler`] | a queue of the rows of all requests, and the executor threads |
//! | 2 | [`onnx`] | manifests, sessions, execution providers: the only user of `ort` |
//! | 1 | [`settings`], [`call`] | typed settings; the record of a call and its observers |
//! | 0 | [`domain`], [`certificate`] | plain types; the mathematics, without side effects |
//!
//! # The path of a request
//!
//! The handler of a Predict checks the tensor and loads the live snapshot once. The classifier asks
//! the scheduler to admit the rows, and then submits them: one row for each model, or one row for the
//! standard model and a loop of votes for the robust model. Executor threads take the next
//! rows and run them on ONNX Runtime. `certificate` computes a radius from the outputs, the classifier
//! mixes them, and the handler encodes the response. A ModelInfer of the Open Inference Protocol takes
//! the same path with other conversions at both ends.

pub mod app;
pub mod call;
pub mod certificate;
pub mod classifier;
pub mod cli;
pub mod domain;
pub mod evaluation;
#[cfg(any(test, feature = "fuzzing"))]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a fuzz target stops at the first surprise"
)]
pub mod fuzzing;
pub mod live;
pub mod onnx;
pub mod rpc;
pub mod scheduler;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
