//! Reloads of `mixture.fallback_alpha` by the real binary, alone and together with alpha.

use std::collections::BTreeMap;

use certimix::rpc::proto::{PredictResponse, Provenance};

use crate::support::Setup;
use crate::support::config_edit::{replace_file, with_value};
use crate::support::model_info_poller::ModelInfoPoller;
use crate::support::process::ServerProcess;
use crate::support::reference_formulas::{
    assert_close, g_logits, h_logits, margin, mixed_logits, robust_weight, softmax,
};
use crate::support::request_load::RequestLoad;

/// The margin of `linear_h` is 0.96 for the first input and 0.02 for the second. So alpha weighs the
/// first one at every alpha from 0.52, and `fallback_alpha` the second one below 0.98.
const INPUTS: [[f32; 4]; 2] = [[0.75, -0.25, -0.5, 0.0], [0.11, 0.1, -0.9, 0.4]];

fn weights(provenance: &Provenance) -> (f64, f64) {
    (
        provenance.alpha,
        provenance.fallback_alpha.expect("this server reports it"),
    )
}

/// Checks that every response mixes with the two weights of its provenance, each for one input, and
/// that each revision has one pair of weights. Returns the pair of each revision.
fn assert_consistent_weights(responses: &[PredictResponse]) -> BTreeMap<String, (f64, f64)> {
    let mut revisions = BTreeMap::new();
    for response in responses {
        let provenance = response.provenance.as_ref().unwrap();
        let (alpha, fallback_alpha) = weights(provenance);
        for ((prediction, x), expected) in response.predictions.iter().zip(INPUTS).zip([alpha, fallback_alpha]) {
            let (g, h) = (softmax(&g_logits(x)), softmax(&h_logits(x)));
            assert_eq!(robust_weight(alpha, fallback_alpha, &h), expected);
            assert_eq!(prediction.robust_weight, Some(expected), "{provenance:?}");
            assert_close(&prediction.mixed_logits, &mixed_logits(expected, &g, &h), 1e-5);
        }
        let pair = *revisions
            .entry(provenance.config_revision.clone())
            .or_insert((alpha, fallback_alpha));
        assert_eq!(pair, (alpha, fallback_alpha), "one revision, two pairs of weights");
    }
    revisions
}

fn setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.76)
        .with("mixture.fallback_alpha", 0.5)
}

