//! Both models as one classifier: rows in, mixed prediction and certificate out.
//!
//! [`MixedClassifier::load`] prepares everything that a request will read; [`MixedClassifier::predict`] answers a batch
//! of inputs. For each input the standard row and the robust rows run at the same time. A robust model with a Lipschitz
//! proof needs one row ([`lipschitz`]); a smoothed one needs votes ([`vote_loop`], counted by [`ballot`], drawn by
//! [`smoother`]).

mod answer;
mod ballot;
mod error;
mod info;
mod lipschitz;
mod load;
mod mixed;
mod order;
mod parts;
mod replay;
mod robust;
mod room;
mod rows;
mod sessions;
mod smoothed;
mod smoother;
mod vote_loop;

pub use answer::Answer;
pub use error::ClassifierError;
pub use info::{ClassifierInfo, ModelSummary};
pub use load::LoadError;
pub use mixed::MixedClassifier;
pub use order::CertificationOrder;
pub use replay::VoteCounter;
