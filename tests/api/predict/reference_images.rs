//! 100 real images: the server and the classifier against a reference of numpy and ONNX Runtime.
//!
//! `tests/reference/mixture_reference.py` wrote the reference. The tests replay its votes from its
//! noise keys. The last bits of ONNX Runtime depend on the processor, so on another processor a
//! near tie may give another vote. Two votes for each image may therefore differ, and results that
//! follow from the counts are compared with the counts of this run.

use std::collections::BTreeMap;

use certimix::certificate::{
    Alpha, FailureProbability, LowerBound, Sigma, argmax, clopper_pearson, mixed_logits, tight_radius,
};
use certimix::classifier::VoteReplayer;
use certimix::domain::{Input, ValueEncoding};
use certimix::rpc::proto::ClassSource;
use serde::Deserialize;

use crate::support::cifar10_images::{repository_path, test_images};
use crate::support::messages::{bytes, certificate};
use crate::support::reference_formulas::{assert_close, normal_quantile, robust_weight};
use crate::support::{Setup, TestServer, messages, recompute, reference_formulas as formulas};

/// The votes of one image that may differ on another processor.
const MAX_VOTE_DIFFERENCE: u64 = 2;

#[derive(Deserialize)]
struct Reference {
    alpha: f64,
    failure_probability: f64,
    sigma: f64,
    levels: u32,
    selection_votes: u64,
    votes: u64,
    batch_rows: usize,
    standard_model_sha256: String,
    robust_model_sha256: String,
    images: Vec<Image>,
}

#[derive(Deserialize)]
struct Image {
    index: usize,
    noise_key: String,
    standard_probabilities: Vec<f64>,
    selection_counts: Vec<u64>,
    selected_class: usize,
    counts: Vec<u64>,
    mixed_logits: Vec<f64>,
    class: u32,
    status: String,
    lower_bound: f64,
    radius: f64,
}

fn reference() -> Reference {
    let text = std::fs::read_to_string(repository_path("tests/reference/mixture_cifar10.json")).unwrap();
    let reference: Reference = serde_json::from_str(&text).unwrap();
    assert_eq!((reference.images.len(), test_images().len()), (100, 100));
    reference
}

fn setup(reference: &Reference) -> Setup {
    Setup::pair("linear_g", "linear_h")
        .path("models.standard", &repository_path("models/cifar10/standard.toml"))
        .path("models.robust", &repository_path("models/cifar10/smoothed-025.toml"))
        .with("mixture.alpha", reference.alpha)
        .with("certificate.failure_probability", reference.failure_probability)
        .with("certificate.selection_votes", reference.selection_votes)
        .with("certificate.predict_votes", reference.votes)
        .text("certificate.bound", "clopper_pearson")
        .batch_size(reference.batch_rows)
        .with("runtime.executors", 2)
        .text("server.max_request_time", "10m")
}

