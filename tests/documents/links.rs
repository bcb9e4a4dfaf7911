//! Links between documents, and paths of documents in comments, lead to files that exist.

use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;

/// Folders with text that people write.
const FOLDERS: [&str; 9] = [
    "benches", "config", "deploy", "docs", "models", "proto", "scripts", "src", "tests",
];
const EXTENSIONS: [&str; 6] = ["md", "proto", "py", "rs", "toml", "yml"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
        {
            found.push(path);
        }
    }
}

fn texts() -> Vec<(PathBuf, String)> {
    let mut paths = vec![repository("README.md"), repository("Makefile")];
    for folder in FOLDERS {
        files(&repository(folder), &mut paths);
    }
    assert!(paths.len() > 100, "{paths:?}");
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The targets of `[text](target)` in a Markdown text, outside of code blocks.
fn link_targets(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose
        .flat_map(|part| part.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .filter(|target| !target.contains("://") && !target.contains(' '))
}

/// The anchor that GitHub gives to a heading.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            letter if letter.is_alphanumeric() || letter == '-' || letter == '_' => Some(letter),
            _ => None,
        })
        .collect()
}

fn has_anchor(text: &str, wanted: &str) -> bool {
    text.lines()
        .filter_map(|line| line.strip_prefix('#'))
        .any(|heading| anchor(heading.trim_start_matches('#').trim()) == wanted)
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut broken = Vec::new();
    for (path, text) in texts() {
        if path.extension().is_none_or(|extension| extension != "md") || path.ends_with("settings_head.md") {
            continue;
        }
        for target in link_targets(&text) {
            let (file, wanted) = target.split_once('#').unwrap_or((target, ""));
            let linked = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let found = linked.exists()
                && (wanted.is_empty() || has_anchor(&fs::read_to_string(&linked).unwrap_or_default(), wanted));
            if !found {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn paths_of_documents_exist() {
    let mut broken = Vec::new();
    for (path, text) in texts() {
        for (start, _) in text.match_indices("docs/") {
            let is_path_letter = |letter: char| letter.is_ascii_alphanumeric() || "/-_.".contains(letter);
            let before = text[..start].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || "/-_".contains(letter)) {
                continue;
            }
            let end = text[start..].find(|letter| !is_path_letter(letter)).unwrap_or(0);
            let Some(document) = text[start..start + end].split_inclusive(".md").next() else {
                continue;
            };
            if document.ends_with(".md") && !repository(document).exists() {
                broken.push(format!("{}: {document}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_index_lists_every_document() {
    let index = fs::read_to_string(repository("docs/README.md")).unwrap();
    let mut documents = Vec::new();
    files(&repository("docs"), &mut documents);
    for document in documents.iter().filter(|path| !path.ends_with("README.md")) {
        let path = document.strip_prefix(repository("docs")).unwrap().display().to_string();
        assert!(index.contains(&format!("]({path})")), "{path} is not in docs/README.md");
    }
}
