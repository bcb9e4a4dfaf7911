//! Number formats and labels that the table, the summary and other commands share.

use super::prediction_record::CertificateRecord;

/// Formats a radius with four decimals, rounded down: a printed radius must not exceed the proven
/// one.
pub(in crate::cli::client) fn rounded_radius(radius: f64) -> String {
    let rounded = (radius * 1e4).floor() / 1e4;
    if rounded > 0.0 || radius <= 0.0 {
        format!("{rounded:.4}")
    } else {
        format!("{radius:.1e}")
    }
}

/// The kind of a certificate and its basis: "tight, 99.9999 % (112/112 votes)", "Lipschitz logits,
/// proven", "Lipschitz logits, claimed". The summary below the table explains these words.
pub(in crate::cli::client) fn certificate_text(certificate: &CertificateRecord) -> String {
    let has_votes = certificate.votes > 0;
    let votes = format!("({}/{} votes)", certificate.votes_for_class, certificate.votes);
    let caveat = if certificate.caveat.is_empty() { "" } else { " *" };
    match certificate.status.as_str() {
        "certified" if has_votes => {
            let confidence = confidence_percent(certificate.failure_probability);
            // A smoothed certificate is proven by theorem. A caveat makes it a claim.
            let claimed = if certificate.basis == "claimed" {
                ", claimed"
            } else {
                ""
            };
            format!(
                "{}{claimed}, {confidence} {votes}{caveat}",
                method_title(&certificate.method)
            )
        }
        "certified" => format!(
            "{}, {}{caveat}",
            method_title(&certificate.method),
            basis_text(&certificate.basis)
        ),
        status if has_votes => format!("{status} {votes}"),
        status => status.to_owned(),
    }
}

/// The basis of a certificate. Older servers do not send it; such a certificate must not look
/// proven.
fn basis_text(basis: &str) -> &str {
    match basis {
        "" | "unspecified" => "basis unknown",
        known => known,
    }
}

/// The usual name of a certificate method.
pub(in crate::cli::client) fn method_title(method: &str) -> &str {
    match method {
        "theorem1" => "theorem 1",
        "theorem2" => "theorem 2",
        "logit_lipschitz" => "Lipschitz logits",
        other => other,
    }
}

/// The probability that a certificate is correct, in percent, never rounded up. It has as many
/// digits as it has nines.
pub(super) fn confidence_percent(failure_probability: f64) -> String {
    if failure_probability < 1e-12 {
        return format!("all but {failure_probability:e}");
    }
    let mut text = format!("{:.14}", 100.0 * (1.0 - failure_probability));
    // The digits after the first three of the failure probability are rounding errors.
    let point = text.find('.').unwrap_or(text.len());
    let zeros = (-failure_probability.log10()).ceil().max(0.0);
    let keep = (1..=14).find(|&digits| f64::from(digits) >= zeros).unwrap_or(14);
    text.truncate(point + 1 + usize::try_from(keep).unwrap_or(14));
    let trimmed = text.trim_end_matches('0').trim_end_matches('.');
    format!("{trimmed} %")
}

/// The first 12 digits of a configuration revision. They suffice to distinguish configurations.
pub(in crate::cli::client) fn short_revision(revision: &str) -> String {
    revision.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::results::prediction_record::tests::certified_record;

    #[test]
    fn a_proven_certificate_without_votes_has_no_confidence() {
        let mut record = certified_record();
        record.certificate.votes = 0;
        record.certificate.method = "logit_lipschitz".into();
        assert_eq!(certificate_text(&record.certificate), "Lipschitz logits, proven");
    }

    #[test]
    fn a_certificate_without_a_basis_does_not_look_proven() {
        let mut record = certified_record();
        record.certificate.votes = 0;
        for basis in ["", "unspecified"] {
            record.certificate.basis = basis.into();
            assert_eq!(certificate_text(&record.certificate), "tight, basis unknown");
        }
    }

    #[test]
    fn a_claimed_smoothed_certificate_is_marked() {
        let mut record = certified_record();
        record.certificate.basis = "claimed".into();
        record.certificate.caveat = "the noise is clipped".into();
        assert_eq!(
            certificate_text(&record.certificate),
            "tight, claimed, 99.9999 % (112/112 votes) *"
        );
    }

    #[test]
    fn radii_are_rounded_down() {
        assert_eq!(rounded_radius(0.251_39), "0.2513");
        assert_eq!(rounded_radius(0.99999), "0.9999");
        assert_eq!(rounded_radius(0.000_04), "4.0e-5");
        assert_eq!(rounded_radius(0.0), "0.0000");
    }

    #[test]
    fn confidence_is_not_overstated() {
        assert_eq!(confidence_percent(0.05), "95 %");
        assert_eq!(confidence_percent(0.001), "99.9 %");
        assert_eq!(confidence_percent(0.0015), "99.85 %");
        assert_eq!(confidence_percent(1e-6), "99.9999 %");
        assert_eq!(confidence_percent(1e-9), "99.9999999 %");
        assert_eq!(confidence_percent(1e-20), "all but 1e-20");
    }
}
