//! The fuzz target of this folder: raw bit patterns, NaN, infinities, subnormals, 1e308 and both
//! zeros.
//!
//! [`inputs`] draws numbers from bytes, and [`checks`] holds the properties. The references
//! [`high_precision_lipschitz`] and [`high_precision_normal`] compute the same radii in 300 binary
//! digits.

mod checks;
pub(in crate::certificate) mod high_precision_lipschitz;
mod high_precision_normal;
mod inputs;
mod target;

pub(crate) use high_precision_normal::{theorem2_allows, tight_allows};
pub(crate) use target::certificates;
