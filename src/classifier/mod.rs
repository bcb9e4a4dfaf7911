//! Both models as one classifier: rows in, mixed prediction and certificate out.
//!
//! An [`Engine`] is both models, loaded and warm; a [`MixedClassifier`] is what a request reads: an engine, and how its outputs are
//! mixed and certified. [`MixedClassifier::predict`] answers a batch of inputs. For each input the standard row and the robust rows run at the same time. A robust model with a Lipschitz
//! proof needs one row ([`lipschitz`]); a smoothed one needs votes ([`vote_loop`], counted by [`ballot`], drawn by
//! [`smoother`]). What other alphas would have answered is counted beside it ([`shadow`]).

mod answer;
mod ballot;
mod blueprint;
mod curfew;
mod doubt;
mod engine;
mod error;
mod info;
mod lipschitz;
mod load;
mod mixed;
mod mixing;
mod noise_keys;
mod order;
mod parts;
mod replay;
mod robust;
mod room;
mod rows;
mod sessions;
mod shadow;
mod smoothed;
mod smoother;
mod test_rows;
mod vote_loop;

pub use answer::Answer;
pub use blueprint::Blueprint;
pub use curfew::{Curfew, CurfewBell};
pub use engine::Engine;
pub use error::ClassifierError;
pub use info::{ClassifierInfo, ModelSummary};
pub use load::LoadError;
pub use mixed::MixedClassifier;
pub use noise_keys::NoiseKeys;
pub use order::CertificationOrder;
pub use replay::VoteCounter;
pub use shadow::{Histogram, RADIUS_BOUNDS, ShadowCounts, ShadowReport, ShadowRow};
