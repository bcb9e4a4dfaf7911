//! Reports when files may have changed.
//!
//! The watcher watches folders, not files: editors, `mv` and Kubernetes all put a new file in the
//! place of the old one. Its reports are hints. The receiver must compare contents, and must also
//! compare them now and then without a hint, because some file systems report nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode, EventKind, MetadataKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

/// The symlink that Kubernetes moves to the newest version of a ConfigMap or a Secret.
const KUBERNETES_DATA: &str = "..data";

/// A hint that files may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeHint {
    /// The settings file is complete: its writer closed it, or moved it into place.
    Complete,
    /// Some file may have changed.
    Possible,
}

/// Device and inode of a folder. A folder that is deleted and created again has another identity.
type FolderId = (u64, u64);

/// Watches the folders of files until it is dropped.
pub struct FileWatcher {
    watcher: RecommendedWatcher,
    folders: BTreeMap<PathBuf, FolderId>,
    /// Names of the files that matter.
    file_names: Arc<Mutex<BTreeSet<OsString>>>,
}

impl FileWatcher {
    /// Calls `on_change`, on a thread of the watcher, after each change to one of the files that
    /// [`FileWatcher::set_files`] names. [`ChangeHint::Complete`] refers to the file `settings`.
    ///
    /// # Errors
    /// With a message, if the operating system provides no watch.
    pub fn start(settings: &Path, on_change: impl Fn(ChangeHint) + Send + 'static) -> Result<Self, String> {
        let file_names = Arc::<Mutex<BTreeSet<OsString>>>::default();
        let (watched, settings_name) = (Arc::clone(&file_names), settings.file_name().map(OsStr::to_owned));
        let handle = move |event: notify::Result<notify::Event>| {
            // An error, or an event without a name, may stand for lost events.
            let Ok(event) = event else {
                return on_change(ChangeHint::Possible);
            };
            let any_name =
                |wanted: &dyn Fn(&OsStr) -> bool| event.paths.iter().filter_map(|path| path.file_name()).any(wanted);
            let is_watched = || {
                let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
                event.paths.is_empty() || any_name(&|name| name == KUBERNETES_DATA || watched.contains(name))
            };
            if is_change(event.kind) && is_watched() {
                let is_settings = any_name(&|name| name == KUBERNETES_DATA || Some(name) == settings_name.as_deref());
                on_change(if is_settings && completes_file(event.kind) {
                    ChangeHint::Complete
                } else {
                    ChangeHint::Possible
                });
            }
        };
        let watcher = notify::recommended_watcher(handle).map_err(|error| error.to_string())?;
        Ok(Self {
            watcher,
            folders: BTreeMap::new(),
            file_names,
        })
    }

    /// Watches the folders of `files` from now on, and no others. Returns an error message for each
    /// folder that cannot be watched; the other folders are watched all the same.
    pub fn set_files<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) -> Vec<String> {
        let (mut wanted, mut names) = (BTreeMap::new(), BTreeSet::new());
        for file in files {
            for path in [Some(file.to_path_buf()), std::fs::canonicalize(file).ok()]
                .into_iter()
                .flatten()
            {
                names.extend(path.file_name().map(OsStr::to_owned));
                let folder = canonical_folder(&path);
                if let Ok(found) = std::fs::metadata(&folder) {
                    wanted.insert(folder, (found.dev(), found.ino()));
                }
            }
        }
        *self.file_names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        let mut errors = Vec::new();
        let old = std::mem::take(&mut self.folders);
        for (unwanted, _) in old.iter().filter(|(folder, id)| wanted.get(*folder) != Some(id)) {
            // This fails for a deleted folder, whose watch has ended already.
            drop(self.watcher.unwatch(unwanted));
        }
        for (folder, id) in wanted {
            if old.get(&folder) == Some(&id) {
                self.folders.insert(folder, id);
                continue;
            }
            match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.folders.insert(folder, id)),
                // A ConfigMap's folder may go between the look and the watch. Its successor is watched by
                // the update that follows the same event.
                Err(error) if is_absent(&error) => {}
                Err(mut error) => {
                    // The message names the folder once.
                    error.paths.clear();
                    errors.push(format!("{}: {error}", folder.display()));
                }
            }
        }
        errors
    }
}

