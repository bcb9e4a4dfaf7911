//! The messages and services of `certimix.v1`, generated from `proto/certimix/`.

#![allow(
    missing_docs,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated; the comments are in the .proto files"
)]

tonic::include_proto!("certimix.v1");

/// The descriptors of every message and service, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/certimix_descriptors.bin"));
