//! The certificate of one smoothed input: what to prove, what the votes prove, and when to stop drawing.

pub(in crate::certificate) mod certify;
pub(in crate::certificate) mod decision;
pub(in crate::certificate) mod served_radius;
pub(in crate::certificate) mod sides;
pub(in crate::certificate) mod smoothing_plan;
pub(in crate::certificate) mod tally;
pub(in crate::certificate) mod vote_rule;
