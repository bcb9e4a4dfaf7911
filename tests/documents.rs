//! References in Markdown and in comments point to files, headings and `make` targets that exist.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold build products, downloads and caches.
const IGNORED_FOLDERS: [&str; 8] = [
    ".cache",
    ".git",
    ".runtime",
    ".venv",
    "__pycache__",
    "node_modules",
    "shared",
    "target",
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect_files(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !IGNORED_FOLDERS.contains(&name) {
                collect_files(&path, extensions, found);
            }
        } else if path
            .extension()
            .is_some_and(|extension| extensions.contains(&extension.to_str().unwrap()))
        {
            found.push(path);
        }
    }
}

/// Every file of the repository with one of `extensions`, and its text.
fn files(extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect_files(repository(), extensions, &mut found);
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap().display().to_string()
}

/// The lines of a Markdown document, each with whether it is inside a fenced code block.
fn lines_with_code(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut in_block = false;
    text.lines().filter_map(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        (!fence).then_some((in_block, line))
    })
}

/// `text` without fenced code blocks.
fn without_code_blocks(text: &str) -> String {
    let prose = lines_with_code(text).filter_map(|(code, line)| (!code).then_some(line));
    prose.collect::<Vec<_>>().join("\n")
}

/// The targets of the inline links and images of a Markdown document.
fn link_targets(text: &str) -> Vec<String> {
    let text = without_code_blocks(text);
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// The anchor that GitHub gives to a heading.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

fn anchors(document: &str) -> BTreeSet<String> {
    without_code_blocks(document)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(anchor)
        .collect()
}

#[test]
fn relative_links_resolve() {
    let mut broken = Vec::new();
    let mut checked = 0;
    for (document, text) in files(&["md"]) {
        for target in link_targets(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            let (path, fragment) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() {
                document.clone()
            } else {
                document.parent().unwrap().join(path)
            };
            let is_document = file.extension().is_some_and(|extension| extension == "md");
            if !file.exists() {
                broken.push(format!("{}: {target}: no such file", shown(&document)));
            } else if !fragment.is_empty()
                && is_document
                && !anchors(&fs::read_to_string(&file).unwrap()).contains(fragment)
            {
                broken.push(format!("{}: {target}: no such heading", shown(&document)));
            }
        }
    }
    assert!(checked > 50, "the documents were not found");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The paths such as `docs/reference/metrics.md` in `text` that start from the root of the repository.
fn document_paths(text: &str) -> BTreeSet<&str> {
    let is_path = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | '/');
    text.split(|letter: char| !is_path(letter))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| word.starts_with("docs/") && word.ends_with(".md"))
        .collect()
}

#[test]
fn document_paths_in_text_and_comments_resolve() {
    let mut missing = Vec::new();
    let mut checked = 0;
    for (file, text) in files(&["md", "proto", "py", "rs", "toml", "yml"]) {
        for path in document_paths(&text) {
            checked += 1;
            // A path can start from the folder of its file, or from the root.
            let beside = file.parent().unwrap().join(path);
            if !repository().join(path).exists() && !beside.exists() {
                missing.push(format!("{}: {path}", shown(&file)));
            }
        }
    }
    assert!(checked > 20, "the documents were not found");
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The first folders of the paths that `source_paths` finds.
const SOURCE_FOLDERS: [&str; 9] = [
    "benches/",
    "config/",
    "deploy/",
    "examples/",
    "models/",
    "proto/",
    "scripts/",
    "src/",
    "tests/",
];

/// The inline code of a Markdown document that is a path from the root of the repository.
fn source_paths(text: &str) -> Vec<&str> {
    let is_path = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | '/');
    lines_with_code(text)
        .filter_map(|(code, line)| (!code).then_some(line))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|code| SOURCE_FOLDERS.iter().any(|folder| code.starts_with(folder)) && code.chars().all(is_path))
        .collect()
}

#[test]
fn source_paths_in_documents_resolve() {
    let mut missing = Vec::new();
    let mut checked = 0;
    for (document, text) in files(&["md"]) {
        for path in source_paths(&text) {
            checked += 1;
            if !repository().join(path).exists() && !document.parent().unwrap().join(path).exists() {
                missing.push(format!("{}: {path}", shown(&document)));
            }
        }
    }
    assert!(checked > 20, "the paths were not found");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn commands_in_documents_are_make_targets() {
    let makefile = fs::read_to_string(repository().join("Makefile")).unwrap();
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter(|line| !line.starts_with(['\t', '#', '.']))
        .filter_map(|line| line.split_once(':'))
        .map(|(target, _)| target)
        .collect();
    let mut unknown = Vec::new();
    let mut checked = 0;
    for (document, text) in files(&["md"]) {
        let blocks = lines_with_code(&text).filter_map(|(code, line)| code.then_some(line)?.strip_prefix("make "));
        let inline = text.split('`').filter_map(|code| code.strip_prefix("make "));
        for command in blocks.chain(inline) {
            let Some(target) = command.split_whitespace().next() else {
                continue;
            };
            checked += 1;
            if !targets.contains(target) {
                unknown.push(format!("{}: make {target}", shown(&document)));
            }
        }
    }
    assert!(checked > 10, "the commands were not found");
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn the_workflow_and_the_script_of_ci_run_make_test() {
    for file in [".github/workflows/test.yml", ".ci/run"] {
        let text = fs::read_to_string(repository().join(file)).unwrap();
        let last = text.lines().last().unwrap();
        assert!(last.ends_with("make test"), "{file} ends with {last}");
    }
}
