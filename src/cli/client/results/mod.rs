//! Converts predictions into records, and prints them.
//!
//! A [`prediction_record`] is the JSON line of one prediction, with [`enum_names`] for the enums of
//! the wire. [`printer`] prints the lines, or in the end a [`table`] and a [`summary`].
//! [`text_format`] has the number formats and labels that both share, [`class_names`] the names of
//! classes.

mod class_names;
mod enum_names;
mod prediction_record;
mod printer;
mod summary;
mod table;
mod text_format;

pub(super) use enum_names::{basis_name, bound_name, method_name, norm_name};
pub use prediction_record::{CertificateRecord, PredictionRecord, ProvenanceRecord};
pub(super) use printer::ResultPrinter;
pub(super) use text_format::{method_title, rounded_radius, short_revision};
