//! A file holds one idea, so it stays short.

use crate::sources;

/// The most lines of a file, without lines that hold only a comment.
const MAX_LINES: usize = 500;

#[test]
fn no_file_is_longer_than_the_limit() {
    let long: Vec<_> = sources::read_crate_without_comments()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > MAX_LINES)
        .map(|(path, _)| path)
        .collect();
    assert!(long.is_empty(), "over {MAX_LINES} lines: {long:?}");
}
