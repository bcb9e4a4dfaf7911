//! Replaces a settings file in one step, and finds out first whether it can be replaced.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use tempfile::NamedTempFile;

use super::settings_file::{SettingsFile, SettingsText};

/// A new text beside the settings file, ready to take its place. Until it is dropped, no other
/// `certimix alpha set` can prepare a change of the file.
pub(super) struct Replacement<'a> {
    file: &'a SettingsFile,
    expected: &'a SettingsText,
    new: NamedTempFile,
    /// The locked folder. `None` on a file system without locks, where the comparison of the text
    /// alone detects another change.
    _lock: Option<File>,
}

impl<'a> Replacement<'a> {
    /// Writes `new` beside `file`, which must still have the text `expected`. Changes nothing yet.
    ///
    /// # Errors
    /// If the file cannot be replaced, with the reason and a remedy; if another process is changing
    /// it, or has changed it.
    pub(super) fn prepare(
        file: &'a SettingsFile,
        expected: &'a SettingsText,
        new: &SettingsText,
    ) -> anyhow::Result<Self> {
        let shown = file.given_path.display();
        let folder = file.path.parent().unwrap_or(Path::new("."));
        if is_mount_point(&file.path) {
            bail!(
                "{shown} is a mount point: a single file that is mounted cannot be replaced, and the server of a container \
                 would not see a new file beside it\n  Mount its folder instead, or change the source of the mount."
            );
        }
        let before = fs::metadata(&file.path).with_context(|| format!("cannot change {shown}"))?;
        if before.permissions().readonly() {
            bail!("{shown} is read-only\n  Allow changes with chmod u+w, or change it where it comes from.");
        }
        let lock = lock(folder, &file.given_path)?;
        let new = write_beside(folder, &before, new).map_err(|error| cannot_write(folder, &file.given_path, &error))?;
        let replacement = Self {
            file,
            expected,
            new,
            _lock: lock,
        };
        replacement.check_unchanged()?;
        Ok(replacement)
    }

    /// Puts the new text in place, unless the file has changed since it was read.
    pub(super) fn commit(self) -> anyhow::Result<()> {
        self.check_unchanged()?;
        let Self { file, new, .. } = self;
        new.persist(&file.path)
            .map(drop)
            .with_context(|| format!("cannot change {}", file.given_path.display()))
    }

    fn check_unchanged(&self) -> anyhow::Result<()> {
        if !self.file.has(self.expected) {
            bail!(
                "cannot change {}: another process has changed it in the meantime; nothing was written",
                self.file.given_path.display()
            );
        }
        Ok(())
    }
}

/// Replaces `old` with `new` at once.
pub(super) fn replace(file: &SettingsFile, old: &SettingsText, new: &SettingsText) -> anyhow::Result<()> {
    Replacement::prepare(file, old, new)?.commit()
}

/// Locks `folder` for this process. The file itself is replaced, so a lock on it would not hold.
fn lock(folder: &Path, file: &Path) -> anyhow::Result<Option<File>> {
    let Ok(opened) = File::open(folder) else {
        return Ok(None);
    };
    match opened.try_lock() {
        Ok(()) => Ok(Some(opened)),
        Err(TryLockError::WouldBlock) => bail!(
            "another process is changing {}: run the command again after it, on what it leaves",
            file.display()
        ),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Writes `text` to a file in `folder` with the owner and the permissions of the old file.
fn write_beside(folder: &Path, old: &Metadata, text: &SettingsText) -> std::io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text.0.as_bytes())?;
    file.as_file().set_permissions(old.permissions())?;
    let now = file.as_file().metadata()?;
    if (now.uid(), now.gid()) != (old.uid(), old.gid()) {
        std::os::unix::fs::fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
    }
    file.as_file().sync_all()?;
    Ok(file)
}

fn cannot_write(folder: &Path, file: &Path, error: &std::io::Error) -> anyhow::Error {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let advice = match error.kind() {
        ErrorKind::ReadOnlyFilesystem => "The file system is read-only: change the file where it comes from.",
        ErrorKind::PermissionDenied => "Run the command as the owner of the file, who can write its folder.",
        _ => "The file is replaced in one step, which needs a second file beside it.",
    };
    anyhow::anyhow!(
        "cannot change {}: its folder {} cannot be written: {}\n  {advice}",
        file.display(),
        folder.display(),
        error.kind()
    )
}

