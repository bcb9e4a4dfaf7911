//! Files in, inputs of the served model out.

pub(super) mod image;
pub(super) mod model_input;
pub(super) mod npy;
pub(super) mod true_labels;
