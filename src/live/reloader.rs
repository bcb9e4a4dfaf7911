//! Brings changes of the configuration into force.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::contents::files_of;
use super::look::{Eye, Look};
use super::prepare::{self, PrepareParts, Prepared, ReloadError, differences};
use super::ramp::Ramp;
use super::retired::Retired;
use super::{ConfigStatus, Contents, Live, Loader, Snapshot};
use crate::certificate::Alpha;
use crate::classifier::Engine;
use crate::domain::Violations;
use crate::settings::{ChangeHint, FileWatcher, Settings, SettingsSource};

/// The files are looked at this often even if nobody says that they have changed.
const LOOK_ANYWAY: Duration = Duration::from_secs(5);

/// What was refused is tried again after a while that doubles, up to this: a file that it needs may have come.
const LONGEST_PATIENCE: Duration = Duration::from_secs(320);

/// Watches the files of a configuration, and brings what they say into force.
pub struct Reloader {
    source: SettingsSource,
    around: Surroundings,
    /// What the files ask for, as far as it is in force.
    settings: Settings,
    engine: Arc<Engine>,
    ramp: Option<Ramp>,
    /// The alpha that was swapped in last.
    alpha: Alpha,
    /// What was found last.
    seen: Contents,
    /// When what was refused is tried again, and how long after that.
    retry: Option<(Instant, Duration)>,
    retired: Retired,
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
    /// `snapshot`, to which `status` belongs, is in force from now on: at the start, after a change, and with each step of alpha.
    fn in_force(&self, snapshot: &Snapshot, status: &ConfigStatus);
    /// A change has come into force.
    fn reloaded(&self);
    /// A look was asked for, and what it found is in force.
    fn unchanged(&self);
    /// A change was refused, and is pending.
    fn refused(&self);
}

impl Reloader {
    /// Serves `settings`, which were read from `source` when their files had the contents `seen`, on `engine`.
    ///
    /// # Errors
    /// If the settings do not fit the models.
    pub fn start(
        settings: Settings,
        source: SettingsSource,
        seen: Contents,
        engine: Arc<Engine>,
        around: Surroundings,
    ) -> Result<Self, Violations> {
        let snapshot = prepare::snapshot(&engine, &settings)?;
        let status = around.live.status();
        around.observer.in_force(&snapshot, &status);
        around.live.swap(snapshot, status);
        warn_if_uncertified(&settings);
        Ok(Self {
            source,
            around,
            alpha: settings.mixture.alpha,
            settings,
            health: watch::Sender::new(engine.healthy()),
            engine,
            ramp: None,
            seen,
            retry: None,
            retired: Retired::default(),
        })
    }

