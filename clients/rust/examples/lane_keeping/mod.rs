//! The car, its camera, its attacker, and the parts of its control loop.

pub mod attacker;
pub mod plant;
pub mod report;
pub mod simplex;