/// Whether `path`, without symlinks, is itself mounted, as a container mounts a single file.
fn is_mount_point(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    lists_mount_point(&mounts, path)
}

/// Whether the fifth field of a line of `mountinfo` is `path`. Spaces in it are octal escapes.
fn lists_mount_point(mountinfo: &str, path: &Path) -> bool {
    let Some(path) = path.to_str() else { return false };
    let escaped = path
        .replace('\\', "\\134")
        .replace(' ', "\\040")
        .replace('\t', "\\011")
        .replace('\n', "\\012");
    mountinfo
        .lines()
        .any(|line| line.split(' ').nth(4) == Some(escaped.as_str()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::certificate::Alpha;

    fn file(text: &str) -> anyhow::Result<(tempfile::TempDir, SettingsFile)> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("certimix.toml");
        fs::write(&path, text)?;
        let file = SettingsFile::open(&path)?;
        Ok((directory, file))
    }

    #[test]
    fn a_concurrent_change_is_kept() -> anyhow::Result<()> {
        let (_directory, file) = file("mixture.alpha = 0.6\n")?;
        let edited = file.with_alpha(Alpha::new(0.7)?, None)?;
        let prepared = Replacement::prepare(&file, &file.text, &edited)?;
        fs::write(&file.path, "mixture.alpha = 0.8\n")?;
        assert!(prepared.commit().is_err());
        assert!(replace(&file, &file.text, &edited).is_err());
        assert_eq!(fs::read_to_string(&file.path)?, "mixture.alpha = 0.8\n");
        fs::write(&file.path, "mixture.alpha = 0.6\n")?;
        replace(&file, &file.text, &edited)?;
        assert_eq!(fs::read_to_string(&file.path)?, "mixture.alpha = 0.7\n");
        replace(&file, &edited, &file.text)?;
        assert_eq!(fs::read_to_string(&file.path)?, "mixture.alpha = 0.6\n");
        Ok(())
    }

    #[test]
    fn the_second_of_two_changes_fails_at_once() -> anyhow::Result<()> {
        let (_directory, file) = file("mixture.alpha = 0.6\n")?;
        let (first, second) = (
            file.with_alpha(Alpha::new(0.7)?, None)?,
            file.with_alpha(Alpha::new(0.8)?, None)?,
        );
        let prepared = Replacement::prepare(&file, &file.text, &first)?;
        let error = Replacement::prepare(&file, &file.text, &second).err();
        assert!(error.is_some_and(|error| error.to_string().contains("another process is changing")));
        prepared.commit()?;
        let error = Replacement::prepare(&file, &file.text, &second).err();
        assert!(error.is_some_and(|error| error.to_string().contains("has changed it in the meantime")));
        assert_eq!(fs::read_to_string(&file.path)?, "mixture.alpha = 0.7\n");
        Ok(())
    }

    #[test]
    fn a_read_only_file_is_not_changed() -> anyhow::Result<()> {
        let (_directory, file) = file("mixture.alpha = 0.6\n")?;
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o444))?;
        let edited = file.with_alpha(Alpha::new(0.7)?, None)?;
        let error = replace(&file, &file.text, &edited).err();
        assert!(error.is_some_and(|error| error.to_string().contains("is read-only")));
        Ok(())
    }

    #[test]
    fn a_mounted_file_is_recognised() {
        let mounts = "28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
                      40 28 254:1 /x /etc/my\\040app/certimix.toml rw - ext4 /dev/root rw\n";
        assert!(lists_mount_point(mounts, Path::new("/etc/my app/certimix.toml")));
        assert!(!lists_mount_point(mounts, Path::new("/etc/certimix.toml")));
        assert!(lists_mount_point(mounts, Path::new("/")));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_explained() {
        for (kind, expected) in [
            (ErrorKind::ReadOnlyFilesystem, "read-only"),
            (ErrorKind::PermissionDenied, "owner"),
        ] {
            let error = cannot_write(Path::new(""), Path::new("certimix.toml"), &kind.into()).to_string();
            assert!(error.contains(expected) && error.contains("folder . cannot"), "{error}");
        }
    }
}
