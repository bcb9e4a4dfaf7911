//! Reads a settings file, and changes one value of its text.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use toml_edit::{DocumentMut, Item, Value};

use crate::certificate::{Alpha, Temperature};
use crate::settings::{self, ConfigFileKind, Settings, SettingsSource, read_config_text, toml_error_text};

/// The name of Kubernetes' symlink to the newest version of a ConfigMap.
const CONFIG_MAP_SYMLINK: &str = "..data";

/// A settings file, and its text at the time of reading.
pub(super) struct SettingsFile {
    /// The path of the file with all symlinks resolved.
    pub(super) path: PathBuf,
    /// The path as the caller gave it, for messages.
    pub(super) given_path: PathBuf,
    pub(super) text: SettingsText,
}

/// The text of a settings file.
#[derive(PartialEq, Eq)]
pub(super) struct SettingsText(pub(super) String);

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
        let text = SettingsText(read_config_text(ConfigFileKind::Settings, path).with_context(message)?);
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

    /// Whether the file that the caller named still has the text `expected`. A file that cannot be read
    /// has not. A symlink in the path may lead to another file by now.
    pub(super) fn has(&self, expected: &SettingsText) -> bool {
        read_config_text(ConfigFileKind::Settings, &self.given_path).is_ok_and(|text| text == expected.0)
    }

    /// The alpha of the file, without environment variables; `None` if it is not valid.
    pub(super) fn alpha(&self) -> Option<f64> {
        Some(self.values(&self.text, "mixture.alpha")?.mixture.weights.alpha().get())
    }

    /// `mixture.alpha_ramp` of the file, without environment variables.
    pub(super) fn alpha_ramp(&self) -> Duration {
        let values = self.values(&self.text, "mixture.alpha_ramp");
        values.map_or(Duration::ZERO, |values| values.tuning.alpha_ramp)
    }

    /// The fallback alpha of `text`, which may follow alpha; `None` if it is not valid.
    pub(super) fn fallback_alpha(&self, text: &SettingsText) -> Option<f64> {
        let values = self.values(text, "mixture.fallback_alpha")?;
        Some(values.mixture.weights.fallback_alpha().get())
    }

    /// The values of `text`, if that of `key` is valid.
    fn values(&self, text: &SettingsText, key: &str) -> Option<Settings> {
        let read = SettingsSource::new(&self.path, []).read_values(&text.0).ok()?;
        let is_valid = read.violations.0.iter().all(|violation| violation.field != key);
        read.settings.filter(|_| is_valid)
    }

    /// The text with another `mixture.alpha`, and another `mixture.fallback_alpha` if one is given.
    pub(super) fn with_alpha(&self, alpha: Alpha, fallback_alpha: Option<Alpha>) -> anyhow::Result<SettingsText> {
        let mut text = self.with_mixture_value(&self.text, "alpha", alpha.get())?;
        if let Some(fallback_alpha) = fallback_alpha {
            text = self.with_mixture_value(&text, "fallback_alpha", fallback_alpha.get())?;
        }
        // A smaller alpha may leave fallback_alpha above it.
        self.check(&text, &["mixture.alpha", "mixture.fallback_alpha"])?;
        Ok(text)
    }

    /// `text` with another `mixture.robust_temperature`.
    pub(super) fn with_temperature(
        &self,
        text: &SettingsText,
        temperature: Temperature,
    ) -> anyhow::Result<SettingsText> {
        let text = self.with_mixture_value(text, "robust_temperature", temperature.get())?;
        self.check(&text, &["mixture.robust_temperature"])?;
        Ok(text)
    }

    /// `text` with another value of the key `name` of `[mixture]`.
    fn with_mixture_value(&self, text: &SettingsText, name: &str, value: f64) -> anyhow::Result<SettingsText> {
        let message = || format!("{} is not valid TOML", self.given_path.display());
        // The parser of the document quotes the line, which may hold a secret.
        toml::de::DeTable::parse(&text.0)
            .map_err(|error| anyhow::anyhow!(toml_error_text(&text.0, &error)))
            .with_context(message)?;
        let mut document: DocumentMut = text.0.parse().map_err(|_| anyhow::anyhow!(message()))?;
        let mixture = document.entry("mixture").or_insert_with(toml_edit::table);
        let Some(mixture) = mixture.as_table_like_mut() else {
            bail!("{}: mixture: expected a table", self.given_path.display());
        };
        let mut value = Value::from(value);
        // Keeps the white space and the comment around the old value.
        if let Some(old) = mixture.get(name).and_then(Item::as_value) {
            *value.decor_mut() = old.decor().clone();
        }
        match mixture.get_mut(name) {
            Some(old) => *old = Item::Value(value),
            None => drop(mixture.insert(name, Item::Value(value))),
        }
        Ok(SettingsText(document.to_string()))
    }

    /// Rejects values of `keys` that the server would reject. Other keys are not checked:
    /// environment variables of the server may override them.
    fn check(&self, text: &SettingsText, keys: &[&str]) -> anyhow::Result<()> {
        let Err(error) = SettingsSource::new(&self.path, []).parse(&text.0) else {
            return Ok(());
        };
        let violations = error.violations().0;
        let Some(violation) = violations
            .iter()
            .find(|violation| keys.contains(&violation.field.as_str()))
        else {
            return Ok(());
        };
        bail!("{}: {}", violation.field, violation.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> anyhow::Result<(tempfile::TempDir, SettingsFile)> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("certimix.toml");
        fs::write(&path, text)?;
        let file = SettingsFile::open(&path)?;
        Ok((directory, file))
    }

    fn with_alpha(text: &str, alpha: f64) -> anyhow::Result<String> {
        let (_directory, file) = open(text)?;
        Ok(file.with_alpha(Alpha::new(alpha)?, None)?.0)
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
    fn the_temperature_changes_beside_alpha() -> anyhow::Result<()> {
        let (_directory, file) = open("[mixture]\nalpha = 0.76\nrobust_temperature = 1 # T\n")?;
        let edited = file.with_alpha(Alpha::new(0.8)?, None)?;
        let edited = file.with_temperature(&edited, Temperature::new(0.05)?)?;
        assert_eq!(edited.0, "[mixture]\nalpha = 0.8\nrobust_temperature = 0.05 # T\n");
        let error = file
            .with_temperature(&edited, Temperature::new(1e9)?)
            .err()
            .map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("mixture.robust_temperature")));
        Ok(())
    }

    #[test]
    fn an_alpha_outside_the_configured_range_is_rejected() -> anyhow::Result<()> {
        let error = with_alpha("[mixture]\nalpha = 0.76\nalpha_min = 0.6\n", 0.5).unwrap_err();
        assert!(error.to_string().contains("mixture.alpha_min = 0.6"), "{error}");
        let error = with_alpha("[mixture]\nalpha = 0.76\nfallback_alpha = 0.6\n", 0.5).unwrap_err();
        assert!(error.to_string().contains("mixture.fallback_alpha"), "{error}");
        assert!(with_alpha("mixture = 3\n", 0.5).is_err());
        assert!(with_alpha("mixture = = 3\n", 0.5).is_err());
        Ok(())
    }

    #[test]
    fn the_values_of_the_file_are_read_with_their_defaults() -> anyhow::Result<()> {
        let (_directory, file) = open("[mixture]\nalpha = 0.8\nalpha_ramp = \"2s\"\n")?;
        assert_eq!((file.alpha(), file.alpha_ramp()), (Some(0.8), Duration::from_secs(2)));
        let (_directory, file) = open("[log]\nfilter = 3\n")?;
        assert_eq!((file.alpha(), file.alpha_ramp()), (Some(0.76), Duration::ZERO));
        assert_eq!(file.fallback_alpha(&file.text), Some(0.76));
        let (_directory, file) = open("[mixture]\nalpha = 7\n")?;
        assert_eq!(file.alpha(), None);
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
}
