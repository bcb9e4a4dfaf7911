//! Edits one value of a settings file, and keeps all other text.

use std::fs::{self, Metadata};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use toml_edit::{DocumentMut, Item, Value};

use crate::certificate::Alpha;
use crate::settings::{self, SettingsSource};

/// The name of Kubernetes' symlink to the newest version of a ConfigMap.
const CONFIG_MAP_SYMLINK: &str = "..data";

/// A settings file, and its text at the time of reading.
pub(super) struct SettingsFile {
    /// The path of the file with all symlinks resolved.
    path: PathBuf,
    /// The path as the caller gave it, for messages.
    given_path: PathBuf,
    text: SettingsText,
}

/// The text of a settings file.
pub(super) struct SettingsText(String);

impl SettingsText {
    /// The SHA-256 that the server reports for this text.
    pub(super) fn sha256(&self) -> String {
        settings::sha256(&self.0)
    }
}

impl SettingsFile {
    /// Reads the file at `path`.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let message = || format!("cannot read the settings file {}", path.display());
        let text = SettingsText(fs::read_to_string(path).with_context(message)?);
        let directory = path.parent().unwrap_or(Path::new(""));
        if fs::symlink_metadata(directory.join(CONFIG_MAP_SYMLINK)).is_ok() {
            bail!(
                "{} comes from a Kubernetes ConfigMap: change it there, with kubectl edit configmap ...",
                path.display()
            );
        }
        Ok(Self {
            path: fs::canonicalize(path).with_context(message)?,
            given_path: path.to_path_buf(),
            text,
        })
    }

    /// The SHA-256 that the server reports for the text that was read.
    pub(super) fn sha256(&self) -> String {
        self.text.sha256()
    }

    /// The text with another `mixture.alpha`.
    pub(super) fn with_alpha(&self, alpha: Alpha) -> anyhow::Result<SettingsText> {
        let message = || format!("{} is not valid TOML", self.given_path.display());
        let mut document: DocumentMut = self.text.0.parse().with_context(message)?;
        let mixture = document.entry("mixture").or_insert_with(toml_edit::table);
        let Some(mixture) = mixture.as_table_like_mut() else {
            bail!("{}: mixture: expected a table", self.given_path.display());
        };
        let mut value = Value::from(alpha.get());
        // Keeps the white space and the comment around the old value.
        if let Some(old) = mixture.get("alpha").and_then(Item::as_value) {
            *value.decor_mut() = old.decor().clone();
        }
        match mixture.get_mut("alpha") {
            Some(old) => *old = Item::Value(value),
            None => drop(mixture.insert("alpha", Item::Value(value))),
        }
        let text = document.to_string();
        self.check_alpha(&text)?;
        Ok(SettingsText(text))
    }

    /// Rejects an alpha that the server would reject. Other keys are not checked: environment
    /// variables of the server may override them.
    fn check_alpha(&self, text: &str) -> anyhow::Result<()> {
        let Err(error) = SettingsSource::new(&self.path, []).parse(text) else {
            return Ok(());
        };
        let violations = error.violations().0;
        let Some(violation) = violations.iter().find(|violation| violation.field == "mixture.alpha") else {
            return Ok(());
        };
        bail!("{}: {}", violation.field, violation.message)
    }

    /// Replaces the file atomically with `new`, and keeps its owner and permissions. Fails if the
    /// file has changed since it was read.
    pub(super) fn replace(&self, new: &SettingsText) -> anyhow::Result<()> {
        self.replace_if_unchanged(&self.text, new)
    }

    fn replace_if_unchanged(&self, expected: &SettingsText, new: &SettingsText) -> anyhow::Result<()> {
        self.write(expected, new)
            .with_context(|| format!("cannot change {}", self.given_path.display()))
    }

    /// Undoes [`SettingsFile::replace`]. Fails if the file has changed since.
    pub(super) fn restore(&self, new: &SettingsText) -> anyhow::Result<()> {
        self.replace_if_unchanged(new, &self.text)
    }

    fn write(&self, expected: &SettingsText, text: &SettingsText) -> anyhow::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let before: Metadata = fs::metadata(&self.path)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(text.0.as_bytes())?;
        file.as_file().set_permissions(before.permissions())?;
        let now = file.as_file().metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            std::os::unix::fs::fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
        }
        file.as_file().sync_all()?;
        if fs::read_to_string(&self.path)? != expected.0 {
            bail!("another process has changed it in the meantime");
        }
        file.persist(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_alpha(text: &str, alpha: f64) -> anyhow::Result<String> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("certimix.toml");
        fs::write(&path, text)?;
        Ok(SettingsFile::open(&path)?.with_alpha(Alpha::new(alpha)?)?.0)
    }

    #[test]
    fn one_value_changes_and_comments_are_kept() -> anyhow::Result<()> {
        let cases = [
            (
                "# top\n[mixture]\nalpha = 0.76   # why\nx = 1 # y\n",
                "# top\n[mixture]\nalpha = 0.5   # why\nx = 1 # y\n",
            ),
            ("mixture.alpha=0.76 # why\n", "mixture.alpha=0.5 # why\n"),
            (
                "mixture = { alpha = 0.76 } # why\n",
                "mixture = { alpha = 0.5 } # why\n",
            ),
            ("[mixture] # here\n", "[mixture] # here\nalpha = 0.5\n"),
            (
                "# nothing\n[log]\nformat = \"json\"\n",
                "# nothing\n[log]\nformat = \"json\"\n\n[mixture]\nalpha = 0.5\n",
            ),
        ];
        for (before, after) in cases {
            assert_eq!(with_alpha(before, 0.5)?, after);
        }
        Ok(())
    }

    #[test]
    fn an_alpha_outside_the_configured_range_is_rejected() -> anyhow::Result<()> {
        let error = with_alpha("[mixture]\nalpha = 0.76\nalpha_min = 0.6\n", 0.5).unwrap_err();
        assert!(error.to_string().contains("mixture.alpha_min = 0.6"), "{error}");
        assert!(with_alpha("mixture = 3\n", 0.5).is_err());
        assert!(with_alpha("mixture = = 3\n", 0.5).is_err());
        Ok(())
    }

    #[test]
    fn a_file_of_a_config_map_is_not_edited() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        std::os::unix::fs::symlink(".", directory.path().join(CONFIG_MAP_SYMLINK))?;
        let path = directory.path().join("certimix.toml");
        fs::write(&path, "")?;
        let error = SettingsFile::open(&path).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("kubectl")));
        Ok(())
    }

    #[test]
    fn a_concurrent_change_is_kept() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("certimix.toml");
        fs::write(&path, "mixture.alpha = 0.6\n")?;
        let file = SettingsFile::open(&path)?;
        let edited = file.with_alpha(Alpha::new(0.7)?)?;
        fs::write(&path, "mixture.alpha = 0.8\n")?;
        assert!(file.replace(&edited).is_err());
        assert_eq!(fs::read_to_string(&path)?, "mixture.alpha = 0.8\n");
        fs::write(&path, "mixture.alpha = 0.6\n")?;
        file.replace(&edited)?;
        assert_eq!(fs::read_to_string(&path)?, "mixture.alpha = 0.7\n");
        file.restore(&edited)?;
        assert_eq!(fs::read_to_string(&path)?, "mixture.alpha = 0.6\n");
        Ok(())
    }
}
