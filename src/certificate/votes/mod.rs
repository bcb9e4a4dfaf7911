//! The certificate of one smoothed input: the plan, the votes, what they prove, and when to stop.

pub(in crate::certificate) mod certify;
pub(in crate::certificate) mod decision;
pub(in crate::certificate) mod mixture_class;
pub(in crate::certificate) mod prospects;
pub(in crate::certificate) mod served_radius;
pub(in crate::certificate) mod side_selection;
pub(in crate::certificate) mod smoothing_plan;
pub(in crate::certificate) mod tally;
pub(in crate::certificate) mod target_limit;
pub(in crate::certificate) mod vote_rule;
