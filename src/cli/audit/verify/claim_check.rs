//! Checks that a record's claim does not contradict its other fields, whatever its counts prove.

use crate::cli::client::{CertificateRecord, PredictionRecord};

/// Checks the counts of drawn votes against those that the certificate is about.
///
/// # Errors
/// A text that names the first field that contradicts another one.
pub(super) fn check_claim(record: &PredictionRecord) -> Result<(), String> {
    check_votes_drawn(&record.certificate)
}

/// A bound for a number of votes fixed beforehand says nothing about the best of several moments. An
/// anytime bound may be about the first of the votes that were drawn.
fn check_votes_drawn(certificate: &CertificateRecord) -> Result<(), String> {
    let drawn = certificate.votes_drawn.saturating_sub(certificate.selection_votes);
    if certificate.bound == "clopper_pearson" && certificate.votes < drawn {
        return Err(format!(
            "votes is {}, expected all {drawn} votes after the selection: the bound is clopper_pearson",
            certificate.votes
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::test_records::certified_record;

    type Change = fn(&mut PredictionRecord);

    fn checked(change: Change) -> Result<(), String> {
        let mut record = certified_record();
        change(&mut record);
        check_claim(&record)
    }

    #[test]
    fn a_contradiction_is_refused() {
        let changes: [(&str, Change); 1] = [("expected all 1001 votes after the selection", |record| {
            record.certificate.bound = "clopper_pearson".into();
            record.certificate.votes_drawn += 1;
        })];
        for (text, change) in changes {
            let error = checked(change).unwrap_err();
            assert!(error.contains(text), "{text}: {error}");
        }
    }

    #[test]
    fn a_genuine_claim_holds() {
        let changes: [Change; 3] = [
            |_| {},
            |record| record.certificate.votes_drawn += 1,
            |record| record.certificate.bound = "clopper_pearson".into(),
        ];
        for (case, change) in changes.into_iter().enumerate() {
            assert_eq!(checked(change), Ok(()), "case {case}");
        }
    }
}
