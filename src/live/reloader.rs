//! Brings changes of the configuration into force.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::prepare::{self, PrepareParts, Prepared, ReloadError, differences};
use super::ramp::Ramp;
use super::{Contents, Live, Loader, Snapshot};
use crate::classifier::Engine;
use crate::domain::Violations;
use crate::settings::{self, Settings, Source, Watch};

/// The files are looked at this often even if nobody says that they have changed.
const LOOK_ANYWAY: Duration = Duration::from_secs(5);

/// A file is taken for complete when it is the same after this long,
const SETTLE: Duration = Duration::from_millis(2);
/// which is tried this often.
const TRIES: usize = 50;

/// While alpha is on its way it moves this often.
const RAMP_STEP: Duration = Duration::from_millis(100);

/// How long at a time an engine that is no longer live is waited for.
const RETIRE_STEP: Duration = Duration::from_millis(20);

/// Watches the files of a configuration, and brings what they say into force.
pub struct Reloader {
    source: Source,
    around: Surroundings,
    /// What the files ask for, as far as it is in force.
    settings: Settings,
    engine: Arc<Engine>,
    ramp: Option<Ramp>,
    /// What was found last.
    seen: Contents,
    /// The health of the engine that is live.
    health: watch::Sender<watch::Receiver<bool>>,
}

/// What is prepared and told beside the models.
pub struct Surroundings {
    /// Where snapshots are swapped in.
    pub live: Arc<Live>,
    /// Makes engines.
    pub loader: Loader,
    /// Prepares what is not the models'.
    pub parts: PrepareParts,
    /// Is told what becomes of changes.
    pub observer: Box<dyn ConfigObserver>,
}

/// Is told what is in force.
pub trait ConfigObserver: Send + Sync {
    /// `snapshot` is in force from now on: at the start, after a change, and with each step of alpha.
    fn in_force(&self, snapshot: &Snapshot);
    /// A change has come into force.
    fn reloaded(&self);
    /// A look was asked for, and what it found is in force.
    fn unchanged(&self);
    /// A change was refused.
    fn refused(&self);
}

/// What a look at the files finds.
enum Look {
    Same,
    Wrong(Contents, ReloadError),
    Changed(Contents, Box<Prepared>),
}

impl Reloader {
    /// Serves `settings`, which were read from `source` when their files had the contents `seen`, on `engine`.
    ///
    /// # Errors
    /// If the settings do not fit the models.
    pub fn start(
        settings: Settings,
        source: Source,
        seen: Contents,
        engine: Arc<Engine>,
        around: Surroundings,
    ) -> Result<Self, Violations> {
        let snapshot = prepare::snapshot(&engine, &settings)?;
        around.observer.in_force(&snapshot);
        around.live.swap(snapshot);
        warn_if_uncertified(&settings);
        Ok(Self {
            source,
            around,
            settings,
            health: watch::Sender::new(engine.healthy()),
            engine,
            ramp: None,
            seen,
        })
    }

