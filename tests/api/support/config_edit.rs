//! Edits of a configuration file in place.

use std::path::Path;

/// Replaces the content of `file` in one step, by a rename.
pub fn replace_file(file: &Path, change: impl FnOnce(&str) -> String) {
    let text = std::fs::read_to_string(file).unwrap();
    let new = file.with_extension("new");
    std::fs::write(&new, change(&text)).unwrap();
    std::fs::rename(&new, file).unwrap();
}

/// Returns the settings `text` with another number for `key`, which the text must have.
pub fn with_number(text: &str, key: &str, value: f64) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some((found, _)) if found == key => format!("{key} = {value}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// Returns the settings `text` with `key = value`, in place of any value that the key has there.
pub fn with_value(text: &str, key: &str, value: &str) -> String {
    let others = text.lines().filter(|line| line.split(" = ").next() != Some(key));
    others
        .map(str::to_owned)
        .chain([format!("{key} = {value}")])
        .fold(String::new(), |text, line| text + &line + "\n")
}
