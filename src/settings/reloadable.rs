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
    let keys = now.effective.keys().chain(next.effective.keys());
    let mut fixed: Vec<_> = keys.filter(|key| is_fixed(key)).collect();
    fixed.sort();
    fixed.dedup();
    for key in fixed {
        let (from, to) = (now.effective.get(key), next.effective.get(key));
        wrong.check(from == to, key, || {
            let shown = |value: Option<&String>| value.cloned().unwrap_or_default();
            format!(
                "cannot be reloaded: the server runs with {}, the file says {}; restart it, or put the old value back",
                shown(from),
                shown(to)
            )
        });
    }
    wrong.into_result()
}