    /// The health of the engine that is live, and of each that takes its place.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<watch::Receiver<bool>> {
        self.health.subscribe()
    }

    /// Follows the files for ever. `reload` asks for a look that tries anew even what was refused before.
    pub async fn run(mut self, reload: Arc<Notify>) {
        let changed = Arc::new(Notify::new());
        let tell = Arc::clone(&changed);
        let mut watch = match Watch::start(move || tell.notify_one()) {
            Ok(watch) => Some(watch),
            Err(reason) => {
                tracing::warn!(
                    reason,
                    "files cannot be watched; they are looked at every {LOOK_ANYWAY:?}"
                );
                None
            }
        };
        self.follow(watch.as_mut());
        // What changed before somebody watched.
        changed.notify_one();
        loop {
            let again = tokio::select! {
                () = changed.notified() => false,
                () = reload.notified() => true,
                () = tokio::time::sleep(LOOK_ANYWAY) => false,
                () = step(self.ramp.is_some()) => {
                    self.advance();
                    continue;
                }
            };
            self.look(again).await;
            self.follow(watch.as_mut());
        }
    }

    /// Watches the files that are named now.
    fn follow(&self, watch: Option<&mut Watch>) {
        let Some(watch) = watch else { return };
        let files = self.settings.files();
        let all = files.iter().map(PathBuf::as_path).chain([self.source.path()]);
        for wrong in watch.follow(all) {
            tracing::debug!(wrong, "a folder cannot be watched");
        }
    }

    async fn look(&mut self, again: bool) {
        let (source, loader, parts) = (
            self.source.clone(),
            self.around.loader.clone(),
            Arc::clone(&self.around.parts),
        );
        let (now, engine, seen) = (self.settings.clone(), Arc::clone(&self.engine), self.seen.clone());
        let looking = move || look(&source, &now, &engine, &seen, again, &loader, &parts);
        match tokio::task::spawn_blocking(looking).await {
            Ok(Look::Same) => {}
            Ok(Look::Wrong(contents, error)) => self.refuse(contents, &error),
            Ok(Look::Changed(contents, prepared)) if self.is_in_force(&contents, &prepared) => self.keep(*prepared),
            Ok(Look::Changed(contents, prepared)) => self.put_in_force(contents, *prepared),
            Err(error) => tracing::error!(%error, "a change of the configuration could not be looked at"),
        }
    }

    fn refuse(&mut self, contents: Contents, error: &ReloadError) {
        tracing::error!("the change of the configuration is REFUSED, the old one stays in force: {error}");
        let status = self
            .around
            .live
            .status()
            .refused(contents.file_sha256.clone(), error.violations());
        self.around.live.tell(status);
        self.around.observer.refused();
        self.seen = contents;
    }

    /// Whether files with `contents` were found before and came into force.
    fn is_in_force(&self, contents: &Contents, prepared: &Prepared) -> bool {
        let accepted = self.around.live.status().pending.is_none();
        *contents == self.seen && accepted && Arc::ptr_eq(&self.engine, &prepared.engine)
    }

    /// Leaves everything as it is, but for what was read again because somebody asked.
    fn keep(&self, prepared: Prepared) {
        (prepared.commit)();
        self.around.observer.unchanged();
        tracing::info!("the configuration is UNCHANGED");
    }

    fn put_in_force(&mut self, contents: Contents, prepared: Prepared) {
        let Prepared {
            settings,
            engine,
            commit,
        } = prepared;
        self.seen = contents;
        let from = self.alpha_in_force();
        let began = Instant::now();
        self.ramp = Ramp::new(from, settings.mixture.alpha, began, settings.tuning.alpha_ramp);
        let first = match &self.ramp {
            Some(_) => settings.with_alpha(from),
            None => settings.clone(),
        };
        let snapshot = match prepare::snapshot(&engine, &first) {
            Ok(snapshot) => snapshot,
            // They were checked when they were prepared: what is left is a thread that the system does not give.
            Err(violations) => return self.refuse(self.seen.clone(), &ReloadError::Refused(violations)),
        };
        let changes = differences(&self.settings.effective, &settings.effective);
        let revision = snapshot.classifier.provenance().config_revision.clone();
        commit();
        self.around.observer.in_force(&snapshot);
        self.around.observer.reloaded();
        self.around.live.swap(snapshot);
        self.around.live.tell(self.around.live.status().reloaded(&settings));
        self.settings = settings;
        if !Arc::ptr_eq(&self.engine, &engine) {
            let old = std::mem::replace(&mut self.engine, engine);
            self.health.send_replace(self.engine.healthy());
            retire(old);
        }
        tracing::info!(
            revision = &*revision,
            changes,
            ramp = self.ramp.is_some(),
            "the configuration is RELOADED"
        );
        warn_if_uncertified(&self.settings);
    }

    fn alpha_in_force(&self) -> crate::certificate::Alpha {
        match &self.ramp {
            Some(ramp) => ramp.at(Instant::now()).0,
            None => self.settings.mixture.alpha,
        }
    }

    /// Moves alpha on.
    fn advance(&mut self) {
        let Some(ramp) = &self.ramp else { return };
        let (alpha, over) = ramp.at(Instant::now());
        match prepare::snapshot(&self.engine, &self.settings.with_alpha(alpha)) {
            Ok(snapshot) => {
                self.around.observer.in_force(&snapshot);
                self.around.live.swap(snapshot);
            }
            Err(violations) => tracing::error!("alpha cannot be moved: {violations}"),
        }
        if over {
            self.ramp = None;
            tracing::info!(alpha = alpha.get(), "alpha has arrived");
        }
    }
}

async fn step(ramping: bool) {
    if ramping {
        tokio::time::sleep(RAMP_STEP).await;
    } else {
        std::future::pending().await
    }
}

/// Reads the files and prepares what they ask for, unless they say what they said. Takes as long as models take to load.
fn look(
    source: &Source,
    now: &Settings,
    engine: &Arc<Engine>,
    seen: &Contents,
    again: bool,
    loader: &Loader,
    parts: &PrepareParts,
) -> Look {
    let text = match settled(source) {
        Ok(text) => text,
        Err(error) => {
            let unreadable = Contents::default();
            return if unreadable == *seen && !again {
                Look::Same
            } else {
                Look::Wrong(unreadable, error.into())
            };
        }
    };
    let parsed = source.parse(&text);
    let files = parsed.as_ref().map_or_else(|_| now.files(), Settings::files);
    let contents = Contents::new(&text, &files);
    if contents == *seen && !again {
        return Look::Same;
    }
    let prepared = parsed
        .map_err(ReloadError::from)
        .and_then(|next| prepare::prepare(next, now, engine, loader, parts));
    match prepared {
        Ok(prepared) => Look::Changed(contents, Box::new(prepared)),
        Err(error) => Look::Wrong(contents, error),
    }
}

/// The text of the settings file once it stays the same: an editor may write it in parts, and half a number is a number too.
fn settled(source: &Source) -> Result<String, settings::LoadError> {
    let mut text = source.read();
    for _ in 0..TRIES {
        std::thread::sleep(SETTLE);
        let next = source.read();
        let same = matches!((&text, &next), (Ok(before), Ok(after)) if before == after)
            || matches!((&text, &next), (Err(_), Err(_)));
        text = next;
        if same {
            break;
        }
    }
    text
}

/// Ends `engine` once the last request that reads it is answered, on a thread that nobody waits for.
fn retire(engine: Arc<Engine>) {
    tokio::task::spawn_blocking(move || {
        while Arc::strong_count(&engine) > 1 {
            std::thread::sleep(RETIRE_STEP);
        }
        drop(engine);
        tracing::info!("the models that served before have ended");
    });
}

/// Says it loudly if nothing can be certified because of alpha.
fn warn_if_uncertified(settings: &Settings) {
    let alpha = settings.mixture.alpha;
    if !alpha.can_certify() {
        tracing::warn!(
            alpha = alpha.get(),
            "NOTHING CAN BE CERTIFIED: mixture.alpha is below 0.5"
        );
    }
}
