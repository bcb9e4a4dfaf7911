//! Checks that a record's claim does not contradict its other fields, whatever its counts prove.

use crate::cli::client::{CertificateRecord, PredictionRecord};

/// Checks the status, what may stand beside it, and the number of votes.
///
/// # Errors
/// A text that names the first field that contradicts another one.
pub(super) fn check_claim(record: &PredictionRecord) -> Result<(), String> {
    let certificate = &record.certificate;
    check_status(certificate)?;
    // An unavailable certificate rests on nothing.
    let has_basis = certificate.status != "unavailable";
    if has_basis && certificate.basis == "proven" && !certificate.caveat.is_empty() {
        return Err(format!(
            "basis is \"proven\", expected \"claimed\" beside a caveat: {:?}",
            certificate.caveat
        ));
    }
    check_classes_voted_for(certificate)?;
    check_votes_drawn(certificate)
}

/// A certified record has a radius. Every other record states nothing.
fn check_status(certificate: &CertificateRecord) -> Result<(), String> {
    let status = certificate.status.as_str();
    let contradiction = match status {
        "certified" if certificate.radius == 0.0 => "the radius is 0".to_owned(),
        "certified" => return Ok(()),
        "abstained" | "unavailable" if certificate.radius != 0.0 => format!("the radius is {}", certificate.radius),
        "abstained" | "unavailable" if certificate.radius_sq_levels != 0 => {
            format!("radius_sq_levels is {}", certificate.radius_sq_levels)
        }
        "abstained" | "unavailable" if certificate.whole_range => "whole_range is true".to_owned(),
        "abstained" | "unavailable" => return Ok(()),
        _ => {
            return Err(format!(
                "status is {status:?}, expected \"certified\", \"abstained\" or \"unavailable\""
            ));
        }
    };
    Err(format!("the status is {status}, but {contradiction}"))
}

/// The class and the runner-up are two classes, so no vote is for both.
fn check_classes_voted_for(certificate: &CertificateRecord) -> Result<(), String> {
    let others = certificate.votes.saturating_sub(certificate.votes_for_class);
    if certificate.votes_for_runner_up > others {
        return Err(format!(
            "votes_for_runner_up is {}, expected at most votes - votes_for_class = {others}",
            certificate.votes_for_runner_up
        ));
    }
    Ok(())
}

/// A bound for a number of votes fixed beforehand says nothing about the best of several moments. An
/// anytime bound may be about the first of the votes that were drawn.
fn check_votes_drawn(certificate: &CertificateRecord) -> Result<(), String> {
    let counted = certificate.selection_votes.saturating_add(certificate.votes);
    if counted > certificate.votes_drawn {
        return Err(format!(
            "votes_drawn is {}, expected at least selection_votes + votes = {counted}",
            certificate.votes_drawn
        ));
    }
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
    use crate::cli::audit::test_records::{Change, assert_holds, assert_refused};

    #[test]
    fn a_contradiction_is_refused() {
        let changes: [(&str, Change); 9] = [
            ("status is \"certain\"", |record| {
                record.certificate.status = "certain".into()
            }),
            ("certified, but the radius is 0", |record| {
                record.certificate.radius = 0.0
            }),
            ("abstained, but the radius is", |record| {
                record.certificate.status = "abstained".into()
            }),
            ("unavailable, but radius_sq_levels is", |record| {
                (record.certificate.status, record.certificate.radius) = ("unavailable".into(), 0.0);
            }),
            ("abstained, but whole_range is true", |record| {
                let certificate = &mut record.certificate;
                (certificate.status, certificate.whole_range) = ("abstained".into(), true);
                (certificate.radius, certificate.radius_sq_levels) = (0.0, 0);
            }),
            ("expected \"claimed\" beside a caveat", |record| {
                record.certificate.caveat = "inexact".into()
            }),
            ("expected at most votes - votes_for_class = 20", |record| {
                record.certificate.votes_for_runner_up = 21
            }),
            ("expected at least selection_votes + votes = 1032", |record| {
                record.certificate.votes_drawn -= 1
            }),
            ("expected all 1001 votes after the selection", |record| {
                record.certificate.bound = "clopper_pearson".into();
                record.certificate.votes_drawn += 1;
            }),
        ];
        assert_refused(check_claim, &changes);
    }

    #[test]
    fn a_genuine_claim_holds() {
        let changes: [Change; 6] = [
            |_| {},
            |record| record.certificate.votes_drawn += 1,
            |record| record.certificate.bound = "clopper_pearson".into(),
            |record| (record.certificate.basis, record.certificate.caveat) = ("claimed".into(), "inexact".into()),
            // Older servers send no basis.
            |record| (record.certificate.basis, record.certificate.caveat) = (String::new(), "inexact".into()),
            |record| {
                let certificate = &mut record.certificate;
                certificate.status = "abstained".into();
                (certificate.radius, certificate.radius_sq_levels) = (0.0, 0);
            },
        ];
        assert_holds(check_claim, &changes);
    }
}
