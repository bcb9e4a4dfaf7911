//! Radii: from bounds on a network to a ball on which the answer is constant.

pub(in crate::certificate) mod integer_levels;
pub(in crate::certificate) mod lipschitz;
pub(in crate::certificate) mod near_zero_width;
pub(in crate::certificate) mod smoothing;
pub(in crate::certificate) mod two_sided_width;
