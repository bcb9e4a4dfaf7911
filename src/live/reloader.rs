//! The reload loop: watch the files, prepare each change, swap it in.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::alpha_ramp::AlphaRamp;
use super::change_detector::{ChangeDetector, Detection};
use super::config_digests::{ConfigDigests, files_of};
use super::draining_engines::DrainingEngines;
use super::prepare::{self, EngineLoader, PrepareComponents, Prepared, ReloadError, differences};
use super::snapshot::{CurrentSnapshot, Snapshot};
use super::status::ConfigStatus;
use crate::certificate::MixingWeights;
use crate::classifier::{Engine, PredictTarget};
use crate::domain::Violations;
use crate::settings::{ChangeHint, FileWatcher, Settings, SettingsSource};

/// How often the reloader compares the files without a file-system event.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The longest delay before a rejected change is tried again. The delay doubles up to this value.
/// A retry can succeed because a missing file may have appeared.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(320);

/// Watches the configuration files and puts their changes in force.
pub struct Reloader {
    source: SettingsSource,
    context: ReloaderContext,
    /// The settings in force. A ramp may not have reached their alpha yet.
    settings: Settings,
    engine: Arc<Engine>,
    ramp: Option<AlphaRamp>,
    /// The weights of the snapshot in force.
    weights: MixingWeights,
    /// The contents of the files at the last detection.
    last_digests: ConfigDigests,
    /// The time of the next retry of a rejected change, and the delay before that retry.
    retry: Option<(Instant, Duration)>,
    draining: DrainingEngines,
    /// The health of the engine that serves.
    health: watch::Sender<watch::Receiver<bool>>,
}

/// Everything that a reloader works with, besides the settings and the engine.
pub struct ReloaderContext {
    /// Receives the snapshots.
    pub live: Arc<CurrentSnapshot>,
    /// Loads engines.
    pub loader: EngineLoader,
    /// Prepares the components beside the models.
    pub prepare_components: PrepareComponents,
    /// Receives the result of each change.
    pub observer: Arc<dyn ConfigObserver>,
}

/// Receives the config that is in force and the result of each reload.
pub trait ConfigObserver: Send + Sync {
    /// `snapshot` with `status` is in force from now on: at the start, after a change, and at each
    /// step of an alpha ramp.
    fn in_force(&self, snapshot: &Snapshot, status: &ConfigStatus);
    /// A change is in force.
    fn reloaded(&self);
    /// A requested reload found no change.
    fn unchanged(&self);
    /// A change was rejected and is pending.
    fn rejected(&self);
}

impl Reloader {
    /// Starts to serve `settings` on `engine`. The settings were read from `source` while the files
    /// had these `contents`.
    ///
    /// # Errors
    /// If the settings do not fit the models.
    pub fn start(
        settings: Settings,
        source: SettingsSource,
        contents: ConfigDigests,
        engine: Arc<Engine>,
        context: ReloaderContext,
    ) -> Result<Self, Violations> {
        let snapshot = prepare::snapshot(&engine, &settings)?;
        let target = snapshot.classifier.predict_target();
        let status = context.live.status();
        context.observer.in_force(&snapshot, &status);
        context.live.swap(snapshot, status);
        warn_if_uncertified(&settings);
        report_target_cap(target, &settings);
        Ok(Self {
            source,
            context,
            weights: settings.mixture.weights,
            settings,
            health: watch::Sender::new(engine.healthy()),
            engine,
            ramp: None,
            last_digests: contents,
            retry: None,
            draining: DrainingEngines::default(),
        })
    }

