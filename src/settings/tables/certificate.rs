//! `[certificate]`: how votes become certificates, and whose proofs the server trusts.

use crate::certificate::{FailureProbability, MAX_TARGET_RADIUS};
use crate::domain::{BoundKind, ProofKey};
use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

pub use crate::certificate::RadiusMethod;

/// The project's public key. It verifies the proof records of the bundled models. The private key
/// is not in the repository: after a new training run, a new key signs the record and replaces this
/// one.
pub const PROJECT_KEY: &str = "9480057cb4f78fbf4b220f81353f17592880d8eb1cf0b49673386eb9ebf845da";

const MAX_PROOF_KEYS: usize = 16;
/// The most estimation votes that any setting allows.
pub const MAX_VOTES: u64 = 1 << 32;
/// The most selection votes that any setting allows.
pub const MAX_SELECTION_VOTES: u64 = 1 << 20;

/// `[certificate]`, without the proof keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CertificateSettings {
    /// Probability, over the noise, that a certificate is false.
    pub failure_probability: FailureProbability,
    /// The smallest failure probability that a caller of `Certify` may request.
    pub min_failure_probability: f64,
    /// The theorem for smoothed models.
    pub radius: RadiusMethod,
    /// The bound on a probability from votes.
    pub bound: BoundKind,
    /// Votes that choose the class. They are not counted again.
    pub selection_votes: u64,
    /// Most estimation votes of `Predict`.
    pub predict_votes: u64,
    /// Radius at which `Predict` stops drawing votes, before the cap.
    pub predict_target_radius: Option<f64>,
    /// Estimation votes of `Certify` if the caller requests no number.
    pub certify_votes: u64,
    /// Most estimation votes that a caller of `Certify` may request.
    pub max_votes: u64,
    /// Most estimation votes that a caller may request at interactive priority; 0 forbids it.
    pub interactive_votes: u64,
    /// Serves certificates although the self-test or the audit found that a model is not a function
    /// of its input. Each certificate then carries a caveat.
    pub allow_inexact_runtime: bool,
}

const FAILURE_PROBABILITY: SettingKey = SettingKey::live(
    "certificate.failure_probability",
    KeyScope::Answers,
    "Probability, over the noise, that a certificate of `Predict` is false; also the default of `Certify`.",
);
const MIN_FAILURE_PROBABILITY: SettingKey = SettingKey::live(
    "certificate.min_failure_probability",
    KeyScope::Operation,
    "The smallest failure probability that a caller of `Certify` may request; at most `certificate.failure_probability`.",
);
const PREDICT_VOTES: SettingKey = SettingKey::live(
    "certificate.predict_votes",
    KeyScope::Answers,
    "Most estimation votes of `Predict` for one input.",
)
.in_unit("votes");
const CERTIFY_VOTES: SettingKey = SettingKey::live(
    "certificate.certify_votes",
    KeyScope::Answers,
    "Estimation votes of `Certify` if the caller requests no number.",
)
.in_unit("votes");
const INTERACTIVE_VOTES: SettingKey = SettingKey::live(
    "certificate.interactive_votes",
    KeyScope::Operation,
    "Most estimation votes that a caller may request at interactive priority. 0 forbids interactive `Certify`.",
)
.in_unit("votes");

