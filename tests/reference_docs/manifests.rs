//! `docs/reference/manifests.md` agrees with the manifest reader.

use std::fs;

use certimix::onnx::Manifest;

use crate::repository;

fn reference() -> String {
    fs::read_to_string(repository("docs/reference/manifests.md")).unwrap()
}

/// The examples: code blocks in TOML that start with the version.
fn examples(text: &str) -> Vec<&str> {
    text.split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block))
        .filter(|block| block.starts_with("manifest_version"))
        .collect()
}

fn read(text: &str) -> Result<Manifest, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.toml");
    fs::write(&path, text).unwrap();
    Manifest::read(&path).map_err(|error| error.to_string())
}

#[test]
fn every_example_is_a_valid_manifest() {
    let text = reference();
    let mut kinds: Vec<&str> = examples(&text)
        .into_iter()
        .map(|example| {
            let manifest = read(example).unwrap_or_else(|error| panic!("{error}\n{example}"));
            manifest.guarantee.name()
        })
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let all = [
        "gaussian_smoothing",
        "lipschitz_logits",
        "lipschitz_probabilities",
        "none",
    ];
    assert_eq!(kinds, all);
}

/// The dotted names of the fields in `table`.
fn fields(prefix: &str, table: &toml::Table, found: &mut Vec<String>) {
    for (name, value) in table {
        let path = format!("{prefix}{name}");
        match value {
            toml::Value::Table(inner) => fields(&format!("{path}."), inner, found),
            _ => found.push(path),
        }
    }
}

/// The parser names every field that it accepts in its error about an unknown one.
fn accepted_fields(example: &str, line: &str) -> Vec<String> {
    let error = read(&example.replacen(line, &format!("{line}\nno_such_field = 1"), 1)).unwrap_err();
    let (_, expected) = error
        .split_once("expected one of ")
        .or_else(|| error.split_once("expected "))
        .unwrap();
    let names = expected.lines().next().unwrap().split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn every_field_is_documented() {
    let text = reference();
    for example in examples(&text) {
        let mut names = Vec::new();
        fields("", &example.parse().unwrap(), &mut names);
        for (line, prefix) in [
            ("manifest_version = 1", ""),
            ("[input]", "input."),
            ("[output]", "output."),
            ("[guarantee]", "guarantee."),
        ] {
            let accepted = accepted_fields(example, line);
            assert!(accepted.len() > 1 || prefix == "guarantee.", "{accepted:?}");
            names.extend(accepted.into_iter().map(|name| format!("{prefix}{name}")));
        }
        let tables = ["input", "output", "guarantee"];
        for name in names.iter().filter(|name| !tables.contains(&name.as_str())) {
            assert!(text.contains(&format!("| `{name}` |")), "{name} is not documented");
        }
    }
}
