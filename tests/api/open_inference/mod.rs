//! The Open Inference Protocol.

mod errors;
mod infer;
mod model;
mod third_party_clients;
