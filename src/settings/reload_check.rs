//! Rejects a reload that changes a key which is read at start only.

use super::all_tables::{Settings, described_keys};
use super::setting_key::Reloadability;
use crate::domain::Violations;

/// Whether a server that runs with `current` can reload `next`.
///
/// # Errors
/// With every key that differs and is read at start only.
pub fn check_reload(current: &Settings, next: &Settings) -> Result<(), Violations> {
    let mut violations = Violations::default();
    let restart_only = described_keys()
        .into_iter()
        .filter(|key| key.reload == Reloadability::RestartOnly);
    for key in restart_only {
        let value = |settings: &Settings| settings.effective.get(key.name).cloned().unwrap_or_default();
        let (from, to) = (value(current), value(next));
        violations.check(from == to, key.name, || {
            if key.is_secret {
                return "cannot be reloaded: the file has another value than the server runs with; restart the server, \
                        or restore the old value"
                    .to_owned();
            }
            format!(
                "cannot be reloaded: the server runs with {from}, the file has {to}; restart the server, or restore the old value"
            )
        });
    }
    violations.into_result()
}
