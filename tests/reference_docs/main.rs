//! The reference documents agree with the code.
//!
//! `UPDATE_DOCS=1 cargo test --test reference_docs` rewrites the documents that are rendered from code.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod index;
mod manifests;
mod memory;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};

/// `path` in the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Checks that the file at `path` is `rendered`, or rewrites it if `UPDATE_DOCS` is set.
fn assert_rendered(path: &str, rendered: &str) {
    let file = repository(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, rendered).unwrap();
        return;
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    let difference = committed
        .lines()
        .zip(rendered.lines())
        .find(|(committed, rendered)| committed != rendered);
    assert!(
        committed == rendered,
        "{path} is out of date: run `UPDATE_DOCS=1 cargo test --test reference_docs`; first difference: {difference:?}"
    );
}
