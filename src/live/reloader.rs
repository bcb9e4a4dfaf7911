//! The reload loop: watch the files, prepare each change, swap it in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::MissedTickBehavior;

use super::access_reload::{GuardRemoval, SharedAccessReloader};
use super::access_watch::{AccessNews, AccessWatch};
use super::alpha_ramp::AlphaRamp;
use super::change_detector::{ChangeDetector, Detection};
use super::config_digests::ConfigDigests;
use super::draining_engines::DrainingEngines;
use super::folder_watch::FolderWatch;
use super::prepare::{self, EngineLoader, Prepared, ReloadError, SetLogFilter, differences};
use super::snapshot::{CurrentSnapshot, Snapshot};
use super::status::ConfigStatus;
use crate::certificate::MixingWeights;
use crate::classifier::{Engine, PredictTarget};
use crate::domain::Violations;
use crate::settings::{AccessSettings, ChangeHint, ConfigFile, FileWatcher, OverriddenValue, Settings, SettingsSource};

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
    /// TLS and tokens.
    access: AccessWatch,
    /// The TLS and token settings that detections accept.
    wanted_access: watch::Sender<AccessSettings>,
    /// The health of the engine that serves.
    health: watch::Sender<watch::Receiver<bool>>,
}

/// A detection that runs on a blocking thread.
struct RunningDetection {
    task: JoinHandle<Detection>,
    /// Whether a caller has requested it.
    requested: bool,
}

/// What asks for the next detection.
#[derive(Default)]
struct Wanted {
    /// A file may have changed, or the poll is due.
    detection: bool,
    /// A caller has requested a reload.
    requested: bool,
}

