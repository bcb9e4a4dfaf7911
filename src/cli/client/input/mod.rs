//! Converts files into inputs of the served model.
//!
//! [`sources`] finds the files that the arguments name. [`input_reader`] reads them ahead of the
//! requests. [`files`] selects the reader by the content: the image decoder of the data sets for PNG, JPEG, WebP and BMP,
//! [`npy`] for NumPy arrays. Both produce [`model_input`]s, with the [`conversions`] that an image
//! needed. [`true_classes`] finds the true class of an input where it is known.

mod conversions;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod input_reader;
mod model_input;
mod npy;
mod sources;
mod true_classes;

pub(super) use conversions::ConversionCounts;
pub use conversions::Conversions;
pub use files::read_file;
pub(super) use input_reader::{InputReader, ReadSource};
pub use model_input::{AcceptedInput, ModelInput};
pub(super) use sources::find_sources;
pub(super) use true_classes::{TrueClass, TrueClasses};
