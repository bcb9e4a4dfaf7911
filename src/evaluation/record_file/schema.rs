//! The columns of a record file, and the keys of its metadata.

use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;

use crate::evaluation::record::{EvaluationHeader, SamplingConditions};

/// The key of the header, one JSON object.
pub(super) const HEADER_KEY: &str = "certimix.evaluation";
/// The key of the [`RunSummary`](super::RunSummary), one JSON object.
pub(super) const RUN_KEY: &str = "certimix.run";
/// The key of the digests of the row groups, a JSON list.
pub(super) const DIGESTS_KEY: &str = "certimix.group_sha256";

/// The most values of one list column in a row group, which bounds the memory of a writer and a
/// reader.
const MAX_GROUP_VALUES: u64 = 4 << 20;
/// The most rows of a row group.
const MAX_GROUP_ROWS: usize = 4096;

/// Returns the columns of the records under `header`.
pub(super) fn schema(header: &EvaluationHeader) -> Result<Arc<Type>, ParquetError> {
    let robust = match &header.sampling {
        None => "required group robust (LIST) { repeated group list { required float element; } }".to_owned(),
        Some(sampling) => format!(
            "required group votes (LIST) {{ repeated group list {{ optional int32 element; }} }}
             required int64 votes_for_class;
             required int64 votes_for_runner_up;
             {}",
            match sampling.noise_secret {
                Some(_) => "",
                None => "required binary noise_key (UTF8);",
            }
        ),
    };
    let text = format!(
        "message evaluation {{
           required int64 index;
           required binary id (UTF8);
           optional int32 label;
           required double snapping_loss;
           required double seconds;
           optional int32 standard_class;
           required double standard_margin;
           optional int32 robust_class;
           required double robust_margin;
           required group standard (LIST) {{ repeated group list {{ required float element; }} }}
           {robust}
         }}"
    );
    parse_message_type(&text).map(Arc::new)
}

/// Returns the most rows of a row group under `header`.
pub(super) fn group_rows(header: &EvaluationHeader) -> usize {
    let votes = header.sampling.as_ref().map_or(0, SamplingConditions::votes);
    let values = votes.max(header.labels.len() as u64).max(1);
    usize::try_from(MAX_GROUP_VALUES / values)
        .unwrap_or(MAX_GROUP_ROWS)
        .clamp(1, MAX_GROUP_ROWS)
}
