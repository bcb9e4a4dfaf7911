//! Every promise of the security guide names tests that hold it, and those tests exist.
//!
//! A paragraph or a list item ends with `Tests:` and the paths of its tests, as nextest prints them:
//! the binary, the modules and the function. A table has a last column `tests`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

const GUIDE: &str = include_str!("../docs/guides/security.md");

/// A heading or a block with this end promises nothing.
const NO_PROMISE: &str = "(no promise)";

/// The blocks of a Markdown document: its paragraphs, list items and table rows with the heading
/// above them. Code blocks and headings are left out.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut heading = String::new();
    let mut blocks: Vec<(String, String)> = Vec::new();
    let (mut is_code, mut continues) = (false, false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            continues = false;
        } else if is_code || line.trim().is_empty() {
            continues &= is_code;
        } else if line.starts_with('#') {
            line.clone_into(&mut heading);
            continues = false;
        } else {
            let begins = line.starts_with(['|', '-']);
            match blocks.last_mut().filter(|_| continues && !begins) {
                Some((_, block)) => {
                    block.push(' ');
                    block.push_str(line);
                }
                None => blocks.push((heading.clone(), line.to_owned())),
            }
            continues = !line.starts_with('|');
        }
    }
    blocks
}

/// The part of a block that names its tests; `None` for the head of a table.
fn named_tests(block: &str) -> Option<&str> {
    if block.starts_with('|') {
        let cell = block.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        return (cell != "tests" && !cell.starts_with("---")).then_some(cell);
    }
    Some(block.rsplit_once("Tests:").map_or("", |(_, tests)| tests))
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a file holds, without `tests` and `mod`.
fn modules<'a>(segments: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let named = |segment: &&str| !matches!(*segment, "tests" | "mod" | "main" | "lib");
    segments.filter(named).collect()
}

/// Whether a test with this path exists, such as `api::connections::tls::a_name`.
fn test_exists(path: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let segments: Vec<&str> = path.split("::").collect();
    let [binary, middle @ .., name] = segments.as_slice() else {
        return false;
    };
    let folder = match *binary {
        "certimix" => root.join("src"),
        binary => root.join("tests").join(binary),
    };
    let mut files = Vec::new();
    if folder.is_dir() {
        rust_files(&folder, &mut files);
    } else {
        files.extend(Some(folder.with_extension("rs")).filter(|file| file.is_file()));
    }
    let wanted = modules(middle.iter().copied());
    files.iter().any(|file| {
        let below = file.strip_prefix(&folder).unwrap_or(Path::new("")).with_extension("");
        let found = below.iter().map(|segment| segment.to_str().unwrap());
        modules(found) == wanted && defines_test(&fs::read_to_string(file).unwrap(), name)
    })
}

/// Whether `text` defines a test function `name`.
fn defines_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let definition = format!("fn {name}(");
    lines.iter().enumerate().any(|(at, line)| {
        let mut attributes = lines[..at].iter().rev().take_while(|line| line.starts_with(['#', '/']));
        let is_test = |line: &str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        line.contains(&definition) && attributes.any(|line| is_test(line))
    })
}

#[test]
fn every_promise_of_the_security_guide_names_its_tests() {
    let mut faults = Vec::new();
    let mut promises = 0;
    for (heading, block) in blocks(GUIDE) {
        let Some(tests) =
            named_tests(&block).filter(|_| ![&heading, &block].iter().any(|text| text.ends_with(NO_PROMISE)))
        else {
            continue;
        };
        promises += 1;
        if quoted(tests).next().is_none() {
            faults.push(format!("{heading}: no test is named: {block}"));
        }
        let missing = quoted(tests).filter(|test| !test_exists(test));
        faults.extend(missing.map(|test| format!("{heading}: no such test: {test}")));
    }
    assert!(promises > 20, "the promises were not found");
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_promise_without_a_test_is_found() {
    let text = "# A title\n\nA promise. Tests: `promises::a_promise_without_a_test_is_found`.\n\nAnother one\nin two lines.\n\n\
                | key | tests |\n|---|---|\n| a | `promises::nothing` |\n";
    let found = blocks(text);
    let tests: Vec<Option<&str>> = found.iter().map(|(_, block)| named_tests(block)).collect();
    let expected = [
        Some(" `promises::a_promise_without_a_test_is_found`."),
        Some(""),
        None,
        None,
        Some("`promises::nothing`"),
    ];
    assert_eq!(tests, expected);
    assert!(test_exists("promises::a_promise_without_a_test_is_found"));
    assert!(!test_exists("promises::nothing"));
    assert!(!test_exists("promises::blocks"));
    assert!(test_exists(
        "certimix::call::caller::tests::the_hosts_of_one_ipv6_network_are_one_principal"
    ));
}
