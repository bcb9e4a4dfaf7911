//! The Open Inference Protocol.

mod errors;
mod infer;
mod tritonclient;
