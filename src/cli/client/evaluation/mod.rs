//! The outputs of the models of running services, for `certimix evaluate --endpoint`.

mod service_header;
mod service_source;
mod services;

pub use services::Services;
