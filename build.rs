//! Compiles the `.proto` files with `protox`, so that nobody installs `protoc`.

use std::error::Error;
use std::{env, fs, path::PathBuf};

use prost::Message as _;

const PROTO_ROOT: &str = "proto";
const PROTO_FILES: &[&str] = &["certimix/v1/mixed_classifier.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO_ROOT}");
    let descriptors = protox::compile(PROTO_FILES, [PROTO_ROOT])?;
    // Server reflection answers from the same descriptors that the code was made from.
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("certimix_descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // Inputs are most of what comes in: they stay where the wire has put them.
        .bytes(".certimix.v1.Tensor.data")
        .compile_fds(descriptors)?;
    Ok(())
}
