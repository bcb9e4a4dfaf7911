//! Both models as one classifier: it takes rows and returns mixed predictions with certificates.
//!
//! An [`Engine`] holds both models, loaded and warm. A [`MixedClassifier`] is the snapshot that a
//! request reads: an engine, and the rules that mix and certify its outputs.
//! [`MixedClassifier::predict`] answers a batch of inputs. For each input, the row of the standard
//! model and the rows of the robust model run at the same time.
//!
//! The folders, lowest layer first. A file of a folder imports only from its own folder, from
//! folders earlier in this list, and from `error` and `drain_deadline`:
//!
//! - `prediction`: the prediction of the robust model, its certificate and the mixture
//!   ([`prediction::lipschitz`]).
//! - `smoothing`: noisy rows, votes and the vote loop of a smoothed model
//!   ([`smoothing::vote_loop`]).
//! - `recomputation`: answers from recorded outputs, for any mixture ([`recomputation`]).
//! - `shadow`: statistics of the predictions that other mixtures would give ([`shadow`]).
//! - `models`: both models on their executors ([`Engine::load`]).
//!
//! The files beside the folders serve requests: they admit a request, predict its inputs from one
//! row or by votes, and describe what is served. [`VoteReplayer`] draws the votes of a served
//! certificate again. [`OutputWorker`] computes outputs for an evaluation, without requests.

mod certification_params;
mod classifier_info;
mod demand;
mod drain_deadline;
mod error;
mod inference_context;
mod input_rows;
mod mixed_classifier;
mod models;
mod one_row_prediction;
mod prediction;
mod recomputation;
mod request_predictions;
mod shadow;
mod smoothing;
mod vote_prediction;
mod vote_replay;

pub use certification_params::CertificationParams;
pub use classifier_info::ClassifierInfo;
pub use drain_deadline::{DrainDeadline, DrainSignal};
pub use error::ClassifierError;
pub use mixed_classifier::MixedClassifier;
pub use models::{
    DrawnVotes, Engine, EngineConfig, LoadChecks, LoadError, ModelError, ModelSummary, OfflineCheck, OutputConditions,
    OutputError, OutputWorker, check_offline,
};
pub use prediction::evaluated_models::EvaluatedModels;
pub use recomputation::{
    RecomputedAnswer, RecordedRows, RecordedVotes, RowsAtTemperature, VoteConditions, VoteProof, VoteReplay,
    chunk_votes_for,
};
pub use request_predictions::RequestPredictions;
pub use shadow::{MAX_SHADOW_QUEUE_BYTES, RADIUS_BOUNDS, RadiusHistogram, ShadowCounts, ShadowReport, ShadowRow};
pub use smoothing::target_radius::{PredictTarget, TargetRadius};
pub use smoothing::{NoiseKeyGenerator, VoteCounts};
pub use vote_replay::VoteReplayer;
