//! Checks a configuration without serving it: each part by the code that the server runs at start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

use super::components::wall_clock;
use crate::certificate::noise::NoiseSecret;
use crate::classifier::{
    ClassifierInfo, DrainSignal, LoadChecks, LoadError, MixedClassifier, NoiseKeyGenerator, PredictTarget,
    check_offline,
};
use crate::domain::{Basis, Violations};
use crate::live::EngineLoader;
use crate::rpc::{AccessControl, Listeners};
use crate::settings::Settings;
use crate::telemetry::Traces;

/// The result of a check.
#[derive(Debug, Default)]
pub struct ConfigCheck {
    /// Everything that the server would refuse at start, each with its key.
    pub violations: Violations,
    /// What the server accepts and its operator should know, each with its key.
    pub warnings: Violations,
    /// The models; `None` if they were not loaded.
    pub info: Option<ClassifierInfo>,
    /// The files that were not there to be checked, each with its key.
    pub not_checked: Vec<(&'static str, PathBuf)>,
}

/// Checks everything that the server checks at start. Blocks until the models have run.
#[must_use]
pub fn check_config(settings: &Settings, runtime: &Runtime) -> ConfigCheck {
    let mut check = ConfigCheck::default();
    runtime.block_on(check_listeners(settings, &mut check));
    if let Err(error) = Traces::start(&settings.traces) {
        check.violations.add("traces.endpoint", error.to_string());
    }
    let now = wall_clock();
    match AccessControl::new(&settings.access, now) {
        Ok(access) => check.warnings.0.extend(access.warnings(now).0),
        Err(error) => check.violations.0.extend(error.into_violations().0),
    }
    check_models(settings, runtime, &mut check);
    check
}

/// Checks the settings and the manifests that exist. Loads no model and binds no address.
#[must_use]
pub fn check_config_offline(settings: &Settings) -> ConfigCheck {
    let found = check_offline(settings);
    ConfigCheck {
        violations: found.violations,
        not_checked: found.absent,
        ..ConfigCheck::default()
    }
}

/// Binds each address for a moment, without listening. An address in use is a warning: the server of
/// this configuration may run.
async fn check_listeners(settings: &Settings, check: &mut ConfigCheck) {
    let addresses = [
        ("server.listen", Some(settings.server.listen)),
        ("metrics.listen", settings.metrics.listen),
    ];
    for (key, address) in addresses {
        let Some(address) = address else { continue };
        match bind(address) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => check.warnings.add(
                key,
                format!("{address} is in use at the moment; a second server on it cannot start"),
            ),
            Err(error) => check
                .violations
                .add(key, format!("cannot listen on {address}: {error}")),
        }
    }
    match Listeners::check_unix_socket(&settings.server).await {
        Ok(()) => {}
        Err(error) if error.is_in_use() => check.warnings.add("server.unix_socket", error.to_string()),
        Err(error) => check.violations.add("server.unix_socket", error.to_string()),
    }
}

fn bind(address: SocketAddr) -> std::io::Result<()> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As the listeners do: a port whose last connections are closing is free.
    socket.set_reuseaddr(true)?;
    socket.bind(address)
}

/// Loads the models as the server does, and describes what it would serve.
fn check_models(settings: &Settings, runtime: &Runtime, check: &mut ConfigCheck) {
    let (_signal, drain_deadline) = DrainSignal::new();
    let loader = EngineLoader {
        // No vote is drawn, so this secret derives no key.
        keys: Arc::new(NoiseKeyGenerator::new(NoiseSecret::new([0; 32]))),
        drain_deadline,
        callers: runtime.handle().clone(),
        observer: Arc::new(()),
        checks: LoadChecks::All,
        digests: Arc::default(),
    };
    let engine = match loader.load(settings) {
        Ok(engine) => engine,
        Err(LoadError::Invalid(found)) => return check.violations.0.extend(found.0),
        Err(error) => return check.violations.add("runtime.executors", error.to_string()),
    };
    if let Some(warning) = engine.max_inputs_warning(settings) {
        check.warnings.add("server.max_inputs", warning);
    }
    match MixedClassifier::new(engine, settings) {
        Ok(classifier) => {
            let info = classifier.info();
            add_model_warnings(&info, &mut check.warnings);
            add_target_warning(classifier.predict_target(), settings, &mut check.warnings);
            check.info = Some(info);
        }
        Err(found) => check.violations.0.extend(found.0),
    }
}

fn add_target_warning(target: Option<PredictTarget>, settings: &Settings, warnings: &mut Violations) {
    if let Some((target, (configured, in_force))) = target.and_then(|target| Some((target, target.cap()?))) {
        let message = format!(
            "{configured:.4} is capped at {in_force:.4}: {} votes prove at most {:.4} at alpha = {}",
            settings.certificate.predict_votes,
            target.largest,
            settings.mixture.weights.alpha().get()
        );
        warnings.add("certificate.predict_target_radius", message);
    }
}

fn add_model_warnings(info: &ClassifierInfo, warnings: &mut Violations) {
    for (key, model) in [("models.standard", &info.standard), ("models.robust", &info.robust)] {
        if let Some(reason) = &model.one_row_reason {
            warnings.add(key, format!("the model runs one row at a time: {reason}"));
        }
    }
    if let Some(basis) = &info.robust.guarantee_basis
        && basis.basis == Basis::Claimed
    {
        warnings.add("models.robust", format!("radii rest on a claim: {}", basis.reason));
    }
    if let Some(reason) = &info.unavailable_reason {
        warnings.add("mixture.alpha", format!("nothing can be certified: {reason}"));
    }
}
