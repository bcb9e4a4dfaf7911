//! Compiles the `.proto` files with `protox`, so that nobody installs `protoc`.

use std::error::Error;
use std::{env, fs, path::PathBuf};

use prost::Message as _;

const PROTO_ROOT: &str = "proto";
/// Each with the file that its descriptors go to: what is not served must not be listed by server reflection.
const PROTO_FILES: [(&str, &str); 2] = [
    ("certimix/v1/mixed_classifier.proto", "certimix_descriptors.bin"),
    ("inference/open_inference.proto", "inference_descriptors.bin"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO_ROOT}");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for (file, descriptors_file) in PROTO_FILES {
        let descriptors = protox::compile([file], [PROTO_ROOT])?;
        // Server reflection answers from the same descriptors that the code was made from.
        fs::write(out.join(descriptors_file), descriptors.encode_to_vec())?;
        tonic_prost_build::configure()
            // Inputs are most of what comes in: they stay where the wire has put them.
            .bytes(".certimix.v1.Tensor.data")
            .bytes(".inference.ModelInferRequest.raw_input_contents")
            .compile_fds(descriptors)?;
    }
    Ok(())
}