    /// The health of the engine that serves, and then of each engine that replaces it.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<watch::Receiver<bool>> {
        self.health.subscribe()
    }

    /// Runs the reload loop forever. `reload` requests a detection that also retries a rejected
    /// change.
    pub async fn run(mut self, reload: Arc<Notify>) {
        let (changed, closed) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (changed_by_hint, closed_by_hint) = (Arc::clone(&changed), Arc::clone(&closed));
        let on_hint = move |hint: ChangeHint| {
            if hint == ChangeHint::Complete {
                closed_by_hint.store(true, Ordering::Relaxed);
            }
            changed_by_hint.notify_one();
        };
        let mut watch = match FileWatcher::start(self.source.path(), on_hint) {
            Ok(watch) => Some(watch),
            Err(reason) => {
                tracing::warn!(reason, interval = ?POLL_INTERVAL, "cannot watch the config files; polling them");
                None
            }
        };
        self.watch_named_files(watch.as_mut());
        // The files may have changed before the watch started.
        changed.notify_one();
        loop {
            let next_step = self.ramp.as_ref().map(AlphaRamp::next_step);
            let requested = tokio::select! {
                () = sleep_until(next_step) => {
                    self.advance_ramp();
                    continue;
                }
                () = changed.notified() => false,
                () = reload.notified() => true,
                () = tokio::time::sleep(POLL_INTERVAL) => false,
            };
            let retry_due = self.retry.is_some_and(|(at, _)| at <= Instant::now());
            // The caller requests a reload after it has written the file.
            let closed = closed.swap(false, Ordering::Relaxed) || requested;
            self.detect(requested, retry_due, closed).await;
            self.watch_named_files(watch.as_mut());
        }
    }

    /// Watches the files that the settings in force name.
    fn watch_named_files(&self, watch: Option<&mut FileWatcher>) {
        let Some(watch) = watch else { return };
        let files = files_of(&self.settings);
        let all = files.iter().map(PathBuf::as_path).chain([self.source.path()]);
        for failure in watch.set_files(all) {
            tracing::debug!(failure, "cannot watch a folder");
        }
    }

    async fn detect(&mut self, requested: bool, retry_due: bool, closed: bool) {
        let detector = ChangeDetector {
            source: self.source.clone(),
            loader: self.context.loader.clone(),
            prepare_components: Arc::clone(&self.context.prepare_components),
            current: self.settings.clone(),
            engine: Arc::clone(&self.engine),
            last_digests: self.last_digests.clone(),
            draining: self.draining.clone(),
        };
        match tokio::task::spawn_blocking(move || detector.detect(requested || retry_due, closed)).await {
            Ok(Detection::Unchanged) => {}
            Ok(Detection::Invalid(contents, error)) => self.reject(contents, &error, requested),
            Ok(Detection::Changed(contents, prepared)) if self.is_in_force(&contents, &prepared) => {
                self.commit_unchanged(*prepared);
            }
            Ok(Detection::Changed(contents, prepared)) => self.put_in_force(contents, *prepared),
            Err(error) => tracing::error!(%error, "config change detection failed"),
        }
    }

    fn reject(&mut self, contents: ConfigDigests, error: &ReloadError, requested: bool) {
        let (status, violations) = (self.context.live.status(), error.violations());
        let known = contents == self.last_digests
            && status
                .pending
                .as_ref()
                .is_some_and(|pending| pending.violations == violations);
        let delay = match self.retry {
            Some((_, delay)) if known => (delay * 2).min(MAX_RETRY_DELAY),
            _ => POLL_INTERVAL,
        };
        self.retry = Some((Instant::now() + delay, delay));
        self.last_digests = contents;
        // An automatic retry of a known rejection is not logged or counted again.
        if known && !requested {
            return;
        }
        tracing::error!("config change rejected; the previous config stays in force: {error}");
        self.context
            .live
            .set_status(status.rejected(self.last_digests.file_sha256.clone(), violations));
        self.context.observer.rejected();
    }

    /// Whether the files with `contents` are already in force.
    fn is_in_force(&self, contents: &ConfigDigests, prepared: &Prepared) -> bool {
        let accepted = self.context.live.status().pending.is_none();
        *contents == self.last_digests && accepted && Arc::ptr_eq(&self.engine, &prepared.engine)
    }

    /// Commits the components of a requested reload that changed no setting.
    fn commit_unchanged(&self, prepared: Prepared) {
        (prepared.commit)();
        self.context.observer.unchanged();
        tracing::info!("config unchanged");
    }

    fn put_in_force(&mut self, contents: ConfigDigests, prepared: Prepared) {
        let Prepared {
            settings,
            engine,
            commit,
        } = prepared;
        // A change of other keys does not restart a ramp.
        let same_target = self.settings.mixture.weights == settings.mixture.weights
            && self.settings.tuning.alpha_ramp == settings.tuning.alpha_ramp;
        let ramp = match self.ramp {
            Some(ramp) if same_target => Some(ramp),
            _ => AlphaRamp::new(
                self.weights,
                settings.mixture.weights,
                Instant::now(),
                settings.tuning.alpha_ramp,
            ),
        };
        let weights = if ramp.is_some() {
            self.weights
        } else {
            settings.mixture.weights
        };
        let snapshot = match prepare::snapshot(&engine, &settings.with_weights(weights)) {
            Ok(snapshot) => snapshot,
            // `prepare` has checked the settings; only the start of a thread can still fail.
            Err(violations) => return self.reject(contents, &ReloadError::Rejected(violations), false),
        };
        (self.last_digests, self.ramp, self.weights, self.retry) = (contents, ramp, weights, None);
        let changes = differences(&self.settings.effective, &settings.effective);
        let revision = snapshot.classifier.provenance().config_revision.clone();
        // A ramp ends at this alpha.
        let target = snapshot
            .classifier
            .predict_target_with(settings.mixture.weights.alpha().get());
        commit();
        let status = Arc::new(self.context.live.status().reloaded(&settings));
        self.context.observer.in_force(&snapshot, &status);
        self.context.observer.reloaded();
        self.context.live.swap(snapshot, status);
        self.settings = settings;
        if !Arc::ptr_eq(&self.engine, &engine) {
            let old = std::mem::replace(&mut self.engine, engine);
            self.health.send_replace(self.engine.healthy());
            self.draining.add(old);
        }
        tracing::info!(
            revision = &*revision,
            changes,
            ramp = self.ramp.is_some(),
            "config reloaded"
        );
        warn_if_uncertified(&self.settings);
        report_target_cap(target, &self.settings);
    }

    /// Moves the weights one step along the ramp.
    fn advance_ramp(&mut self) {
        let Some(ramp) = &mut self.ramp else { return };
        let (weights, finished) = ramp.advance(Instant::now());
        match prepare::snapshot(&self.engine, &self.settings.with_weights(weights)) {
            Ok(snapshot) => {
                let status = self.context.live.status();
                self.context.observer.in_force(&snapshot, &status);
                self.context.live.swap(snapshot, status);
                self.weights = weights;
            }
            Err(violations) => tracing::error!("alpha ramp step failed: {violations}"),
        }
        if finished {
            self.ramp = None;
            tracing::info!(
                alpha = weights.alpha().get(),
                fallback_alpha = weights.fallback_alpha().get(),
                "alpha ramp finished"
            );
        }
    }
}

/// Sleeps until `instant`, or forever without one.
async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

/// Warns if the target of Predict is above its cap.
fn report_target_cap(target: Option<PredictTarget>, settings: &Settings) {
    if let Some((target, (configured, in_force))) = target.and_then(|target| Some((target, target.cap()?))) {
        tracing::warn!(
            alpha = settings.mixture.weights.alpha().get(),
            configured,
            in_force,
            largest = target.largest,
            "certificate.predict_target_radius is capped: the votes of Predict cannot prove it on most inputs"
        );
    }
}

/// Warns if alpha rules out every certificate.
fn warn_if_uncertified(settings: &Settings) {
    let alpha = settings.mixture.weights.alpha();
    if !alpha.can_certify() {
        tracing::warn!(
            alpha = alpha.get(),
            "no input can be certified: mixture.alpha is not above 0.5"
        );
    }
}