/// Whether a folder cannot be watched because it does not exist.
fn is_absent(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(reason) => reason.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// The folder of a file, under one name. The operating system has one watch per folder, so ending
/// the watch under one name would end it under every name.
fn canonical_folder(file: &Path) -> PathBuf {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf())
}

/// Whether an event is the last one of a writer.
fn completes_file(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both))
    )
}

/// Whether an event may have changed the contents of a complete file. The operating system reports
/// each part that is written; only the closing of the file counts.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(ModifyKind::Metadata(MetadataKind::Permissions | MetadataKind::Any)) => true,
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => false,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    /// A watcher of `file`, and the hints that it sends.
    fn watching(file: &Path) -> (FileWatcher, mpsc::Receiver<ChangeHint>) {
        let (sender, hints) = mpsc::channel();
        let mut watcher = FileWatcher::start(file, move |hint| sender.send(hint).unwrap_or_default()).unwrap();
        assert_eq!(watcher.set_files([file]), [""; 0]);
        (watcher, hints)
    }

    #[test]
    fn a_deleted_file_is_watched_for_its_return() {
        let folder = tempfile::tempdir().unwrap();
        let (real, alias) = (folder.path().join("real"), folder.path().join("alias"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &alias).unwrap();
        let file = alias.join("settings.toml");
        std::fs::write(&file, "one").unwrap();
        let (mut watcher, hints) = watching(&file);
        std::fs::remove_file(&file).unwrap();
        hints.recv_timeout(TIMEOUT).unwrap();
        assert_eq!(watcher.set_files([file.as_path()]), [""; 0]);
        while hints.recv_timeout(Duration::from_millis(100)).is_ok() {}
        std::fs::write(&file, "two").unwrap();
        hints.recv_timeout(TIMEOUT).unwrap();
    }

    #[test]
    fn a_closed_or_renamed_file_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, "one").unwrap();
        let (_watcher, hints) = watching(&file);
        // The watcher ignores other files in the folder.
        std::fs::write(folder.path().join("other"), "x").unwrap();
        let new = folder.path().join("new");
        std::fs::write(&new, "two").unwrap();
        assert_eq!(
            hints.recv_timeout(Duration::from_millis(200)),
            Err(mpsc::RecvTimeoutError::Timeout)
        );
        std::fs::rename(&new, &file).unwrap();
        assert_eq!(hints.recv_timeout(TIMEOUT), Ok(ChangeHint::Complete));
        while hints.recv_timeout(Duration::from_millis(100)).is_ok() {}
        let written = std::fs::write(&file, "three");
        assert_eq!(
            (written.is_ok(), hints.recv_timeout(TIMEOUT)),
            (true, Ok(ChangeHint::Complete))
        );
    }

    #[test]
    fn an_absent_folder_is_no_error() {
        let absent = notify::Error::new(notify::ErrorKind::PathNotFound);
        let removed = notify::Error::io(std::io::ErrorKind::NotFound.into());
        let full = notify::Error::new(notify::ErrorKind::MaxFilesWatch);
        assert_eq!(
            [absent, removed, full].map(|error| is_absent(&error)),
            [true, true, false]
        );
    }

    #[test]
    fn a_recreated_folder_is_watched_again() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("conf");
        let file = folder.join("settings.toml");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(&file, "one").unwrap();
        let (mut watcher, hints) = watching(&file);
        std::fs::rename(&folder, outer.path().join("old")).unwrap();
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(watcher.set_files([file.as_path()]), [""; 0]);
        while hints.recv_timeout(Duration::from_millis(100)).is_ok() {}
        std::fs::write(&file, "two").unwrap();
        hints.recv_timeout(TIMEOUT).unwrap();
    }
}
