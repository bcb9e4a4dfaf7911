//! The messages and services of the Open Inference Protocol, generated from `proto/inference/`.

#![allow(
    missing_docs,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated; the comments are in the .proto files"
)]

tonic::include_proto!("inference");

/// The descriptors of every message and service, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/inference_descriptors.bin"));
