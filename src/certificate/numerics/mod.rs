//! Floating-point arithmetic with a known rounding direction or a known error bound.

pub(in crate::certificate) mod beta_tail;
pub(in crate::certificate) mod directed_probability;
pub(in crate::certificate) mod divergence;
pub(in crate::certificate) mod dot_product;
pub(in crate::certificate) mod hit_counts;
pub(in crate::certificate) mod nan_safe;
pub mod normal;
pub(in crate::certificate) mod probability;
pub(in crate::certificate) mod radius;
pub(in crate::certificate) mod root_finding;
pub(in crate::certificate) mod stirling;
pub(in crate::certificate) mod value_with_error;
