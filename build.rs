//! Compiles the `.proto` files with `protox`, so that a build does not need `protoc`.

use std::error::Error;
use std::{env, fs, path::PathBuf};

use prost::Message as _;

const PROTO_ROOT: &str = "proto";
/// The `.proto` files, each with the file for its descriptors. The files are separate because server
/// reflection must list only the services that are served.
const PROTO_FILES: [(&str, &str); 2] = [
    ("certimix/v1/mixed_classifier.proto", "certimix_descriptors.bin"),
    ("inference/open_inference.proto", "inference_descriptors.bin"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO_ROOT}");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for (file, descriptors_file) in PROTO_FILES {
        let descriptors = protox::compile([file], [PROTO_ROOT])?;
        // Server reflection uses the descriptors from which the code is generated.
        fs::write(out.join(descriptors_file), descriptors.encode_to_vec())?;
        tonic_prost_build::configure()
            // Inputs are the largest fields: as `Bytes` they are not copied out of the message.
            .bytes(".certimix.v1.Tensor.data")
            .bytes(".inference.ModelInferRequest.raw_input_contents")
            .compile_fds(descriptors)?;
    }
    Ok(())
}
