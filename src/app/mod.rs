//! The one place that turns settings into a running server.
//!
//! [`run()`] is its life from the first listener to the last thread; [`watched`] is what an operator sees of it meanwhile.

mod run;
mod watched;

pub use run::{AppError, Ready, Start, run};
