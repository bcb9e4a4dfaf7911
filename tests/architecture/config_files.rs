//! The server reads configuration files through one bounded reader, which also tells the reloader what
//! is read.

use crate::sources;

/// The only reader of configuration files.
const READER: &str = "settings/config_file.rs";

/// Files that may open others: the commands of people and the data that
/// they name, the fuzz targets, and files of the kernel, whose
/// paths are constants.
const EXCEPTIONS: [&str; 7] = [
    "cli/",
    "evaluation/",
    "fuzzing/",
    "onnx/cpu_description.rs",
    "settings/cpu_quota.rs",
    "settings/memory_limit.rs",
    "telemetry/metrics/endpoint_slots.rs",
];

/// The beginnings of calls that open a file.
const OPENING: [&str; 4] = ["fs::read", "File::open", "File::options", "OpenOptions"];

#[test]
fn files_are_opened_by_the_bounded_reader_alone() {
    let mut wrong = Vec::new();
    for (path, text) in sources::read_crate_without_comments() {
        let is_exception = path == READER || EXCEPTIONS.iter().any(|exception| path.starts_with(exception));
        if is_exception || path.contains("tests") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        wrong.extend(
            OPENING
                .iter()
                .filter(|call| code.contains(*call))
                .map(|call| format!("{path} calls {call}: use settings::read_config_file")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
