//! From bounds on a network to the radius of a ball on which its answer holds.

pub(in crate::certificate) mod integer_levels;
pub(in crate::certificate) mod lipschitz;
pub(in crate::certificate) mod near_zero_width;
pub(in crate::certificate) mod smoothing;
pub(in crate::certificate) mod two_sided_width;
