//! Which keys may change while the server runs.

use super::Settings;
use crate::domain::Violations;

/// Keys that are read at start alone, and sections of such (they end in a dot): what they stand for is built once.
const FIXED: [&str; 9] = [
    "server.listen",
    "server.unix_socket",
    "server.unix_socket_mode",
    "server.threads",
    "runtime.library",
    "log.format",
    "metrics.",
    "traces.",
    "open_inference.",
];

fn is_fixed(key: &str) -> bool {
    FIXED.iter().any(|fixed| match fixed.ends_with('.') {
        true => key.starts_with(fixed),
        false => key == *fixed,
    })
}

/// Whether a server that runs with `now` can go over to `next`.
///
/// # Errors
/// Every key that differs and cannot.
pub fn check_reload(now: &Settings, next: &Settings) -> Result<(), Violations> {
    let mut wrong = Violations::default();
    // Every key is among the effective ones of either.
    for (key, to) in next.effective.iter().filter(|(key, _)| is_fixed(key)) {
        let from = now.effective.get(key);
        wrong.check(from == Some(to), key, || {
            format!(
                "cannot be reloaded: the server runs with {}, the file says {to}; restart it, or put the old value back",
                from.map_or("", String::as_str)
            )
        });
    }
    wrong.into_result()
}
