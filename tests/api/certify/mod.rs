//! Certify and CertifyStream, and the certificates of every method.

mod abstention;
mod exact_radius;
mod grid_snapping;
mod methods;
mod model_outputs;
mod proof_records;
mod stream;
mod unary;
mod votes;
