//! Shadow alphas.

mod report;
