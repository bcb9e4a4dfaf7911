//! Keeps the file watcher on the folders of the files that are read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::config_digests::model_files;
use crate::settings::{ConfigFile, FileWatcher, Settings, trace_path};

/// How long the reload loop waits for an update. A file system that is slower goes on alone.
const UPDATE_TIMEOUT: Duration = Duration::from_secs(2);

/// Watches the folders of the configuration files. An update waits for file systems, so it runs on a
/// blocking thread.
pub(super) struct FolderWatch {
    /// `None` if the operating system provides no watch.
    watched: Option<Arc<Mutex<WatchedFiles>>>,
    running: Option<JoinHandle<()>>,
}

struct WatchedFiles {
    watcher: FileWatcher,
    settings_file: PathBuf,
    /// The files beside the settings file.
    files: Vec<ConfigFile>,
    /// Why folders cannot be watched.
    failures: Vec<String>,
}

impl FolderWatch {
    /// Watches with `watcher`, if there is one, the folder of `settings_file` and those of each update.
    pub(super) fn new(watcher: Option<FileWatcher>, settings_file: &Path) -> Self {
        let watched = watcher.map(|watcher| {
            Arc::new(Mutex::new(WatchedFiles {
                watcher,
                settings_file: settings_file.to_path_buf(),
                files: Vec::new(),
                failures: Vec::new(),
            }))
        });
        Self { watched, running: None }
    }

    /// Watches the model files of `settings` and the files of `access` from now on, and no others. An
    /// update that still waits for a file system is not repeated.
    pub(super) async fn update(&mut self, settings: &Settings, access: Vec<ConfigFile>) {
        let Some(watched) = &self.watched else { return };
        let mut running = match self.running.take() {
            Some(running) => running,
            None => {
                let (watched, settings) = (Arc::clone(watched), settings.clone());
                tokio::task::spawn_blocking(move || {
                    let files = [access, model_files(&settings)].concat();
                    watched.lock().unwrap_or_else(PoisonError::into_inner).update(files);
                })
            }
        };
        if tokio::time::timeout(UPDATE_TIMEOUT, &mut running).await.is_err() {
            self.running = Some(running);
        }
    }
}

impl WatchedFiles {
    fn update(&mut self, files: Vec<ConfigFile>) {
        if files != self.files {
            for (kind, path) in &files {
                trace_path(*kind, path, "config file watched");
            }
            self.files = files;
        }
        let paths = self.files.iter().map(|(_, path)| path.as_path());
        let failures = self.watcher.set_files(paths.chain([self.settings_file.as_path()]));
        for failure in failures.iter().filter(|failure| !self.failures.contains(failure)) {
            tracing::warn!(reason = failure, "cannot watch a folder of config files; polling it");
        }
        self.failures = failures;
    }
}
