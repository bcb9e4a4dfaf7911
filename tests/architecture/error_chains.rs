//! A chain of errors becomes text in one place. Many libraries repeat the text of the cause in their
//! own, so `{error:#}` prints it twice. `output::error_text` leaves the repetition out.

use crate::sources;

/// The end of a format with all causes of an error.
const CHAIN_FORMAT: &str = ":#}";

#[test]
fn chains_of_errors_are_printed_by_error_text() {
    let files = sources::read("src");
    let wrong: Vec<&String> = files
        .iter()
        .filter(|(_, text)| text.contains(CHAIN_FORMAT))
        .map(|(path, _)| path)
        .collect();
    assert!(
        wrong.is_empty(),
        "use cli::output::error_text instead of {CHAIN_FORMAT} in {wrong:?}"
    );
}