#[test]
fn the_inputs_have_margins_on_both_sides() {
    let [large, small] = INPUTS.map(|x| margin(&softmax(&h_logits(x))));
    assert!(large > 0.82 && small < 0.02, "{large} {small}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_weights_change_together_under_load() {
    let setup = setup();
    let file = setup.write();
    let server = ModelInfoPoller::new(ServerProcess::spawn(&file));
    let load = RequestLoad::start(&server, &INPUTS).await;
    let pairs: Vec<(f64, f64)> = (0..20)
        .map(|step| (0.56 + f64::from(step) / 50.0, f64::from(step % 7) / 14.0))
        .collect();
    for (alpha, fallback_alpha) in &pairs {
        replace_file(&file, |text| {
            let text = with_value(text, "mixture.alpha", &alpha.to_string());
            with_value(&text, "mixture.fallback_alpha", &fallback_alpha.to_string())
        });
        server
            .wait_for(|info| weights(info.provenance.as_ref().unwrap()) == (*alpha, *fallback_alpha))
            .await;
    }
    let seen = assert_consistent_weights(&load.stop().await);
    let is_written = |pair: &(f64, f64)| pairs.contains(pair) || *pair == (0.76, 0.5);
    assert!(seen.values().all(is_written), "{seen:?}");
    assert!(seen.len() > pairs.len() / 2, "{seen:?}");
    let config = server.info().await.config.unwrap();
    assert_eq!((config.failed_reloads, config.pending_error), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ramp_moves_both_weights_in_step() {
    let setup = setup().text("mixture.alpha_ramp", "2s");
    let file = setup.write();
    let server = ModelInfoPoller::new(ServerProcess::spawn(&file));
    let load = RequestLoad::start(&server, &INPUTS).await;
    replace_file(&file, |text| {
        let text = with_value(text, "mixture.alpha", "0.96");
        with_value(&text, "mixture.fallback_alpha", "0.0")
    });
    let info = server
        .wait_for(|info| info.config.as_ref().unwrap().target_alpha == 0.96)
        .await;
    assert_eq!(info.config.unwrap().target_fallback_alpha, Some(0.0));
    server
        .wait_for(|info| weights(info.provenance.as_ref().unwrap()) == (0.96, 0.0))
        .await;
    let seen = assert_consistent_weights(&load.stop().await);
    assert!(seen.len() > 3, "{seen:?}");
    for (alpha, fallback_alpha) in seen.values() {
        let (share, fallback_share) = ((alpha - 0.76) / 0.2, (0.5 - fallback_alpha) / 0.5);
        assert!(
            (share - fallback_share).abs() < 1e-9 && (-1e-9..=1.0 + 1e-9).contains(&share),
            "{seen:?}"
        );
    }
}

/// Removing the key restores the paper's mixture: the second weight follows alpha again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_key_one_weight_is_left() {
    let setup = setup();
    let file = setup.write();
    let server = ModelInfoPoller::new(ServerProcess::spawn(&file));
    replace_file(&file, |text| {
        let other = |line: &&str| !line.starts_with("mixture.fallback_alpha");
        text.lines().filter(other).map(|line| format!("{line}\n")).collect()
    });
    server
        .wait_for(|info| weights(info.provenance.as_ref().unwrap()) == (0.76, 0.76))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_fallback_alpha_leaves_both_weights_in_force() {
    let setup = setup().with("mixture.alpha_min", 0.1).with("mixture.alpha_max", 0.9);
    let file = setup.write();
    let server = ModelInfoPoller::new(ServerProcess::spawn(&file));
    let before = server.info().await;
    let valid = std::fs::read_to_string(&file).unwrap();
    let load = RequestLoad::start(&server, &INPUTS).await;
    // Alpha changes in the same file: no part of a refused file comes into force.
    for (count, (value, expected)) in [
        ("0.81", "from 0 to mixture.alpha = 0.8, found 0.81"),
        ("0.05", "outside the guard rails mixture.alpha_min = 0.1"),
        ("0.95", "from 0 to mixture.alpha = 0.8, found 0.95"),
        ("nan", "a number from 0 to mixture.alpha, found NaN"),
        ("\"0.5\"", "a number from 0 to mixture.alpha, found \"0.5\""),
        ("[0.5]", "a number from 0 to mixture.alpha"),
    ]
    .into_iter()
    .enumerate()
    {
        replace_file(&file, |_| {
            with_value(
                &with_value(&valid, "mixture.alpha", "0.8"),
                "mixture.fallback_alpha",
                value,
            )
        });
        let refused = u64::try_from(count).unwrap() + 1;
        let info = server
            .wait_for(|info| info.config.as_ref().unwrap().failed_reloads == refused)
            .await;
        assert_eq!(info.provenance, before.provenance, "{value}");
        let violations = info.config.unwrap().pending_error.unwrap().violations;
        assert!(
            violations
                .iter()
                .any(|wrong| wrong.field == "mixture.fallback_alpha" && wrong.description.contains(expected)),
            "{value}: {violations:?}"
        );
        assert!(
            violations.iter().all(|wrong| wrong.field == "mixture.fallback_alpha"),
            "{violations:?}"
        );
    }
    let seen = assert_consistent_weights(&load.stop().await);
    assert_eq!(seen.into_values().collect::<Vec<_>>(), [(0.76, 0.5)]);
    replace_file(&file, |_| with_value(&valid, "mixture.fallback_alpha", "0.1"));
    let info = server
        .wait_for(|info| weights(info.provenance.as_ref().unwrap()) == (0.76, 0.1))
        .await;
    assert_eq!(info.config.unwrap().pending_error, None);
}
