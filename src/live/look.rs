//! A look at the files of the configuration: whether they say something new, and what.

use std::sync::Arc;
use std::time::Duration;

use super::contents::files_of;
use super::prepare::{self, PrepareParts, Prepared, ReloadError};
use super::retired::Retired;
use super::{Contents, Loader};
use crate::classifier::Engine;
use crate::settings::{self, Settings, SettingsSource};

/// A file that is said to be complete is believed when it is the same after this long;
const SETTLED_AFTER: Duration = Duration::from_millis(2);
/// one of which nobody has said so, when its writer has been silent for this long. A file that was cut short may well be valid, with
/// defaults in place of what is missing, and be anything but what was meant.
const QUIET_AFTER: Duration = Duration::from_secs(1);
/// How often a complete file is read before it is left for later.
const TRIES: usize = 50;

/// What a look finds.
pub(super) enum Look {
    Same,
    Wrong(Contents, ReloadError),
    Changed(Contents, Box<Prepared>),
}

/// What a look needs. It waits for disks and for models, and is taken off the threads that answer requests.
pub(super) struct Eye {
    pub(super) source: SettingsSource,
    pub(super) loader: Loader,
    pub(super) parts: PrepareParts,
    /// What is in force,
    pub(super) now: Settings,
    pub(super) engine: Arc<Engine>,
    /// and what was found last.
    pub(super) seen: Contents,
    pub(super) retired: Retired,
}

impl Eye {
    /// Reads the files and prepares what they ask for, unless they say what they said. With `again` it is prepared in any case.
    /// `complete` says that the settings file was closed, or put in the old one's place.
    pub(super) fn look(&self, again: bool, complete: bool) -> Look {
        let text = match self.settled(complete) {
            Ok(Some(text)) => text,
            // Whoever writes it closes it in the end.
            Ok(None) => return Look::Same,
            Err(error) => {
                let unreadable = Contents::default();
                return if unreadable == self.seen && !again {
                    Look::Same
                } else {
                    Look::Wrong(unreadable, error.into())
                };
            }
        };
        let parsed = self.source.parse(&text);
        let files = parsed.as_ref().map_or_else(|_| files_of(&self.now), files_of);
        let contents = Contents::new(&text, &files);
        if contents == self.seen && !again {
            return Look::Same;
        }
        let prepared = parsed
            .map_err(ReloadError::from)
            .and_then(|next| prepare::prepare(next, &self.now, &self.engine, &self.loader, &self.parts, &self.retired));
        match prepared {
            Ok(prepared) => Look::Changed(contents, Box::new(prepared)),
            Err(error) => Look::Wrong(contents, error),
        }
    }

    /// The text of the settings file once it stays the same; none if it does not.
    fn settled(&self, complete: bool) -> Result<Option<String>, settings::SettingsError> {
        let mut text = self.source.read();
        let known = |text: &str| settings::sha256(text) == self.seen.file_sha256;
        if let Ok(same) = &text
            && known(same)
        {
            return text.map(Some);
        }
        let (pause, tries) = match complete {
            true => (SETTLED_AFTER, TRIES),
            false => (QUIET_AFTER, 1),
        };
        for _ in 0..tries {
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
