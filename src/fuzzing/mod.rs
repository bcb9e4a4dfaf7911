//! The fuzz targets: each takes any bytes and panics on what must not happen.
//!
//! [`targets`] lists them. A module with private parts holds the bodies of its own targets in a
//! module `fuzzing`; the bodies of the others are here. `fuzz/` passes them to libFuzzer, and a
//! test of each runs its corpus and mutations of it.

mod answers;
mod connections;
mod credentials;
mod data_sets;
mod model_server;
mod raw_codec;
mod requests;
mod settings;
mod targets;
#[cfg(test)]
mod tests;

pub use targets::{
    NAMES, certificate_records, certificates, client_inputs, compressed_messages, connections, credentials, data_sets,
    manifests, onnx_graphs, proof_records, radius_queries, requests, scheduler, settings,
};
