//! A change of the configuration, on the real binary: by an edited file, by a ConfigMap's symlink, by SIGHUP.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use certimix::rpc::proto::PredictResponse;
use tokio::task::JoinHandle;

use crate::support::model_info_poller::{ModelInfoPoller, edit, replace};
use crate::support::process::ServerProcess;
use crate::support::reference_formulas::{assert_close, g_logits, h_logits, mixed_logits, softmax};
use crate::support::{Setup, fixture, messages};

const INPUT: [f32; 4] = [0.3, -0.2, 0.1, 0.4];

/// Callers that ask without a pause until told to stop; returns all their answers, none of which may be an error.
struct Load {
    over: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Vec<PredictResponse>>>,
}

impl Load {
    async fn start(server: &ModelInfoPoller) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let mut callers = Vec::new();
        for _ in 0..4 {
            let (mut client, over) = (server.client().await, Arc::clone(&over));
            callers.push(tokio::spawn(async move {
                let mut answers = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let answer = client
                        .predict(messages::predict_request(messages::floats(&[INPUT])))
                        .await;
                    answers.push(answer.expect("no request is lost").into_inner());
                }
                answers
            }));
        }
        Self { over, callers }
    }

    async fn stop(self) -> Vec<PredictResponse> {
        self.over.store(true, Ordering::Relaxed);
        let mut answers = Vec::new();
        for caller in self.callers {
            answers.extend(caller.await.unwrap());
        }
        answers
    }
}

