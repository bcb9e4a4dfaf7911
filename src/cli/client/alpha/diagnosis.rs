//! Finds out, before the file is edited, whether an edit can have the effect that it is meant to
//! have.

use anyhow::bail;

use super::served_alpha::{ServedAlpha, is_same};
use super::settings_file::SettingsFile;
use crate::cli::client::results::short_revision;
use crate::settings::variable_of_key;

/// Checks that the server at `address` runs with `file`, and that no environment variable overrides
/// one of `keys`, which an edit changes. Returns what the operator should know.
///
/// # Errors
/// With the reason why an edit of the file would not change the alpha of the server.
pub(super) fn check_effect(
    served: &ServedAlpha,
    file: &SettingsFile,
    keys: &[&str],
    address: &str,
) -> anyhow::Result<Vec<String>> {
    let shown = file.given_path.display();
    let config = &served.config;
    let own = file.sha256();
    let rejected = config.pending_error.as_ref();
    let is_rejected = rejected.is_some_and(|error| error.file_sha256 == own);
    if config.file_sha256 != own && !is_rejected {
        bail!(
            "the server at {address} does not run with {shown}: the SHA-256 of its settings file is {}…, that of this file \
             {}…\n  Name the server's file with --config, or edit this file with --no-wait. If this file was changed a \
             moment ago, try again.",
            short_revision(&config.file_sha256),
            short_revision(&own)
        );
    }
    let overridden = config.overridden_keys.iter();
    if let Some(found) = overridden.into_iter().find(|found| keys.contains(&found.key.as_str())) {
        bail!(
            "an edit of {shown} has no effect: on the server at {address} the environment variable {} overrides {}\n  \
             Change the variable and restart the server, or remove the variable.",
            found.variable,
            found.key
        );
    }
    // A server of an earlier version does not list the overridden keys.
    if let Some(file_alpha) = file.alpha()
        && !is_rejected
        && !is_same(file_alpha, config.target_alpha)
    {
        bail!(
            "the server at {address} uses alpha {} where {shown} has {file_alpha}: its environment variable {} overrides \
             mixture.alpha\n  Change the variable and restart the server, or remove the variable.",
            config.target_alpha,
            variable_of_key("mixture.alpha")
        );
    }
    let mut notes = Vec::new();
    if is_rejected {
        notes.push(format!(
            "the server rejects {shown} as it is now; this change may not mend that"
        ));
    }
    if !is_same(served.alpha, config.target_alpha) {
        notes.push(format!(
            "a ramp from {} to {} is under way: the change starts from the alpha that it has reached",
            served.alpha, config.target_alpha
        ));
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::settings_file::SettingsText;
    use super::*;
    use crate::rpc::proto::{ConfigStatus, OverriddenKey, PendingError};

    const KEYS: [&str; 1] = ["mixture.alpha"];

    fn file(alpha: f64) -> SettingsFile {
        SettingsFile {
            path: PathBuf::from("certimix.toml"),
            given_path: PathBuf::from("certimix.toml"),
            text: SettingsText(format!("mixture.alpha = {alpha}\n")),
        }
    }

    fn served(alpha: f64, target_alpha: f64, file_sha256: String) -> ServedAlpha {
        ServedAlpha {
            robust_temperature: 1.0,
            alpha,
            fallback_alpha: None,
            limits: None,
            revision: String::new(),
            unavailable_reason: String::new(),
            largest_radius: 0.0,
            norm: String::new(),
            config: ConfigStatus {
                file_sha256,
                target_alpha,
                ..Default::default()
            },
        }
    }

    #[test]
    fn another_file_and_an_override_are_refused() {
        let file = file(0.76);
        let sha256 = file.sha256();
        let refused = |served| check_effect(&served, &file, &KEYS, "x").unwrap_err().to_string();
        assert!(refused(served(0.76, 0.76, "ab".repeat(32))).contains("does not run with"));
        let overridden = refused(served(0.9, 0.9, sha256.clone()));
        assert!(overridden.contains("CERTIMIX__MIXTURE__ALPHA"), "{overridden}");
        assert!(
            check_effect(&served(0.76, 0.76, sha256.clone()), &file, &KEYS, "x")
                .unwrap()
                .is_empty()
        );
        // The variable has the same alpha as the file now, and will not have that of the edit.
        let mut same = served(0.76, 0.76, sha256);
        let variable = |key: &str| OverriddenKey {
            key: key.to_owned(),
            variable: "CERTIMIX__SOME__KEY".to_owned(),
        };
        same.config.overridden_keys = vec![variable("server.listen")];
        assert!(check_effect(&same, &file, &KEYS, "x").unwrap().is_empty());
        same.config.overridden_keys.push(variable("mixture.alpha"));
        let overridden = refused(same);
        assert!(overridden.contains("CERTIMIX__SOME__KEY"), "{overridden}");
    }

    #[test]
    fn a_ramp_and_a_rejected_file_are_noted() {
        let file = file(0.8);
        let notes = check_effect(&served(0.7, 0.8, file.sha256()), &file, &KEYS, "x").unwrap();
        assert!(notes.len() == 1 && notes[0].contains("from 0.7 to 0.8"), "{notes:?}");
        let mut rejecting = served(0.7, 0.7, "ab".repeat(32));
        rejecting.config.pending_error = Some(PendingError {
            file_sha256: file.sha256(),
            ..Default::default()
        });
        let notes = check_effect(&rejecting, &file, &KEYS, "x").unwrap();
        assert!(notes.len() == 1 && notes[0].contains("rejects"), "{notes:?}");
    }
}
