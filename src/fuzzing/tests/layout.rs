//! Each target has a program and a corpus in `fuzz/`, and there are no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::corpus;
use crate::fuzzing::NAMES;

fn entries(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn each_target_has_a_program_and_a_corpus() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names: BTreeSet<String> = NAMES.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(entries(&fuzz.join("fuzz_targets")), names);
    assert_eq!(entries(&corpus::root()), names);
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let readme = fs::read_to_string(fuzz.join("README.md")).unwrap();
    for name in names {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is no program of fuzz/Cargo.toml"
        );
        assert!(
            readme.contains(&format!("| `{name}` |")),
            "{name} is missing in fuzz/README.md"
        );
        let program = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(
            program.contains(&format!("certimix::fuzzing::{name}(")),
            "{name}.rs runs another target"
        );
    }
}
