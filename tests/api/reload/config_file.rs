//! Configuration changes of the real binary: by an edited file, by the symlink of a ConfigMap, and
//! by SIGHUP.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use certimix::rpc::proto::PredictResponse;

use crate::support::config_edit::{replace_file, with_number};
use crate::support::model_info_poller::ModelInfoPoller;
use crate::support::process::ServerProcess;
use crate::support::reference_formulas::{assert_close, g_logits, h_logits, mixed_logits, softmax};
use crate::support::request_load::RequestLoad;
use crate::support::{Setup, fixture, messages};

const INPUT: [f32; 4] = [0.3, -0.2, 0.1, 0.4];

/// Checks that every response mixes with the alpha of its provenance, and that each revision has
/// one alpha. Returns the alpha of each revision.
fn assert_consistent_revisions(responses: &[PredictResponse]) -> BTreeMap<String, f64> {
    let mut revisions = BTreeMap::new();
    let (g, h) = (softmax(&g_logits(INPUT)), softmax(&h_logits(INPUT)));
    for response in responses {
        let provenance = response.provenance.as_ref().unwrap();
        assert_close(
            &response.predictions[0].mixed_logits,
            &mixed_logits(provenance.alpha, &g, &h),
            1e-5,
        );
        let alpha = *revisions
            .entry(provenance.config_revision.clone())
            .or_insert(provenance.alpha);
        assert_eq!(alpha, provenance.alpha, "one revision, two alphas");
    }
    revisions
}

/// A ConfigMap as Kubernetes mounts it: `certimix.toml` links to `..data/certimix.toml`, and
/// `..data` to the folder of a version.
struct ConfigMap {
    folder: PathBuf,
    version: usize,
}

impl ConfigMap {
    fn mount(folder: &Path, text: &str) -> Self {
        fs::create_dir(folder).unwrap();
        let mut map = Self {
            folder: folder.to_path_buf(),
            version: 0,
        };
        map.update(text);
        symlink("..data/certimix.toml", map.file()).unwrap();
        map
    }

    fn file(&self) -> PathBuf {
        self.folder.join("certimix.toml")
    }