pub(in crate::settings) fn read(reader: &mut Reader) -> Option<CertificateSettings> {
    let is_probability = |p: f64| (1e-100..=0.5).contains(&p);
    let expected = "a probability from 1e-100 to 0.5";
    let failure_probability = reader.float(FAILURE_PROBABILITY, 1e-6, expected, is_probability);
    let min_failure_probability = reader.float(MIN_FAILURE_PROBABILITY, 1e-12, expected, is_probability);
    let radius = reader.choice(
        SettingKey::live(
            "certificate.radius",
            KeyScope::Answers,
            "Theorem for the radius of a smoothed model: `tight` is never smaller than the paper's `theorem2`.",
        ),
        ("tight", RadiusMethod::Tight),
        &[("theorem2", RadiusMethod::Theorem2)],
    );
    let bound = reader.choice(
        SettingKey::live(
            "certificate.bound", KeyScope::Answers,
            "Bound on a probability from votes: `anytime` holds after every vote, `clopper_pearson` after a fixed number only.",
        ),
        ("anytime", BoundKind::Anytime),
        &[("clopper_pearson", BoundKind::ClopperPearson)],
    );
    let max_votes = reader.count(
        SettingKey::live(
            "certificate.max_votes", KeyScope::Operation,
            "Most estimation votes that a caller of `Certify` may request for one input; also the limit of the other vote keys below.",
        ).in_unit("votes"),
        100_000,
        1..=MAX_VOTES,
    );
    let selection_votes = reader.count(
        SettingKey::live(
            "certificate.selection_votes",
            KeyScope::Answers,
            "Votes that choose the class before the estimation votes. They are not counted again.",
        )
        .in_unit("votes"),
        16,
        1..=MAX_SELECTION_VOTES,
    );
    let predict_votes = reader.count(PREDICT_VOTES, 240, 1..=MAX_VOTES);
    let predict_target_radius = reader.float(
        SettingKey::live(
            "certificate.predict_target_radius",
            KeyScope::Answers,
            "Radius at which `Predict` stops drawing votes, capped at 3/4 of the largest radius that \
             `certificate.predict_votes` votes can prove at this alpha. 0 spends every vote.",
        )
        .in_unit("units of the float input"),
        0.0,
        "a radius in the units of the float input, at most 1e30, or 0 to spend every vote",
        |radius| (0.0..=MAX_TARGET_RADIUS).contains(&radius),
    );
    let certify_votes = reader.count(CERTIFY_VOTES, 1000, 1..=MAX_VOTES);
    // Votes that `Predict` may spend delay other callers no more when `Certify` spends them.
    let interactive_votes = reader.count(
        INTERACTIVE_VOTES.with_computed_default("`certificate.predict_votes`, at most `certificate.max_votes`"),
        predict_votes.min(max_votes),
        0..=MAX_VOTES,
    );
    let allow_inexact_runtime = reader.flag(
        SettingKey::live(
            "certificate.allow_inexact_runtime", KeyScope::Answers,
            "Serves certificates although the self-test or the audit found that a model is not a function of its input. Each certificate then carries a caveat.",
        ),
        false,
    );
    for (key, votes) in [
        (PREDICT_VOTES, predict_votes),
        (CERTIFY_VOTES, certify_votes),
        (INTERACTIVE_VOTES, interactive_votes),
    ] {
        reader.check(votes <= max_votes, key, || {
            format!("is over certificate.max_votes = {max_votes}")
        });
    }
    reader.check(
        min_failure_probability <= failure_probability,
        MIN_FAILURE_PROBABILITY,
        || format!("is over certificate.failure_probability = {failure_probability}"),
    );
    Some(CertificateSettings {
        failure_probability: FailureProbability::new(failure_probability).ok()?,
        min_failure_probability,
        radius,
        bound,
        selection_votes,
        predict_votes,
        predict_target_radius: (predict_target_radius > 0.0).then_some(predict_target_radius),
        certify_votes,
        max_votes,
        interactive_votes,
        allow_inexact_runtime,
    })
}

/// Reads `certificate.proof_keys`.
pub(in crate::settings) fn read_proof_keys(reader: &mut Reader) -> Vec<ProofKey> {
    let default: Vec<ProofKey> = ProofKey::parse(PROJECT_KEY).into_iter().collect();
    reader.strings(
        SettingKey::live(
            "certificate.proof_keys", KeyScope::Answers,
            "Public keys that the server trusts to sign [proof records](manifests.md#proven-or-claimed). The default is the project's key.",
        ),
        &default,
        MAX_PROOF_KEYS,
        "a list of at most 16 Ed25519 public keys of 64 hexadecimal digits each",
        ProofKey::parse,
    )
}
