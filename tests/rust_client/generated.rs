//! The generated code of the client is that of `proto/`.

use std::path::Path;

/// The client's part of the code that the build of the server generates.
fn client_code() -> String {
    let generated = include_str!(concat!(env!("OUT_DIR"), "/certimix.v1.rs"));
    let (client, _) = generated.split_once("/// Generated server implementations.").unwrap();
    // A later server may send values that this client does not know, so a caller's match must allow for others.
    client.replace("#[repr(i32)]\n", "#[repr(i32)]\n#[non_exhaustive]\n")
}

/// The code is committed, so that the crate builds by itself and its users compile no generator.
#[test]
fn the_generated_code_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/rust/src/generated/certimix.v1.rs");
    if std::env::var_os("UPDATE_PROTO").is_some() {
        std::fs::write(&path, client_code()).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == client_code(),
        "{} is not what proto/ generates: UPDATE_PROTO=1 cargo test --test rust_client generated",
        path.display()
    );
}