    /// Updates the files as the kubelet does, with a new folder and one rename of a symlink.
    fn update(&mut self, text: &str) {
        self.version += 1;
        let new = format!("..{}", self.version);
        fs::create_dir(self.folder.join(&new)).unwrap();
        fs::write(self.folder.join(&new).join("certimix.toml"), text).unwrap();
        let (swap, data) = (self.folder.join("..data_tmp"), self.folder.join("..data"));
        symlink(&new, &swap).unwrap();
        fs::rename(&swap, &data).unwrap();
        if self.version > 1 {
            fs::remove_dir_all(self.folder.join(format!("..{}", self.version - 1))).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_map_is_reloaded_under_load() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6);
    let text = fs::read_to_string(setup.write()).unwrap();
    let mut map = ConfigMap::mount(&setup.folder().join("mounted"), &text);
    let server = ModelInfoPoller::new(ServerProcess::spawn(&map.file()));
    let load = RequestLoad::start(&server, &[INPUT]).await;
    let alphas: Vec<f64> = (0..20).map(|step| 0.5 + f64::from(step) / 50.0).collect();
    for alpha in &alphas {
        map.update(&text.replace("mixture.alpha = 0.6", &format!("mixture.alpha = {alpha}")));
        server
            .wait_for(|info| info.provenance.as_ref().unwrap().alpha == *alpha)
            .await;
    }
    let revisions = assert_consistent_revisions(&load.stop().await);
    let alphas_seen: Vec<f64> = revisions.into_values().collect();
    // Each change waits for a call of its own, so the callers see most revisions.
    assert!(alphas_seen.len() > alphas.len() / 2, "{alphas_seen:?}");
    let config = server.info().await.config.unwrap();
    assert_eq!((config.failed_reloads, config.pending_error), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rapid_changes_lose_no_request_and_the_last_is_in_force() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6);
    let file = setup.write();
    let server = ModelInfoPoller::new(ServerProcess::spawn(&file));
    let load = RequestLoad::start(&server, &[INPUT]).await;
    for step in 0..200 {
        replace_file(&file, |text| {
            with_number(text, "mixture.alpha", 0.5 + f64::from(step % 40) / 100.0)
        });
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    replace_file(&file, |text| with_number(text, "mixture.alpha", 0.99));
    server
        .wait_for(|info| info.provenance.as_ref().unwrap().alpha == 0.99)
        .await;
    assert_consistent_revisions(&load.stop().await);
    let config = server.info().await.config.unwrap();
    assert_eq!((config.failed_reloads, config.pending_error), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_file_changes_nothing_and_all_its_errors_are_reported() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6);
    let file = setup.write();
    let server = ModelInfoPoller::new(ServerProcess::spawn(&file));
    let before = server.info().await;
    replace_file(&file, |text| {
        format!("{}colour = 1\n", with_number(text, "mixture.alpha", 1.5))
    });
    let info = server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_some())
        .await;
    let config = info.config.unwrap();
    let pending = config.pending_error.unwrap();
    let mut fields: Vec<_> = pending.violations.iter().map(|wrong| wrong.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["colour", "mixture.alpha"]);
    assert_eq!(
        pending.file_sha256,
        certimix::settings::sha256(&fs::read_to_string(&file).unwrap())
    );
    assert_eq!((config.reloads, config.failed_reloads), (0, 1));
    assert_eq!(info.provenance, before.provenance);
    let line = server.process.line_with("config change rejected");
    assert!(line.contains("the previous config stays in force"), "{line}");
    // The file is invalid, then missing, then restored. The previous config stays in force.
    replace_file(&file, |_| "alpha == 3".to_owned());
    server
        .wait_for(|info| info.config.as_ref().unwrap().failed_reloads == 2)
        .await;
    fs::remove_file(&file).unwrap();
    server
        .wait_for(|info| info.config.as_ref().unwrap().failed_reloads == 3)
        .await;
    setup.write();
    let info = server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_none())
        .await;
    assert_eq!(info.provenance, before.provenance);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_cannot_be_reloaded_is_reported() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6);
    let file = setup.write();
    let server = ModelInfoPoller::new(ServerProcess::spawn(&file));
    replace_file(&file, |text| {
        format!("{}server.threads = 7\n", with_number(text, "mixture.alpha", 0.7))
    });
    let info = server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_some())
        .await;
    let violations = info.config.unwrap().pending_error.unwrap().violations;
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].field, "server.threads");
    assert!(
        violations[0].description.contains("cannot be reloaded"),
        "{violations:?}"
    );
    // The rest of that file is not in force either, because a change applies completely or not at
    // all.
    assert_eq!(info.provenance.unwrap().alpha, 0.6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_are_reloaded_under_load() {
    let setup = Setup::pair("linear_g", "linear_h").edited("models.robust", "linear_h", &[]);
    let manifest = setup.folder().join("linear_h.toml");
    let server = ModelInfoPoller::new(ServerProcess::spawn(&setup.write()));
    let old = server.info().await.provenance.unwrap().config_revision;
    let load = RequestLoad::start(&server, &[INPUT]).await;
    replace_file(&manifest, |text| text.replace("\"right\"", "\"RIGHT\""));
    // The labels of the models differ, so the server refuses the pair and keeps the old one.
    let refused = server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_some())
        .await;
    assert_eq!(refused.provenance.unwrap().config_revision, old);
    replace_file(&manifest, |text| {
        with_model_name(&text.replace("\"RIGHT\"", "\"right\""), "new")
    });
    let info = server
        .wait_for(|info| info.robust.as_ref().unwrap().name == "new")
        .await;
    let new = info.provenance.unwrap().config_revision;
    let revisions: BTreeSet<String> = assert_consistent_revisions(&load.stop().await).into_keys().collect();
    assert_eq!(revisions, BTreeSet::from([old, new]));
    server.process.line_with("replaced models unloaded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_model_keeps_the_old_one_in_service() {
    let setup = Setup::pair("linear_g", "linear_h").edited("models.robust", "linear_h", &[]);
    let manifest = setup.folder().join("linear_h.toml");
    let server = ModelInfoPoller::new(ServerProcess::spawn(&setup.write()));
    let before = server.info().await.provenance;
    let model = setup.file("broken.onnx", b"no model at all");
    let load = RequestLoad::start(&server, &[INPUT]).await;
    replace_file(&manifest, |text| {
        let onnx = fixture("linear_h").with_extension("onnx");
        text.replace(onnx.to_str().unwrap(), model.to_str().unwrap())
    });
    let info = server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_some())
        .await;
    let pending = info.config.unwrap().pending_error.unwrap();
    assert_eq!(pending.violations[0].field, "models.robust");
    assert!(pending.violations[0].description.contains("broken.onnx"), "{pending:?}");
    assert_eq!(info.provenance, before);
    // The ONNX file is now valid and the manifest is unchanged. SIGHUP retries the refused change.
    fs::copy(fixture("linear_h").with_extension("onnx"), &model).unwrap();
    server.process.signal("HUP");
    server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_none())
        .await;
    assert_eq!(assert_consistent_revisions(&load.stop().await).len(), 2);
}

