//! A settings file that is edited: one value changes, the rest stays as it is.

use std::fs::{self, Metadata};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use toml_edit::{DocumentMut, Item, Value};

use crate::certificate::Alpha;
use crate::settings::{self, SettingsSource};

/// What Kubernetes calls the symlink to a ConfigMap's newest version.
const CONFIG_MAP_DATA: &str = "..data";

/// A settings file as it was found.
pub(crate) struct SettingsFile {
    /// The file itself, behind every symlink.
    path: PathBuf,
    named: PathBuf,
    text: Text,
}

/// The text of a settings file.
pub(crate) struct Text(String);

impl Text {
    /// As the server names it.
    pub(crate) fn sha256(&self) -> String {
        settings::sha256(&self.0)
    }
}

impl SettingsFile {
    /// Reads the file at `path`.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot read the settings file {}", path.display());
        let text = Text(fs::read_to_string(path).with_context(cannot)?);
        let folder = path.parent().unwrap_or(Path::new(""));
        if fs::symlink_metadata(folder.join(CONFIG_MAP_DATA)).is_ok() {
            bail!(
                "{} comes from a Kubernetes ConfigMap, and is changed there: kubectl edit configmap …",
                path.display()
            );
        }
        Ok(Self {
            path: fs::canonicalize(path).with_context(cannot)?,
            named: path.to_path_buf(),
            text,
        })
    }

    /// As the server names it.
    pub(crate) fn sha256(&self) -> String {
        self.text.sha256()
    }

    /// The same with another `mixture.alpha`.
    pub(crate) fn with_alpha(&self, alpha: Alpha) -> anyhow::Result<Text> {
        let cannot = || format!("{} is not TOML", self.named.display());
        let mut document: DocumentMut = self.text.0.parse().with_context(cannot)?;
        let mixture = document.entry("mixture").or_insert_with(toml_edit::table);
        let Some(mixture) = mixture.as_table_like_mut() else {
            bail!("{}: mixture is not a table", self.named.display());
        };
        let mut value = Value::from(alpha.get());
        // What stands around the old value, such as a comment behind it.
        if let Some(old) = mixture.get("alpha").and_then(Item::as_value) {
            *value.decor_mut() = old.decor().clone();
        }
        match mixture.get_mut("alpha") {
            Some(old) => *old = Item::Value(value),
            None => drop(mixture.insert("alpha", Item::Value(value))),
        }
        let text = document.to_string();
        self.check(&text)?;
        Ok(Text(text))
    }

    /// What a server would refuse is not written. Only of this section: others may be set by variables of the server's own.
    fn check(&self, text: &str) -> anyhow::Result<()> {
        let Err(error) = SettingsSource::new(&self.path, []).parse(text) else {
            return Ok(());
        };
        let violations = error.violations().0;
        let Some(wrong) = violations.iter().find(|wrong| wrong.field == "mixture.alpha") else {
            return Ok(());
        };
        bail!("{}: {}", wrong.field, wrong.message)
    }

    /// Puts `new` in the file's place in one step, with its owner and permissions. What somebody else has written meanwhile stays.
    pub(crate) fn replace(&self, new: &Text) -> anyhow::Result<()> {
        self.put(&self.text, new)
    }

    fn put(&self, expected: &Text, new: &Text) -> anyhow::Result<()> {
        self.write(expected, new)
            .with_context(|| format!("cannot change {}", self.named.display()))
    }

    /// Undoes [`SettingsFile::replace`], unless somebody else has changed the file since.
    pub(crate) fn put_back(&self, new: &Text) -> anyhow::Result<()> {
        self.put(new, &self.text)
    }

    fn write(&self, expected: &Text, text: &Text) -> anyhow::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let before: Metadata = fs::metadata(&self.path)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.0.as_bytes())?;
        file.as_file().set_permissions(before.permissions())?;
        let now = file.as_file().metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            std::os::unix::fs::fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
        }
        file.as_file().sync_all()?;
        if fs::read_to_string(&self.path)? != expected.0 {
            bail!("somebody else has changed it meanwhile");
        }
        file.persist(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_alpha(text: &str, alpha: f64) -> anyhow::Result<String> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("certimix.toml");
        fs::write(&path, text)?;
        Ok(SettingsFile::open(&path)?.with_alpha(Alpha::new(alpha)?)?.0)
    }

    #[test]
    fn one_value_changes_and_comments_stay() -> anyhow::Result<()> {
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
    fn what_the_guard_rails_forbid_is_not_written() -> anyhow::Result<()> {
        let error = with_alpha("[mixture]\nalpha = 0.76\nalpha_min = 0.6\n", 0.5).unwrap_err();
        assert!(error.to_string().contains("mixture.alpha_min = 0.6"), "{error}");
        assert!(with_alpha("mixture = 3\n", 0.5).is_err());
        assert!(with_alpha("mixture = = 3\n", 0.5).is_err());
        Ok(())
    }

    #[test]
    fn a_config_map_is_not_edited() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        std::os::unix::fs::symlink(".", folder.path().join(CONFIG_MAP_DATA))?;
        let path = folder.path().join("certimix.toml");
        fs::write(&path, "")?;
        let error = SettingsFile::open(&path).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("kubectl")));
        Ok(())
    }
}
