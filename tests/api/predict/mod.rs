//! Predict and PredictStream.

mod reference_images;
mod stream;
mod unary;