/// Everything that a reloader works with, besides the settings and the engine.
pub struct ReloaderContext {
    /// Receives the snapshots.
    pub live: Arc<CurrentSnapshot>,
    /// Loads engines.
    pub loader: EngineLoader,
    /// Reloads TLS and tokens.
    pub access: SharedAccessReloader,
    /// Replaces the log filter.
    pub set_log_filter: SetLogFilter,
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
    /// The edited keys of the file are overridden by environment variables, so nothing changed.
    fn overridden(&self);
    /// A requested reload found no change.
    fn unchanged(&self);
    /// A change was rejected and is pending.
    fn rejected(&self);
    /// TLS or tokens are new in force.
    fn access_reloaded(&self);
    /// TLS files or tokens were rejected.
    fn access_rejected(&self);
    /// Whether the files hold a change that is not in force.
    fn pending(&self, status: &ConfigStatus);
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
            access: AccessWatch::new(Arc::clone(&context.access), settings.access.clone()),
            wanted_access: watch::Sender::new(settings.access.clone()),
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
        let watcher = FileWatcher::start(self.source.path(), on_hint)
            .inspect_err(|reason| {
                tracing::warn!(reason, interval = ?POLL_INTERVAL, "cannot watch the config files; polling them");
            })
            .ok();
        let mut watch = FolderWatch::new(watcher, self.source.path());
        watch.update(&self.settings, self.access_files()).await;
        // The first tick comes at once: the files may have changed before the watch started.
        let mut poll = tokio::time::interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut wanted_access = self.wanted_access.subscribe();
        let (mut wanted, mut running) = (Wanted::default(), None);
        loop {
            let next_step = self.ramp.as_ref().map(AlphaRamp::next_step);
            let mut requested = false;
            tokio::select! {
                () = sleep_until(next_step) => {
                    self.advance_ramp();
                    continue;
                }
                ended = end_of(&mut running) => self.finish_detection(ended).await,
                Ok(()) = wanted_access.changed() => {
                    self.access.wanted = wanted_access.borrow_and_update().clone();
                }
                () = changed.notified() => wanted.detection = true,
                () = reload.notified() => requested = true,
                _ = poll.tick() => wanted.detection = true,
            }
            // A detection may load models for minutes. TLS and tokens do not wait for it.
            self.check_access(requested).await;
            wanted.requested |= requested;
            if running.is_none() && (wanted.detection || wanted.requested) {
                // The caller requests a reload after it has written the file.
                let is_closed = closed.swap(false, Ordering::Relaxed) || wanted.requested;
                running = Some(self.start_detection(wanted.requested, is_closed));
                wanted = Wanted::default();
            }
            watch.update(&self.settings, self.access_files()).await;
        }
    }

    /// The TLS files and tokens in force and wanted.
    fn access_files(&self) -> Vec<ConfigFile> {
        [self.access.reloader().files(), self.access.wanted.config_files()].concat()
    }

    /// Reads the files and prepares the change, on a blocking thread.
    fn start_detection(&self, requested: bool, closed: bool) -> RunningDetection {
        let retry_due = self.retry.is_some_and(|(at, _)| at <= Instant::now());
        let detector = ChangeDetector {
            source: self.source.clone(),
            loader: self.context.loader.clone(),
            current: self.settings.clone(),
            engine: Arc::clone(&self.engine),
            last_digests: self.last_digests.clone(),
            draining: self.draining.clone(),
            wanted_access: self.wanted_access.clone(),
        };
        let task = tokio::task::spawn_blocking(move || detector.detect(requested || retry_due, closed));
        RunningDetection { task, requested }
    }

    async fn finish_detection(&mut self, (result, requested): (Result<Detection, JoinError>, bool)) {
        match result {
            Ok(Detection::Unchanged) => {}
            Ok(Detection::Invalid(contents, error)) => self.reject(contents, &error, requested),
            Ok(Detection::Changed(contents, prepared)) if self.is_in_force(&contents, &prepared) => {
                self.report_unchanged();
            }
            Ok(Detection::Changed(contents, prepared)) => self.put_in_force(contents, *prepared).await,
            Err(error) => tracing::error!(%error, "config change detection failed"),
        }
    }

    /// Puts TLS files and tokens in force, and reports what is new.
    async fn check_access(&mut self, requested: bool) {
        // A guard goes only with the whole change that removes it.
        let removal = match self.access.wanted == self.settings.access {
            true => GuardRemoval::Allowed,
            false => GuardRemoval::Deferred,
        };
        let news = self.access.check(removal, requested).await;
        self.report_access(news);
    }

    fn report_access(&self, news: AccessNews) {
        for warning in &news.warnings.0 {
            tracing::warn!(
                key = warning.field,
                reason = warning.message,
                "the access files need attention"
            );
        }
        if !news.applied.is_empty() {
            let applied = news.applied.join(", ");
            tracing::info!(
                applied,
                "TLS files or tokens reloaded; they do not wait for the rest of a change"
            );
            self.context
                .live
                .set_status(self.context.live.status().access_reloaded());
            self.context.observer.access_reloaded();
        }
        let Some(violations) = news.violations else { return };
        if violations.0.is_empty() {
            tracing::info!("the TLS files and tokens in force are those of the files");
        } else {
            tracing::error!(
                "TLS files or tokens rejected; the previous ones stay in force, so a token or an authority that was removed \
                 is still accepted:\n{violations}"
            );
        }
        if news.is_reminder {
            return;
        }
        if !violations.0.is_empty() {
            self.context.observer.access_rejected();
        }
        let status = self.context.live.status();
        let status = status.access_checked(self.last_digests.file_sha256.clone(), violations);
        self.context.observer.pending(&status);
        self.context.live.set_status(status);
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
        let status = status.rejected(self.last_digests.file_sha256.clone(), violations);
        self.context.observer.rejected();
        self.context.observer.pending(&status);
        self.context.live.set_status(status);
    }

    /// Whether the files with `contents` are already in force.
    fn is_in_force(&self, contents: &ConfigDigests, prepared: &Prepared) -> bool {
        let accepted = self.context.live.status().pending.is_none();
        *contents == self.last_digests && accepted && Arc::ptr_eq(&self.engine, &prepared.engine)
    }

    /// Reports a requested reload that found no change.
    fn report_unchanged(&self) {
        self.context.observer.unchanged();
        tracing::info!("config unchanged");
    }

    async fn put_in_force(&mut self, contents: ConfigDigests, prepared: Prepared) {
        let Prepared { settings, engine } = prepared;
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
        let edits = OverriddenValue::edits(&self.settings.overridden, &settings.overridden);
        let mut changes = differences(&self.settings.effective, &settings.effective);
        if !Arc::ptr_eq(&self.engine, &engine) {
            changes.push("models: loaded anew".to_owned());
        }
        let is_overridden = changes.is_empty() && !edits.is_empty();
        let revision = snapshot.classifier.provenance().config_revision.clone();
        // A ramp ends at this alpha.
        let target = snapshot
            .classifier
            .predict_target_with(settings.mixture.weights.alpha().get());
        // A guard that the change removes goes with it, and not before.
        self.access.wanted = settings.access.clone();
        let news = self.access.check(GuardRemoval::Allowed, false).await;
        self.report_access(news);
        (self.context.set_log_filter)(&settings.log.filter);
        let status = Arc::new(self.context.live.status().reloaded(&settings, !is_overridden));
        self.context.observer.in_force(&snapshot, &status);
        match is_overridden {
            true => self.context.observer.overridden(),
            false => self.context.observer.reloaded(),
        }
        self.context.live.swap(snapshot, status);
        self.settings = settings;
        if !Arc::ptr_eq(&self.engine, &engine) {
            let old = std::mem::replace(&mut self.engine, engine);
            self.health.send_replace(self.engine.healthy());
            self.draining.add(old);
        }
        warn_if_overridden(&edits);
        if !is_overridden {
            tracing::info!(
                revision = &*revision,
                // A new comment or another order of keys changes no value.
                changes = if changes.is_empty() {
                    "none".to_owned()
                } else {
                    changes.join(", ")
                },
                ramp = self.ramp.is_some(),
                "config reloaded"
            );
        }
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

/// The result of the running detection, and whether a caller has requested it. Without one, waits
/// forever.
async fn end_of(running: &mut Option<RunningDetection>) -> (Result<Detection, JoinError>, bool) {
    let Some(detection) = running else {
        return std::future::pending().await;
    };
    let result = (&mut detection.task).await;
    let requested = detection.requested;
    *running = None;
    (result, requested)
}

/// Sleeps until `instant`, or forever without one.
async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

/// Warns of keys that were edited in the file although a variable overrides them.
fn warn_if_overridden(edits: &[(String, String)]) {
    for (key, variable) in edits {
        tracing::warn!(
            key,
            variable,
            "the edit of a key has no effect: an environment variable overrides it; remove the variable, or change it, and \
             restart the server"
        );
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
