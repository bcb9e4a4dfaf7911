//! Tells when files may have changed: the folders they are in are watched, since editors, `mv` and Kubernetes all put another
//! file in the old one's place.
//!
//! What is told is a hint. Whoever hears it compares contents, and looks now and then without a hint too: not every file
//! system tells.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, EventKind, MetadataKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

/// Watches until it is dropped.
pub struct Watch {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    /// Calls `changed`, on a thread of its own, whenever something has been done in a watched folder.
    ///
    /// # Errors
    /// In words, if the operating system gives no watch.
    pub fn start(changed: impl Fn() + Send + 'static) -> Result<Self, String> {
        let hear = move |event: notify::Result<notify::Event>| {
            // An error may stand for events that were lost.
            if event.map_or(true, |event| is_change(event.kind)) {
                changed();
            }
        };
        let watcher = notify::recommended_watcher(hear).map_err(|error| error.to_string())?;
        Ok(Self {
            watcher,
            folders: BTreeSet::new(),
        })
    }

    /// Watches the folders of `files` from now on, and no others. A folder that cannot be watched is told, and the rest is.
    pub fn follow<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) -> Vec<String> {
        let wanted: BTreeSet<PathBuf> = files.into_iter().flat_map(folders).collect();
        let mut wrong = Vec::new();
        for gone in self.folders.difference(&wanted) {
            // One that was deleted is no longer watched anyway.
            drop(self.watcher.unwatch(gone));
        }
        let mut watched: BTreeSet<PathBuf> = self.folders.intersection(&wanted).cloned().collect();
        for new in wanted.difference(&self.folders) {
            match self.watcher.watch(new, RecursiveMode::NonRecursive) {
                Ok(()) => drop(watched.insert(new.clone())),
                Err(error) => wrong.push(format!("{}: {error}", new.display())),
            }
        }
        self.folders = watched;
        wrong
    }
}

/// The folder that names a file, and the one that it really is in.
fn folders(file: &Path) -> Vec<PathBuf> {
    let real = std::fs::canonicalize(file).ok();
    [Some(file), real.as_deref()]
        .into_iter()
        .flatten()
        .filter_map(Path::parent)
        .map(|folder| {
            if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            }
        })
        // By one name each: the operating system knows a folder once, and to leave it by one name would end the watch by all.
        .map(|folder| std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf()))
        .collect()
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

    #[test]
    fn a_file_that_was_deleted_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (real, alias) = (folder.path().join("real"), folder.path().join("alias"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &alias).unwrap();
        let file = alias.join("settings.toml");
        std::fs::write(&file, "one").unwrap();
        let (tell, told) = mpsc::channel();
        let mut watch = Watch::start(move || tell.send(()).unwrap_or_default()).unwrap();
        let mut follow = || watch.follow([file.as_path()]);
        assert_eq!(follow(), [""; 0]);
        std::fs::remove_file(&file).unwrap();
        told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(follow(), [""; 0]);
        while told.recv_timeout(Duration::from_millis(100)).is_ok() {}
        std::fs::write(&file, "two").unwrap();
        told.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}
