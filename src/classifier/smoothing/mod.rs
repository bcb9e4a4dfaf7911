//! A smoothed robust model: it votes on noisy copies of an input, and the votes prove a radius.

mod abstention;
pub(in crate::classifier) mod class_choice;
pub(in crate::classifier) mod concurrency;
mod noise_key_generator;
pub(in crate::classifier) mod smoothed_prediction;
pub(in crate::classifier) mod smoother;
pub(in crate::classifier) mod snapping;
pub(in crate::classifier) mod target_radius;
pub(in crate::classifier) mod vote_chunking;
pub(in crate::classifier) mod vote_counts;
pub(in crate::classifier) mod vote_forecast;
pub(in crate::classifier) mod vote_loop;
pub(in crate::classifier) mod vote_trace;

pub use noise_key_generator::NoiseKeyGenerator;
pub use vote_counts::VoteCounts;
