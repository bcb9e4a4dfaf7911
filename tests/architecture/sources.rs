//! The Rust sources of this repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The text of each file by its path. The path is relative to the repository.
pub type SourceFiles = BTreeMap<String, String>;

/// Reads every Rust file under `folder`, a path relative to the repository.
pub fn read(folder: &str) -> SourceFiles {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    find_rust_files(&repository.join(folder), &mut paths);
    let relative = |path: &Path| path.strip_prefix(repository).unwrap().to_string_lossy().into_owned();
    paths
        .into_iter()
        .map(|path| (relative(&path), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// Reads every Rust file under each of `folders`.
pub fn read_all(folders: &[&str]) -> SourceFiles {
    folders.iter().flat_map(|folder| read(folder)).collect()
}

/// Reads every file of the crate. Each path is relative to `src/`. Lines that hold only a comment
/// are left out.
pub fn read_crate_without_comments() -> SourceFiles {
    let files = read("src");
    assert!(files.len() > 50, "the sources were not found");
    files
        .into_iter()
        .map(|(path, text)| (path.trim_start_matches("src/").to_owned(), without_comments(&text)))
        .collect()
}

fn without_comments(text: &str) -> String {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    text.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

fn find_rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
