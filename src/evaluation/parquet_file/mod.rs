//! Parquet files that anybody may have written or damaged.
//!
//! The parser trusts the numbers in a file: it reserves memory for them, and panics on some. So
//! [`open_parquet`] and [`CheckedRowGroup`] check them first, and [`call_parser`] turns a panic that is left
//! into an error.

mod checked_row_group;
mod metadata_check;
mod open;
mod page_headers;
mod parser_panics;
mod schema_size;
mod thrift_reader;

pub(super) use checked_row_group::CheckedRowGroup;
pub(super) use open::open_parquet;
pub(super) use parser_panics::call_parser;
#[cfg(test)]
pub(crate) use parser_panics::is_parsing as is_parsing_parquet;
