//! `docs/README.md` lists every document.

use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

#[test]
fn the_index_lists_every_document() {
    let folder = repository("docs");
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut found = Vec::new();
    documents(&folder, &mut found);
    assert!(found.len() > 10, "the documents were not found");
    for document in found.iter().filter(|path| !path.ends_with("README.md")) {
        let path = document.strip_prefix(&folder).unwrap().display().to_string();
        assert!(index.contains(&format!("]({path})")), "{path} is not in docs/README.md");
    }
}
