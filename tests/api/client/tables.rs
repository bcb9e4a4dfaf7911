//! The table, colours and quiet output in a pipe.

use super::command::{INPUT, Server, array};
use crate::support::Setup;

/// A server whose first two classes have the same label.
fn server_with_equal_labels() -> Server {
    let edits = [(
        "[\"left\", \"middle\", \"right\"]",
        "[\"crane\", \"middle\", \"crane\"]",
    )];
    let setup = Setup::pair("linear_g", "linear_h")
        .edited("models.standard", "linear_g", &edits)
        .edited("models.robust", "linear_h", &edits);
    Server::start(setup)
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[test]
fn a_pipe_has_80_columns_unless_columns_is_set() {
    let server = server_with_equal_labels();
    let file = server.file("an-input-with-a-rather-long-name.npy", &array(&[INPUT; 2]));
    let table = server.run(&["predict", &file]);
    assert_eq!(table.code, Some(0), "{}", table.stderr);
    assert!(
        widest(&table.stdout) <= 80 && table.stdout.contains("long-name.npy[1]"),
        "{}",
        table.stdout
    );
    assert!(table.stdout.contains("crane (0)"), "{}", table.stdout);
    let narrow = server.run_with(&["predict", &file], &[("COLUMNS", "44")], b"");
    assert!(widest(&narrow.stdout) <= 44, "{}", narrow.stdout);
    let info = server.run(&["info"]);
    assert!(
        widest(&info.stdout) <= 80 && info.stdout.contains("3: crane, middle, crane"),
        "{}",
        info.stdout
    );
}

#[test]
fn colours_and_the_summary_follow_the_options() {
    let server = server_with_equal_labels();
    let file = server.file("1-middle.npy", &array(&[INPUT]));
    let plain = server.run_with(&["predict", &file], &[("TERM", "xterm")], b"");
    assert!(
        !plain.stdout.contains('\u{1b}') && plain.stdout.contains("0 of 1 correct"),
        "{plain:?}"
    );
    let colour = server.run_with(&["predict", &file, "--color", "always"], &[("NO_COLOR", "1")], b"");
    assert!(colour.stdout.contains('\u{1b}'), "{colour:?}");
    let quiet = server.run(&["predict", &file, "--quiet"]);
    assert!(
        quiet.stdout.contains("crane (0) ✗") && !quiet.stdout.contains("correct"),
        "{quiet:?}"
    );
    assert_eq!(quiet.stderr, "");
}
