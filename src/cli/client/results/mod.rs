//! Predictions as records: one JSON line each, or a table with a summary.

pub(super) mod enum_names;
pub(super) mod prediction_record;
pub(super) mod printer;
pub(super) mod summary;
pub(super) mod table;
