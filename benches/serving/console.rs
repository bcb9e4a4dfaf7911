//! Lines on standard error.

use std::io::Write as _;

/// Prints one line. A failure is ignored, because there is no other place to report it.
pub fn print_line(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").unwrap_or_default();
}
