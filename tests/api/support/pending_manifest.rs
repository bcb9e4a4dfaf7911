//! A robust model whose manifest is a named pipe: the server keeps loading until a test writes it.

use std::path::PathBuf;
use std::process::Command;

use super::Setup;
use super::setup::manifest;

/// Points the settings at a pipe. The server blocks while it reads the manifest from there.
pub fn with_pending_manifest(setup: Setup) -> (Setup, PathBuf) {
    let path = setup.folder().join("pending.toml");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    (setup.path("models.robust", &path), path)
}

/// Writes the manifest of `linear_h` into the pipe, so that the server goes on loading.
pub async fn write_manifest(pipe: PathBuf) {
    let write = move || std::fs::write(pipe, manifest("linear_h", &[]));
    tokio::task::spawn_blocking(write).await.unwrap().unwrap();
}
