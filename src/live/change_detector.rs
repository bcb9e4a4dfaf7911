//! Reads the configuration files, compares their contents with the last ones, and prepares a change.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::config_digests::{ConfigDigests, model_files};
use super::draining_engines::DrainingEngines;
use super::prepare::{self, EngineLoader, Prepared, ReloadError};
use crate::classifier::Engine;
use crate::settings::{self, AccessSettings, Settings, SettingsSource, check_reload};

/// A file whose writer has closed it is complete if it is still the same after this time.
const SETTLE_TIME_CLOSED: Duration = Duration::from_millis(2);
/// A file that may still be open is complete if it is still the same after this time. A truncated
/// file can be valid, with defaults in place of the missing keys, and differ from what was meant.
const SETTLE_TIME_OPEN: Duration = Duration::from_secs(1);
/// The number of reads of a closed file before the detector gives up until the next poll.
const MAX_READS: usize = 50;

/// The result of one comparison of the files with the last ones.
pub(super) enum Detection {
    /// The files have not changed.
    Unchanged,
    /// The files have changed and cannot be served.
    Invalid(ConfigDigests, ReloadError),
    /// The files have changed, and the change is ready to be swapped in.
    Changed(ConfigDigests, Box<Prepared>),
}

/// The inputs of one detection. A detection waits for disks and for models, so it runs on a
/// blocking thread.
pub(super) struct ChangeDetector {
    pub(super) source: SettingsSource,
    pub(super) loader: EngineLoader,
    /// The settings in force.
    pub(super) current: Settings,
    /// The engine that serves.
    pub(super) engine: Arc<Engine>,
    /// The contents at the last detection.
    pub(super) last_digests: ConfigDigests,
    pub(super) draining: DrainingEngines,
    /// Receives the TLS and token settings of a file that a running server can apply, before the
    /// models are prepared: they do not wait for the models.
    pub(super) wanted_access: watch::Sender<AccessSettings>,
}

impl ChangeDetector {
    /// Reads the files and prepares the change, unless the contents are the last ones.
    ///
    /// `force` prepares unchanged files too. `closed` states that the writer has closed the
    /// settings file or has renamed a new file over it.
    pub(super) fn detect(&self, force: bool, closed: bool) -> Detection {
        let text = match self.read_settled(closed) {
            Ok(Some(text)) => text,
            // The writer closes the file at the end, which triggers another detection.
            Ok(None) => return Detection::Unchanged,
            Err(error) => {
                let unreadable = ConfigDigests::default();
                return if unreadable == self.last_digests && !force {
                    Detection::Unchanged
                } else {
                    Detection::Invalid(unreadable, error.into())
                };
            }
        };
        let parsed = self.source.parse(&text);
        let files = parsed.as_ref().map_or_else(|_| model_files(&self.current), model_files);
        if force {
            self.loader.digests.retain(&[]);
        }
        let contents = ConfigDigests::new(&text, &files, &self.loader.digests);
        if contents == self.last_digests && !force {
            return Detection::Unchanged;
        }
        let prepared = parsed.map_err(ReloadError::from).and_then(|next| {
            check_reload(&self.current, &next)?;
            self.wanted_access.send_replace(next.access.clone());
            prepare::prepare(next, &self.engine, &self.loader, &self.draining)
        });
        match prepared {
            Ok(prepared) => Detection::Changed(contents, Box::new(prepared)),
            Err(error) => Detection::Invalid(contents, error),
        }
    }

    /// The text of the settings file once two reads agree; `None` if they never do.
    fn read_settled(&self, closed: bool) -> Result<Option<String>, settings::SettingsError> {
        let mut text = self.source.read();
        let is_last = |text: &str| settings::sha256(text) == self.last_digests.file_sha256;
        if let Ok(same) = &text
            && is_last(same)
        {
            return text.map(Some);
        }
        let (pause, reads) = match closed {
            true => (SETTLE_TIME_CLOSED, MAX_READS),
            false => (SETTLE_TIME_OPEN, 1),
        };
        for _ in 0..reads {
            std::thread::sleep(pause);
            let next = self.source.read();
            let same = match (&text, &next) {
                (Ok(before), Ok(after)) => before == after,
                (Err(_), Err(_)) => true,
                _ => false,
            };
            if same {
                return next.map(Some);
            }
            text = next;
        }
        Ok(None)
    }
}