/// Every answer is the mixture with the alpha that it names, and a revision has one alpha.
fn assert_never_mixed(answers: &[PredictResponse]) -> BTreeMap<String, f64> {
    let mut revisions = BTreeMap::new();
    let (g, h) = (softmax(&g_logits(INPUT)), softmax(&h_logits(INPUT)));
    for answer in answers {
        let provenance = answer.provenance.as_ref().unwrap();
        assert_close(
            &answer.predictions[0].mixed_logits,
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

/// What Kubernetes mounts: `certimix.toml` -> `..data/certimix.toml`, `..data` -> a folder of this version.
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

    /// As the kubelet does it: a new folder, and one rename of a symlink.
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
async fn a_config_map_is_swapped_under_load() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6);
    let text = fs::read_to_string(setup.write()).unwrap();
    let mut map = ConfigMap::mount(&setup.folder().join("mounted"), &text);
    let server = ModelInfoPoller::of(ServerProcess::spawn(&map.file()));
    let load = Load::start(&server).await;
    let alphas: Vec<f64> = (0..20).map(|step| 0.5 + f64::from(step) / 50.0).collect();
    for alpha in &alphas {
        map.update(&text.replace("mixture.alpha = 0.6", &format!("mixture.alpha = {alpha}")));
        server
            .wait_for(|info| info.provenance.as_ref().unwrap().alpha == *alpha)
            .await;
    }
    let revisions = assert_never_mixed(&load.stop().await);
    let seen: Vec<f64> = revisions.into_values().collect();
    // The callers come between any two changes, which each wait for a call of their own.
    assert!(seen.len() > alphas.len() / 2, "{seen:?}");
    let config = server.info().await.config.unwrap();
    assert_eq!((config.failed_reloads, config.pending_error), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_changes_loses_nothing_and_the_last_one_stays() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6);
    let file = setup.write();
    let server = ModelInfoPoller::of(ServerProcess::spawn(&file));
    let load = Load::start(&server).await;
    for step in 0..200 {
        replace(&file, |text| {
            edit(text, "mixture.alpha", 0.5 + f64::from(step % 40) / 100.0)
        });
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    replace(&file, |text| edit(text, "mixture.alpha", 0.99));
    server
        .wait_for(|info| info.provenance.as_ref().unwrap().alpha == 0.99)
        .await;
    assert_never_mixed(&load.stop().await);
    let config = server.info().await.config.unwrap();
    assert_eq!((config.failed_reloads, config.pending_error), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_changes_nothing_and_is_shown_with_all_that_is_wrong() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6);
    let file = setup.write();
    let server = ModelInfoPoller::of(ServerProcess::spawn(&file));
    let before = server.info().await;
    replace(&file, |text| {
        format!("{}colour = 1\n", edit(text, "mixture.alpha", 1.5))
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
    assert!(line.contains("the old one stays in force"), "{line}");
    // No longer TOML, then gone, then what it was: the old configuration is in force all the while.
    replace(&file, |_| "alpha == 3".to_owned());
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
async fn a_key_that_cannot_be_reloaded_says_so_by_name() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6);
    let file = setup.write();
    let server = ModelInfoPoller::of(ServerProcess::spawn(&file));
    replace(&file, |text| {
        format!("{}server.threads = 7\n", edit(text, "mixture.alpha", 0.7))
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
    // Nor is the rest of that file in force: half a change is none.
    assert_eq!(info.provenance.unwrap().alpha, 0.6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_are_changed_under_load() {
    let setup = Setup::pair("linear_g", "linear_h").edited("models.robust", "linear_h", &[]);
    let manifest = setup.folder().join("linear_h.toml");
    let server = ModelInfoPoller::of(ServerProcess::spawn(&setup.write()));
    let old = server.info().await.provenance.unwrap().config_revision;
    let load = Load::start(&server).await;
    replace(&manifest, |text| text.replace("\"right\"", "\"RIGHT\""));
    // The labels of both must agree: this pair is refused, and the old one serves.
    let refused = server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_some())
        .await;
    assert_eq!(refused.provenance.unwrap().config_revision, old);
    replace(&manifest, |text| named(&text.replace("\"RIGHT\"", "\"right\""), "new"));
    let info = server
        .wait_for(|info| info.robust.as_ref().unwrap().name == "new")
        .await;
    let new = info.provenance.unwrap().config_revision;
    let revisions: BTreeSet<String> = assert_never_mixed(&load.stop().await).into_keys().collect();
    assert_eq!(revisions, BTreeSet::from([old, new]));
    server.process.line_with("replaced models unloaded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_model_leaves_the_old_one_serving() {
    let setup = Setup::pair("linear_g", "linear_h").edited("models.robust", "linear_h", &[]);
    let manifest = setup.folder().join("linear_h.toml");
    let server = ModelInfoPoller::of(ServerProcess::spawn(&setup.write()));
    let before = server.info().await.provenance;
    let model = setup.file("broken.onnx", b"no model at all");
    let load = Load::start(&server).await;
    replace(&manifest, |text| {
        let onnx = fixture("linear_h").with_extension("onnx");
        text.replace(onnx.to_str().unwrap(), model.to_str().unwrap())
    });
    let info = server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_some())
        .await;
    let pending = info.config.unwrap().pending_error.unwrap();
    assert_eq!(pending.violations[0].field, "models");
    assert!(pending.violations[0].description.contains("broken.onnx"), "{pending:?}");
    assert_eq!(info.provenance, before);
    // The ONNX file is put right, and its manifest says the same as before: SIGHUP tries what was refused again.
    fs::copy(fixture("linear_h").with_extension("onnx"), &model).unwrap();
    server.process.signal("HUP");
    server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_none())
        .await;
    assert_eq!(assert_never_mixed(&load.stop().await).len(), 2);
}

/// A manifest with another name of its model.
fn named(manifest: &str, name: &str) -> String {
    let line = manifest.lines().find(|line| line.starts_with("name = ")).unwrap();
    manifest.replacen(line, &format!("name = \"{name}\""), 1)
}

/// Votes that were drawn with a key that the world knows prove nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_keys_are_not_used_again_by_models_that_are_loaded_anew() {
    let setup = Setup::pair("steep_g", "half_space")
        .edited("models.robust", "half_space", &[])
        .with("certificate.predict_votes", 8)
        .with("certificate.selection_votes", 2);
    let manifest = setup.folder().join("half_space.toml");
    let server = ModelInfoPoller::of(ServerProcess::spawn(&setup.write()));
    let mut keys = BTreeSet::new();
    for generation in 1..=3 {
        let mut client = server.client().await;
        for _ in 0..10 {
            let answer = client
                .predict(messages::predict_request(messages::floats(&[INPUT])))
                .await
                .unwrap();
            let certificate = answer.into_inner().predictions.remove(0).certificate.unwrap();
            assert_eq!(certificate.noise_key.len(), 32);
            keys.insert(certificate.noise_key);
        }
        assert_eq!(keys.len(), 10 * generation);
        let name = format!("generation-{generation}");
        replace(&manifest, |text| named(text, &name));
        server.wait_for(|info| info.robust.as_ref().unwrap().name == name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alpha_goes_its_way_in_small_steps() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.5)
        .text("mixture.alpha_ramp", "2s");
    let file = setup.write();
    let server = ModelInfoPoller::of(ServerProcess::spawn(&file));
    let load = Load::start(&server).await;
    replace(&file, |text| edit(text, "mixture.alpha", 0.9));
    let info = server
        .wait_for(|info| info.config.as_ref().unwrap().target_alpha == 0.9)
        .await;
    assert!(info.provenance.unwrap().alpha < 0.9, "it is on its way");
    server
        .wait_for(|info| info.provenance.as_ref().unwrap().alpha == 0.9)
        .await;
    let alphas = assert_never_mixed(&load.stop().await);
    assert!(alphas.len() > 3, "{alphas:?}");
    assert!(alphas.values().all(|alpha| (0.5..=0.9).contains(alpha)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guard_rails_refuse_an_alpha_and_a_low_one_is_warned_of() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.6)
        .with("mixture.alpha_min", 0.4)
        .with("mixture.alpha_max", 0.8);
    let file = setup.write();
    let server = ModelInfoPoller::of(ServerProcess::spawn(&file));
    replace(&file, |text| edit(text, "mixture.alpha", 0.81));
    let info = server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_some())
        .await;
    let violation = info.config.unwrap().pending_error.unwrap().violations.remove(0);
    assert_eq!(violation.field, "mixture.alpha");
    assert!(
        violation.description.contains("mixture.alpha_max = 0.8"),
        "{violation:?}"
    );
    replace(&file, |text| edit(text, "mixture.alpha", 0.45));
    let info = server
        .wait_for(|info| info.provenance.as_ref().unwrap().alpha == 0.45)
        .await;
    assert!(info.unavailable_reason.contains("alpha"), "{}", info.unavailable_reason);
    server.process.line_with("no input can be certified");
}
