//! Predict and PredictStream.

mod gated_mixture;
mod lipschitz_images;
mod numbered_requests;
mod reference_images;
mod stream;
mod stream_flow_control;
mod unary;
mod verified_records;