    /// The health of the engine that is live, and of each that takes its place.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<watch::Receiver<bool>> {
        self.health.subscribe()
    }

    /// Follows the files for ever. `reload` asks for a look that tries anew even what was refused before.
    pub async fn run(mut self, reload: Arc<Notify>) {
        let (changed, complete) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (tell, told_complete) = (Arc::clone(&changed), Arc::clone(&complete));
        let hear = move |hint: ChangeHint| {
            if hint == ChangeHint::Complete {
                told_complete.store(true, Ordering::Relaxed);
            }
            tell.notify_one();
        };
        let mut watch = match FileWatcher::start(self.source.path(), hear) {
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
            let next_step = self.ramp.as_ref().map(Ramp::next_step);
            let again = tokio::select! {
                () = step(next_step) => {
                    self.advance();
                    continue;
                }
                () = changed.notified() => false,
                () = reload.notified() => true,
                () = tokio::time::sleep(LOOK_ANYWAY) => false,
            };
            let due = self.retry.is_some_and(|(at, _)| at <= Instant::now());
            // Who asks for a look has written what there is to be seen.
            let complete = complete.swap(false, Ordering::Relaxed) || again;
            self.look(again, due, complete).await;
            self.follow(watch.as_mut());
        }
    }

    /// Watches the files that are named now.
    fn follow(&self, watch: Option<&mut FileWatcher>) {
        let Some(watch) = watch else { return };
        let files = files_of(&self.settings);
        let all = files.iter().map(PathBuf::as_path).chain([self.source.path()]);
        for wrong in watch.set_files(all) {
            tracing::debug!(wrong, "a folder cannot be watched");
        }
    }

    async fn look(&mut self, asked: bool, due: bool, complete: bool) {
        let eye = Eye {
            source: self.source.clone(),
            loader: self.around.loader.clone(),
            parts: Arc::clone(&self.around.parts),
            now: self.settings.clone(),
            engine: Arc::clone(&self.engine),
            seen: self.seen.clone(),
            retired: self.retired.clone(),
        };
        match tokio::task::spawn_blocking(move || eye.look(asked || due, complete)).await {
            Ok(Look::Same) => {}
            Ok(Look::Wrong(contents, error)) => self.refuse(contents, &error, asked),
            Ok(Look::Changed(contents, prepared)) if self.is_in_force(&contents, &prepared) => self.keep(*prepared),
            Ok(Look::Changed(contents, prepared)) => self.put_in_force(contents, *prepared),
            Err(error) => tracing::error!(%error, "a change of the configuration could not be looked at"),
        }
    }

    fn refuse(&mut self, contents: Contents, error: &ReloadError, asked: bool) {
        let (status, violations) = (self.around.live.status(), error.violations());
        let known = contents == self.seen
            && status
                .pending
                .as_ref()
                .is_some_and(|pending| pending.violations == violations);
        let wait = match self.retry {
            Some((_, wait)) if known => (wait * 2).min(LONGEST_PATIENCE),
            _ => LOOK_ANYWAY,
        };
        self.retry = Some((Instant::now() + wait, wait));
        self.seen = contents;
        // It has been told, and counted, before; who asks is told again.
        if known && !asked {
            return;
        }
        tracing::error!("the change of the configuration is REFUSED, the old one stays in force: {error}");
        self.around
            .live
            .tell(status.refused(self.seen.file_sha256.clone(), violations));
        self.around.observer.refused();
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
        // A change of something else leaves alpha on its way.
        let same_way = self.settings.mixture.alpha == settings.mixture.alpha
            && self.settings.tuning.alpha_ramp == settings.tuning.alpha_ramp;
        let ramp = match self.ramp {
            Some(ramp) if same_way => Some(ramp),
            _ => Ramp::new(
                self.alpha,
                settings.mixture.alpha,
                Instant::now(),
                settings.tuning.alpha_ramp,
            ),
        };
        let alpha = if ramp.is_some() {
            self.alpha
        } else {
            settings.mixture.alpha
        };
        let snapshot = match prepare::snapshot(&engine, &settings.with_alpha(alpha)) {
            Ok(snapshot) => snapshot,
            // They were checked when they were prepared: what is left is a thread that the system does not give.
            Err(violations) => return self.refuse(contents, &ReloadError::Refused(violations), false),
        };
        (self.seen, self.ramp, self.alpha, self.retry) = (contents, ramp, alpha, None);
        let changes = differences(&self.settings.effective, &settings.effective);
        let revision = snapshot.classifier.provenance().config_revision.clone();
        commit();
        let status = Arc::new(self.around.live.status().reloaded(&settings));
        self.around.observer.in_force(&snapshot, &status);
        self.around.observer.reloaded();
        self.around.live.swap(snapshot, status);
        self.settings = settings;
        if !Arc::ptr_eq(&self.engine, &engine) {
            let old = std::mem::replace(&mut self.engine, engine);
            self.health.send_replace(self.engine.healthy());
            self.retired.add(old);
        }
        tracing::info!(
            revision = &*revision,
            changes,
            ramp = self.ramp.is_some(),
            "the configuration is RELOADED"
        );
        warn_if_uncertified(&self.settings);
    }

    /// Moves alpha on.
    fn advance(&mut self) {
        let Some(ramp) = &mut self.ramp else { return };
        let (alpha, over) = ramp.advance(Instant::now());
        match prepare::snapshot(&self.engine, &self.settings.with_alpha(alpha)) {
            Ok(snapshot) => {
                let status = self.around.live.status();
                self.around.observer.in_force(&snapshot, &status);
                self.around.live.swap(snapshot, status);
                self.alpha = alpha;
            }
            Err(violations) => tracing::error!("alpha cannot be moved: {violations}"),
        }
        if over {
            self.ramp = None;
            tracing::info!(alpha = alpha.get(), "alpha has arrived");
        }
    }
}

/// When alpha moves next.
async fn step(next: Option<Instant>) {
    match next {
        Some(next) => tokio::time::sleep_until(next.into()).await,
        None => std::future::pending().await,
    }
}

/// Says it loudly if nothing can be certified because of alpha.
fn warn_if_uncertified(settings: &Settings) {
    let alpha = settings.mixture.alpha;
    if !alpha.can_certify() {
        tracing::warn!(
            alpha = alpha.get(),
            "NOTHING CAN BE CERTIFIED: mixture.alpha is not above 0.5"
        );
    }
}