fn key(hexadecimal: &str) -> [u8; 32] {
    std::array::from_fn(|index| u8::from_str_radix(&hexadecimal[2 * index..2 * index + 2], 16).unwrap())
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn log_shares(counts: &[u64], votes: u64) -> Vec<f64> {
    counts.iter().map(|&count| (count as f64 / votes as f64).ln()).collect()
}

/// The crate's functions compute the reference's results from the reference's counts.
#[test]
fn the_crates_functions_match_the_reference() {
    let reference = reference();
    let alpha = Alpha::new(reference.alpha).unwrap();
    let (sigma, delta) = (
        Sigma::new(reference.sigma).unwrap(),
        FailureProbability::new(reference.failure_probability).unwrap(),
    );
    for image in &reference.images {
        let log_g: Vec<f64> = image.standard_probabilities.iter().map(|g| g.ln()).collect();
        let mixed = mixed_logits(alpha, &log_g, &log_shares(&image.counts, reference.votes));
        for (found, expected) in mixed.iter().zip(&image.mixed_logits) {
            assert!(
                (found - expected).abs() < 1e-9,
                "image {}: {found} is not {expected}",
                image.index
            );
        }
        let p_lower: LowerBound =
            clopper_pearson::lower(image.counts[image.selected_class], reference.votes, delta).unwrap();
        assert!(
            (p_lower.value() - image.lower_bound).abs() < 1e-9,
            "image {}",
            image.index
        );
        let radius = tight_radius(alpha, sigma, p_lower, p_lower.of_complement());
        assert!(
            (radius - image.radius).abs() < 1e-9 && radius <= image.radius + 1e-15,
            "image {}: {radius}",
            image.index
        );
        assert_eq!(image.status == "CERTIFIED", radius > 0.0);
        let class = if radius > 0.0 {
            image.selected_class
        } else {
            argmax(&mixed).unwrap()
        };
        assert_eq!(u32::try_from(class).unwrap(), image.class, "image {}", image.index);
    }
}

/// The reference's keys draw the reference's votes. Two threads share the images, each with its own
/// session.
#[test]
fn the_replayed_votes_match_the_reference() {
    let (reference, pixels) = (reference(), test_images());
    let halves = reference.images.chunks(50).zip(pixels.chunks(50));
    let differing_images: usize = std::thread::scope(|scope| {
        let reference = &reference;
        let count = |(images, pixels)| scope.spawn(move || differing_images(reference, images, pixels));
        let threads: Vec<_> = halves.map(count).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(
        differing_images <= 5,
        "{differing_images} of 100 images differ: rounding does not explain that"
    );
}

/// Writes the model with a manifest that declares the noise grid of the reference, that of bytes.
fn manifest_with_reference_grid(reference: &Reference) -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().unwrap();
    let models = repository_path("models/cifar10");
    let manifest = std::fs::read_to_string(models.join("smoothed-025.toml")).unwrap();
    let other = manifest.replace("levels = 65535", &format!("levels = {}", reference.levels));
    assert_ne!(manifest, other);
    std::fs::write(folder.path().join("smoothed-025.toml"), other).unwrap();
    std::fs::copy(
        models.join("smoothed-025.onnx"),
        folder.path().join("smoothed-025.onnx"),
    )
    .unwrap();
    folder
}

/// Counts the images whose votes differ from the reference. No difference may exceed what another
/// processor explains.
fn differing_images(reference: &Reference, images: &[Image], pixels: &[Vec<u8>]) -> usize {
    let runtime = setup(reference).settings().runtime;
    let folder = manifest_with_reference_grid(reference);
    let manifest = folder.path().join("smoothed-025.toml");
    let mut counter = VoteReplayer::load(&manifest, &runtime, reference.batch_rows).unwrap();
    assert_eq!(counter.manifest().sha256, reference.robust_model_sha256);
    let mut differs = |(image, pixels): (&Image, &Vec<u8>)| {
        let (selection, votes) = (reference.selection_votes, reference.votes);
        let (class, tally) = counter
            .count(
                &Input::new(pixels.to_vec().into(), ValueEncoding::UInt8),
                key(&image.noise_key),
                selection,
                votes,
                |_| {},
            )
            .unwrap();
        let most = image.selection_counts.iter().max().unwrap();
        assert!(
            class == image.selected_class || image.selection_counts[class] + MAX_VOTE_DIFFERENCE >= *most,
            "image {}: class {class}, not {}",
            image.index,
            image.selected_class
        );
        let of_class = image.counts[class];
        let others = image.counts.iter().enumerate().filter(|(other, _)| *other != class);
        let runner_up = others.map(|(_, &count)| count).max().unwrap();
        let of_runner_up = tally.votes_for_runner_up.abs_diff(runner_up);
        let difference = tally.votes_for_class.abs_diff(of_class).max(of_runner_up);
        assert!(
            difference <= MAX_VOTE_DIFFERENCE,
            "image {}: {tally:?}, not {of_class} and {runner_up}",
            image.index
        );
        difference > 0
    };
    images.iter().zip(pixels).filter(|pair| differs(*pair)).count()
}

/// The server's g matches the reference, and the rest follows from the votes that the server drew.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_server_matches_the_reference() {
    let reference = reference();
    let server = TestServer::start(setup(&reference)).await;
    let mut client = server.client().await;
    let (pixels, mut same_class) = (test_images(), 0);
    for (images, pixels) in reference.images.chunks(10).zip(pixels.chunks(10)) {
        let request = messages::predict_request(bytes(&[10, 3, 32, 32], &pixels.concat()));
        let response = client.predict(request).await.unwrap().into_inner();
        let provenance = response.provenance.unwrap();
        assert_eq!(provenance.standard_model_sha256, reference.standard_model_sha256);
        assert_eq!(provenance.robust_model_sha256, reference.robust_model_sha256);
        for (prediction, image) in response.predictions.iter().zip(images) {
            let found = certificate(prediction);
            assert_close(&prediction.standard_probabilities, &image.standard_probabilities, 1e-5);
            let mixed: Vec<f64> = prediction
                .robust_probabilities
                .iter()
                .zip(&image.standard_probabilities)
                .map(|(&h, g)| {
                    // Each share is a whole number of votes, selection votes included.
                    #[expect(clippy::cast_precision_loss, reason = "small counts")]
                    let votes = found.votes_drawn as f64;
                    let share = (f64::from(h) * votes).round() / votes;
                    ((1.0 - reference.alpha) * g + reference.alpha * share).ln()
                })
                .collect();
            assert_close_relative(&prediction.mixed_logits, &mixed, 1e-5);
            assert_eq!(
                (found.votes, found.selection_votes),
                (reference.votes, reference.selection_votes)
            );
            recompute::assert_certificate(found, reference.alpha);
            let formula =
                reference.sigma * (normal_quantile(found.lower_bound) - normal_quantile(0.5 / reference.alpha));
            // The server uses the runner-up's bound only if that proves a larger radius.
            let holds = if found.two_sided {
                found.radius > formula.max(0.0)
            } else {
                (found.radius - formula.max(0.0)).abs() < 1e-9
            };
            assert!(holds, "image {}: {found:?}", image.index);
            same_class += usize::from(prediction.class_index == image.class);
        }
    }
    // Other keys draw other votes, and an unsettled class is that of the standard model, so an
    // undecided image may get another class.
    assert!(same_class >= 85, "{same_class} of 100 have the reference's class");
}

/// Mixed logits are logarithms: the tolerance is relative for large values and absolute for small.
#[track_caller]
fn assert_close_relative(served: &[f32], truth: &[f64], tolerance: f64) {
    assert_eq!(served.len(), truth.len());
    for (served, truth) in served.iter().zip(truth) {
        assert!(
            (f64::from(*served) - truth).abs() <= tolerance * truth.abs().max(1.0),
            "{served} is not {truth}"
        );
    }
}

/// The gated rule on real images: weight, mixed logits and class follow from the served shares. Few
/// votes leave answers of every kind.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_gated_mixture_follows_the_served_shares() {
    const FALLBACK_ALPHA: f64 = 0.125;
    let reference = reference();
    let setup = setup(&reference)
        .with("mixture.fallback_alpha", FALLBACK_ALPHA)
        .with("certificate.failure_probability", 0.001)
        .with("certificate.selection_votes", 4)
        .with("certificate.predict_votes", 20);
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let (pixels, mut kinds) = (test_images(), BTreeMap::new());
    for (images, pixels) in reference.images.chunks(10).zip(pixels.chunks(10)) {
        let request = messages::predict_request(bytes(&[10, 3, 32, 32], &pixels.concat()));
        let response = client.predict(request).await.unwrap().into_inner();
        for (prediction, image) in response.predictions.iter().zip(images) {
            let found = certificate(prediction);
            let shares: Vec<f64> = prediction.robust_probabilities.iter().map(|&h| f64::from(h)).collect();
            let is_certified = found.radius > 0.0;
            let weight = if is_certified {
                reference.alpha
            } else {
                robust_weight(reference.alpha, FALLBACK_ALPHA, &shares)
            };
            let mixed = formulas::mixed_logits(weight, &image.standard_probabilities, &shares);
            assert_eq!(prediction.robust_weight, Some(weight), "image {}", image.index);
            assert_close_relative(&prediction.mixed_logits, &mixed, 1e-5);
            let class = match prediction.class_source() {
                ClassSource::Certificate => prediction.class_index as usize,
                ClassSource::StandardModel => formulas::argmax(&image.standard_probabilities),
                _ => formulas::argmax(&mixed),
            };
            assert_eq!(prediction.class_index as usize, class, "image {}", image.index);
            let is_from_certificate = prediction.class_source() == ClassSource::Certificate;
            assert_eq!(is_from_certificate, is_certified, "image {}", image.index);
            recompute::assert_certificate(found, reference.alpha);
            *kinds.entry((is_certified, weight == reference.alpha)).or_insert(0) += 1;
        }
    }
    // Certified; with a large enough margin, but too few votes; below the margin.
    assert_eq!(kinds.len(), 3, "{kinds:?}");
}
