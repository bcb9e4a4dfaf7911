//! Validated parameters. Each type holds only values for which the formulas are true.

pub(in crate::certificate) mod alpha;
pub(in crate::certificate) mod failure_probability;
pub(in crate::certificate) mod sigma;
pub(in crate::certificate) mod temperature;
