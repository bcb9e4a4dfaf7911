//! Made-up reports for tests of the page.

use super::confidence::{CONFIDENCE_TEXT, intervals_of};
use super::data::{
    ClassCounts, Disagreement, DisagreementGroup, Disagreements, MeasuredFact, MixtureResult, ReportData, ReportSource,
    RobustCurve, VoteStatistics,
};
use super::frontier::frontiers;
use super::sample_mixture::mixture_with;

const INPUTS: u64 = 1000;
const LABELS: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];
/// A PNG of one grey pixel.
const PIXEL: &str = "data:image/png;base64,\
    iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg==";

/// The share of `INPUTS`, rounded down.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share from 0 to 1"
)]
fn count(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * INPUTS as f64) as u64
}

/// A mixture whose counts follow made-up smooth curves.
fn mixture(radii: &[f64], alpha: f64, robust_temperature: f64, fallback_alpha: f64) -> MixtureResult {
    let strength = (2.0 * alpha - 1.0) * (1.0 - 0.3 * robust_temperature.ln().abs());
    let right = count(0.93 - 0.1 * strength - 0.15 * fallback_alpha * fallback_alpha);
    let curve = |scale: f64| -> Vec<u64> {
        let share = |radius: f64| 0.75 * strength.max(0.0).sqrt() * (-radius * scale).exp() - 0.1 * radius;
        radii.iter().map(|&radius| count(share(radius)).min(right)).collect()
    };
    let certified = curve(1.5);
    let histogram = certified
        .iter()
        .zip(certified.iter().skip(1).chain([&0]))
        .map(|(from, to)| from - to)
        .collect();
    let class = |index: u64| {
        ClassCounts(
            100,
            right / 10 - index % 3,
            (certified[0] / 10).saturating_sub(index % 4),
        )
    };
    MixtureResult {
        inputs: INPUTS,
        right: Some(right),
        as_standard: Some(right + 10),
        uncertified: INPUTS - certified[0],
        open: 0,
        papers_radius: (fallback_alpha >= alpha).then(|| curve(4.0)),
        histogram,
        classes: (0..10).map(class).collect(),
        votes: Some(VoteStatistics {
            mean: 80.0 + 900.0 * (1.0 - alpha),
            p50: Some(64),
            p99: Some(4096),
        }),
        command: format!("certimix alpha set {alpha} --fallback-alpha {fallback_alpha} --config certimix.toml"),
        ..MixtureResult {
            alpha,
            robust_temperature,
            fallback_alpha,
            ..mixture_with(right, certified)
        }
    }
}

fn disagreements() -> Disagreements {
    let shown = |count: u32| {
        (0..count)
            .map(|index| Disagreement {
                id: format!("test.npz#{index}"),
                image: Some(PIXEL.to_owned()),
                label: Some(index % 10),
                standard: index % 10,
                robust: (index + 3) % 10,
            })
            .collect()
    };
    let group = |name: &str, inputs, examples| DisagreementGroup {
        name: name.to_owned(),
        inputs,
        shown: shown(examples),
    };
    Disagreements {
        inputs: 240,
        groups: vec![
            group("only g is right", 190, 16),
            group("only h is right", 30, 16),
            group("both are wrong", 20, 8),
        ],
    }
}

/// A report of a labelled data set and a model with votes, with everything that a page can show.
pub(super) fn synthetic_report() -> ReportData {
    let radii: Vec<f64> = (0..=20).map(|step| f64::from(step) * 0.05).collect();
    let mut mixtures = Vec::new();
    for alpha in (10..=20).map(|step| f64::from(step) / 20.0) {
        for temperature in [0.25, 0.5, 1.0, 2.0] {
            for fallback in [0.0, 0.25, 0.5, alpha] {
                if fallback <= alpha && !(fallback == 0.5 && alpha <= 0.5) {
                    mixtures.push(mixture(&radii, alpha, temperature, fallback));
                }
            }
        }
        if alpha <= 0.5 {
            mixtures.push(mixture(&radii, alpha, 1.0, 0.123));
        }
    }
    let position = |alpha: f64, fallback: f64| {
        mixtures.iter().position(|mixture| {
            (mixture.alpha, mixture.robust_temperature, mixture.fallback_alpha) == (alpha, 1.0, fallback)
        })
    };
    let (recommended, in_force) = (position(0.8, 0.0), position(0.75, 0.75));
    let robust_alone = [0.25, 0.5, 1.0, 2.0].map(|temperature| {
        let alone = mixture(&radii, 1.0, temperature, 1.0);
        RobustCurve {
            robust_temperature: temperature,
            right: Some(706),
            as_standard: Some(710),
            certified: alone.certified,
        }
    });
    ReportData {
        title: "cifar10-standard and cifar10-smoothed on test.npz".to_owned(),
        subtitle: "1,000 labelled inputs, evaluated 2026-11-30T18:00:00Z".to_owned(),
        source: ReportSource::Records,
        measured: vec![
            MeasuredFact::new("data set", format!("test.npz, sha256 {}", "0123456789abcdef".repeat(4))),
            MeasuredFact::new(
                "standard model g",
                format!("cifar10-standard, sha256 {}", "ab".repeat(32)),
            ),
            MeasuredFact::new(
                "robust model h",
                format!("cifar10-smoothed, sha256 {}", "cd".repeat(32)),
            ),
            MeasuredFact::new("guarantee of h", "Gaussian smoothing, sigma 0.25, l2; proven"),
        ],
        notes: vec!["This report is made up, for tests of the page.".to_owned()],
        inputs: INPUTS,
        labelled: true,
        draws_votes: true,
        norm: "l2".to_owned(),
        papers_theorem: "Theorem 2".to_owned(),
        shown_radius: 5,
        histogram_bounds: radii[1..].to_vec(),
        labels: LABELS.map(str::to_owned).to_vec(),
        selected: recommended.unwrap(),
        recommended,
        in_force,
        standard_right: Some(921),
        robust_alone: robust_alone.to_vec(),
        frontiers: frontiers(&mixtures, radii.len()),
        confidence: CONFIDENCE_TEXT.to_owned(),
        intervals: intervals_of(&mixtures).unwrap(),
        disagreements: Some(disagreements()),
        radii,
        mixtures,
    }
}
