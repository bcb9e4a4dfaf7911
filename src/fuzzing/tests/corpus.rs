//! The inputs in `fuzz/corpus`.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of all corpora.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// The inputs of `target` in the order of their names, each with its path.
pub fn read(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = root().join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} holds no input", folder.display());
    paths
        .into_iter()
        .map(|path| {
            let bytes = fs::read(&path).unwrap();
            (path, bytes)
        })
        .collect()
}
