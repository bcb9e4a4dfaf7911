//! The digest of a group of records.

use sha2::{Digest as _, Sha256};

use crate::domain::{RobustOutput, hex};
use crate::evaluation::record::EvaluationRecord;

/// Returns the SHA-256 of the JSON text of the header and of every value of `records`, hexadecimal.
pub(super) fn digest(header: &str, records: &[EvaluationRecord]) -> String {
    let (mut hash, mut bytes) = (Sha256::new(), Vec::new());
    hash.update((header.len() as u64).to_le_bytes());
    hash.update(header);
    for record in records {
        bytes.clear();
        add_record(record, &mut bytes);
        hash.update(&bytes);
    }
    hex(&hash.finalize())
}

/// Appends the values of `record`. Each value of variable length follows its length.
fn add_record(record: &EvaluationRecord, bytes: &mut Vec<u8>) {
    bytes.extend(record.index.to_le_bytes());
    add_length(record.id.len(), bytes);
    bytes.extend(record.id.as_bytes());
    add_class(record.label, bytes);
    bytes.extend(record.snapping_loss.to_bits().to_le_bytes());
    bytes.extend(record.seconds.to_bits().to_le_bytes());
    add_row(&record.standard, bytes);
    match &record.robust {
        RobustOutput::Row(row) => add_row(row, bytes),
        RobustOutput::Votes(votes) => {
            add_length(votes.len(), bytes);
            votes.iter().for_each(|&vote| add_class(vote, bytes));
        }
    }
    bytes.extend(record.noise_key.iter().flatten());
}

fn add_row(row: &[f32], bytes: &mut Vec<u8>) {
    add_length(row.len(), bytes);
    bytes.extend(row.iter().flat_map(|value| value.to_bits().to_le_bytes()));
}

/// A class has at most 31 bits, so the largest number stands for no class.
fn add_class(class: Option<u32>, bytes: &mut Vec<u8>) {
    bytes.extend(class.unwrap_or(u32::MAX).to_le_bytes());
}

fn add_length(length: usize, bytes: &mut Vec<u8>) {
    bytes.extend((length as u64).to_le_bytes());
}