/// Returns a manifest with another model name.
fn with_model_name(manifest: &str, name: &str) -> String {
    let line = manifest.lines().find(|line| line.starts_with("name = ")).unwrap();
    manifest.replacen(line, &format!("name = \"{name}\""), 1)
}

/// A certificate reveals its noise key, so new votes with the same key would prove nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloaded_models_use_new_noise_keys() {
    let setup = Setup::pair("steep_g", "half_space")
        .edited("models.robust", "half_space", &[])
        .with("certificate.predict_votes", 8)
        .with("certificate.selection_votes", 2);
    let manifest = setup.folder().join("half_space.toml");
    let server = ModelInfoPoller::new(ServerProcess::spawn(&setup.write()));
    let mut keys = BTreeSet::new();
    for generation in 1..=3 {
        let mut client = server.client().await;
        for _ in 0..10 {
            let response = client
                .predict(messages::predict_request(messages::floats(&[INPUT])))
                .await
                .unwrap();
            let certificate = response.into_inner().predictions.remove(0).certificate.unwrap();
            assert_eq!(certificate.noise_key.len(), 32);
            keys.insert(certificate.noise_key);
        }
        assert_eq!(keys.len(), 10 * generation);
        let name = format!("generation-{generation}");
        replace_file(&manifest, |text| with_model_name(text, &name));
        server.wait_for(|info| info.robust.as_ref().unwrap().name == name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alpha_ramp_takes_small_steps() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.5)
        .text("mixture.alpha_ramp", "2s");
    let file = setup.write();
    let server = ModelInfoPoller::new(ServerProcess::spawn(&file));
    let load = RequestLoad::start(&server, &[INPUT]).await;
    replace_file(&file, |text| with_number(text, "mixture.alpha", 0.9));
    let info = server
        .wait_for(|info| info.config.as_ref().unwrap().target_alpha == 0.9)
        .await;
    assert!(info.provenance.unwrap().alpha < 0.9, "the ramp has started");
    server
        .wait_for(|info| info.provenance.as_ref().unwrap().alpha == 0.9)
        .await;
    let alphas = assert_consistent_revisions(&load.stop().await);
    assert!(alphas.len() > 3, "{alphas:?}");
    assert!(alphas.values().all(|alpha| (0.5..=0.9).contains(alpha)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limits_refuse_an_alpha_and_a_low_alpha_gives_a_warning() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.6)
        .with("mixture.alpha_min", 0.4)
        .with("mixture.alpha_max", 0.8);
    let file = setup.write();
    let server = ModelInfoPoller::new(ServerProcess::spawn(&file));
    replace_file(&file, |text| with_number(text, "mixture.alpha", 0.81));
    let info = server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_some())
        .await;
    let violation = info.config.unwrap().pending_error.unwrap().violations.remove(0);
    assert_eq!(violation.field, "mixture.alpha");
    assert!(
        violation.description.contains("mixture.alpha_max = 0.8"),
        "{violation:?}"
    );
    replace_file(&file, |text| with_number(text, "mixture.alpha", 0.45));
    let info = server
        .wait_for(|info| info.provenance.as_ref().unwrap().alpha == 0.45)
        .await;
    assert!(info.unavailable_reason.contains("alpha"), "{}", info.unavailable_reason);
    server.process.line_with("no input can be certified");
}
