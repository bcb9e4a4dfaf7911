//! Converts files into inputs of the served model.
//!
//! [`files`] selects the reader by the extension: [`image`] for PNG and JPEG, [`npy`] for NumPy
//! arrays. Both produce [`model_input`]s. [`true_labels`] finds the true class of an input where it
//! is known.

mod files;
mod image;
mod model_input;
mod npy;
mod true_labels;

pub use files::read_file;
pub(super) use files::read_files;
pub use model_input::{AcceptedInput, ModelInput};
pub(super) use true_labels::TrueLabels;
