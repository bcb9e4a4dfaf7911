//! Tells when files may have changed: the folders they are in are watched, since editors, `mv` and Kubernetes all put another
//! file in the old one's place.
//!
//! What is told is a hint. Whoever hears it compares contents, and looks now and then without a hint too: not every file
//! system tells.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode, EventKind, MetadataKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

/// What Kubernetes calls the symlink to the newest version of a ConfigMap or a Secret.
const MOUNTED: &str = "..data";

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// The settings file is complete: it was closed by its writer, or put in the old one's place.
    Complete,
    /// Something may have changed.
    Maybe,
}

/// Watches until it is dropped.
pub struct Watch {
    watcher: RecommendedWatcher,
    /// Folders that are watched, each with what it was on its disk: one that is made anew is another one.
    folders: BTreeMap<PathBuf, (u64, u64)>,
    /// Names of files that matter.
    names: Arc<Mutex<BTreeSet<OsString>>>,
}

impl Watch {
    /// Calls `changed`, on a thread of its own, whenever something has been done to a file that is followed. `settings` is the one
    /// whose completeness is told.
    ///
    /// # Errors
    /// In words, if the operating system gives no watch.
    pub fn start(settings: &Path, changed: impl Fn(Hint) + Send + 'static) -> Result<Self, String> {
        let names = Arc::<Mutex<BTreeSet<OsString>>>::default();
        let (known, main) = (Arc::clone(&names), settings.file_name().map(OsStr::to_owned));
        let hear = move |event: notify::Result<notify::Event>| {
            // An error, or an event without a name, may stand for events that were lost.
            let Ok(event) = event else {
                return changed(Hint::Maybe);
            };
            let named =
                |wanted: &dyn Fn(&OsStr) -> bool| event.paths.iter().filter_map(|path| path.file_name()).any(wanted);
            let matters = || {
                let known = known.lock().unwrap_or_else(PoisonError::into_inner);
                event.paths.is_empty() || named(&|name| name == MOUNTED || known.contains(name))
            };
            if is_change(event.kind) && matters() {
                let is_main = named(&|name| name == MOUNTED || Some(name) == main.as_deref());
                changed(if is_main && completes(event.kind) {
                    Hint::Complete
                } else {
                    Hint::Maybe
                });
            }
        };
        let watcher = notify::recommended_watcher(hear).map_err(|error| error.to_string())?;
        Ok(Self {
            watcher,
            folders: BTreeMap::new(),
            names,
        })
    }

    /// Watches the folders of `files` from now on, and no others. A folder that cannot be watched is told, and the rest is.
    pub fn follow<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) -> Vec<String> {
        let (mut wanted, mut names) = (BTreeMap::new(), BTreeSet::new());
        for file in files {
            for path in [Some(file.to_path_buf()), std::fs::canonicalize(file).ok()]
                .into_iter()
                .flatten()
            {
                names.extend(path.file_name().map(OsStr::to_owned));
                let folder = folder(&path);
                if let Ok(found) = std::fs::metadata(&folder) {
                    wanted.insert(folder, (found.dev(), found.ino()));
                }
            }
        }
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        let mut wrong = Vec::new();
        let old = std::mem::take(&mut self.folders);
        for (gone, _) in old.iter().filter(|(folder, id)| wanted.get(*folder) != Some(id)) {
            // One that was deleted is no longer watched anyway.
            drop(self.watcher.unwatch(gone));
        }
        for (folder, id) in wanted {
            if old.get(&folder) == Some(&id) {
                self.folders.insert(folder, id);
                continue;
            }
            match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.folders.insert(folder, id)),
                Err(error) => wrong.push(format!("{}: {error}", folder.display())),
            }
        }
        wrong
    }
}

/// The folder that a file is named in. By one name each: the operating system knows a folder once, and to leave it by one name would
/// end the watch by all.
fn folder(file: &Path) -> PathBuf {
    let named = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::canonicalize(named).unwrap_or_else(|_| named.to_path_buf())
}

/// Whether a change is the last of its writer.
fn completes(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both))
    )
}

/// Whether a file is complete and other than before. While a file is being written it says so with each part; what counts is
/// that its writer has closed it.
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

    const SOON: Duration = Duration::from_secs(10);

    /// A watch of `file`, and what it hears.
    fn watching(file: &Path) -> (Watch, mpsc::Receiver<Hint>) {
        let (tell, told) = mpsc::channel();
        let mut watch = Watch::start(file, move |hint| tell.send(hint).unwrap_or_default()).unwrap();
        assert_eq!(watch.follow([file]), [""; 0]);
        (watch, told)
    }

    #[test]
    fn a_file_that_was_deleted_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (real, alias) = (folder.path().join("real"), folder.path().join("alias"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &alias).unwrap();
        let file = alias.join("settings.toml");
        std::fs::write(&file, "one").unwrap();
        let (mut watch, told) = watching(&file);
        std::fs::remove_file(&file).unwrap();
        told.recv_timeout(SOON).unwrap();
        assert_eq!(watch.follow([file.as_path()]), [""; 0]);
        while told.recv_timeout(Duration::from_millis(100)).is_ok() {}
        std::fs::write(&file, "two").unwrap();
        told.recv_timeout(SOON).unwrap();
    }

    #[test]
    fn a_file_is_complete_when_it_is_closed_or_put_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, "one").unwrap();
        let (_watch, told) = watching(&file);
        // Another's business.
        std::fs::write(folder.path().join("other"), "x").unwrap();
        let new = folder.path().join("new");
        std::fs::write(&new, "two").unwrap();
        assert_eq!(
            told.recv_timeout(Duration::from_millis(200)),
            Err(mpsc::RecvTimeoutError::Timeout)
        );
        std::fs::rename(&new, &file).unwrap();
        assert_eq!(told.recv_timeout(SOON), Ok(Hint::Complete));
        while told.recv_timeout(Duration::from_millis(100)).is_ok() {}
        let written = std::fs::write(&file, "three");
        assert_eq!((written.is_ok(), told.recv_timeout(SOON)), (true, Ok(Hint::Complete)));
    }

    #[test]
    fn a_folder_that_is_made_anew_is_watched_anew() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("conf");
        let file = folder.join("settings.toml");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(&file, "one").unwrap();
        let (mut watch, told) = watching(&file);
        std::fs::rename(&folder, outer.path().join("old")).unwrap();
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(watch.follow([file.as_path()]), [""; 0]);
        while told.recv_timeout(Duration::from_millis(100)).is_ok() {}
        std::fs::write(&file, "two").unwrap();
        told.recv_timeout(SOON).unwrap();
    }
}
