//! Number formats and labels that the table, the summary and other commands share.

use super::prediction_record::CertificateRecord;

/// A radius from 1e-4 to this one has four decimals, any other has an exponent.
const LARGEST_DECIMAL: f64 = 1e4;

/// Formats a radius in at most 9 characters, rounded down: a printed radius must not exceed the
/// proven one.
pub(in crate::cli::client) fn rounded_radius(radius: f64) -> String {
    if radius.is_nan() || radius <= 0.0 {
        return "0.0000".to_owned();
    }
    if (1e-4..LARGEST_DECIMAL).contains(&radius) {
        let steps = (radius * 1e4).floor();
        return down_to(radius, &[steps, steps - 1.0].map(|steps| format!("{:.4}", steps / 1e4)));
    }
    let nearest = format!("{radius:.1e}");
    let below = nearest.split_once('e').and_then(|(mantissa, exponent)| {
        let tenths: f64 = mantissa.parse::<f64>().ok()? * 10.0 - 1.0;
        let exponent: i32 = exponent.parse().ok()?;
        Some(match tenths < 9.5 {
            true => format!("9.9e{}", exponent - 1),
            false => format!("{:.1}e{exponent}", tenths / 10.0),
        })
    });
    down_to(radius, &[nearest, below.unwrap_or_default()])
}

/// The first of the texts whose number does not exceed `radius`.
fn down_to(radius: f64, texts: &[String]) -> String {
    let is_below = |text: &&String| text.parse::<f64>().is_ok_and(|number| number <= radius);
    texts
        .iter()
        .find(is_below)
        .cloned()
        .unwrap_or_else(|| "0.0000".to_owned())
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

/// The kind of a certificate and its basis without the votes: "tight, 99.9999 %".
pub(super) fn certificate_text_without_votes(certificate: &CertificateRecord) -> String {
    let without_votes = CertificateRecord {
        votes: 0,
        ..certificate.clone()
    };
    let has_votes = certificate.votes > 0;
    match certificate.status.as_str() {
        "certified" if has_votes => {
            let text = certificate_text(certificate);
            let votes = text.find(" (").map_or(text.len(), |start| start);
            let caveat = if certificate.caveat.is_empty() { "" } else { " *" };
            format!("{}{caveat}", &text[..votes])
        }
        _ => certificate_text(&without_votes),
    }
}

/// The basis of a certificate in one word: "certified", "claimed", "abstained". An asterisk refers
/// to a caveat.
pub(super) fn certificate_word(certificate: &CertificateRecord) -> String {
    let word = match (certificate.status.as_str(), certificate.basis.as_str()) {
        ("certified", "proven") => "certified",
        ("certified", basis) => basis_text(basis),
        (status, _) => status,
    };
    let caveat = if certificate.caveat.is_empty() { "" } else { " *" };
    format!("{word}{caveat}")
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
    use proptest::prelude::*;

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
        assert_eq!(rounded_radius(0.000_045_9), "4.5e-5");
        assert_eq!(rounded_radius(0.000_009_999), "9.9e-6");
        assert_eq!(rounded_radius(1.0e-5_f64.next_down()), "9.9e-6");
        assert_eq!(rounded_radius(55.425_67), "55.4256");
        assert_eq!(rounded_radius(1_999_999.0), "1.9e6");
        assert_eq!(rounded_radius(9_999.999_99), "9999.9999");
        assert_eq!(rounded_radius(0.0), "0.0000");
        assert_eq!(rounded_radius(f64::NAN), "0.0000");
    }

    proptest! {
        #[test]
        fn a_printed_radius_never_exceeds_the_proven_one(radius in prop_oneof![0.0..1.0, 0.0..1e7, 0.0..1e-3, any::<f64>()]) {
            let text = rounded_radius(radius);
            let printed: f64 = text.parse().unwrap();
            prop_assert!(printed <= radius.max(0.0) && text.len() <= 9, "{text} for {radius:e}");
            // At most one unit of the second digit, or of the fourth decimal, is lost.
            let largest_loss = if (1e-4..LARGEST_DECIMAL).contains(&radius) { 1.1e-4 } else { 0.11 * radius };
            let is_normal = radius > 1e-300 && radius.is_finite();
            prop_assert!(!is_normal || radius - printed <= largest_loss, "{text} for {radius:e}");
        }
    }

    #[test]
    fn shorter_texts_keep_what_qualifies_a_certificate() {
        let mut certificate = certified_record().certificate;
        let texts = |certificate: &CertificateRecord| {
            (
                certificate_text_without_votes(certificate),
                certificate_word(certificate),
            )
        };
        assert_eq!(texts(&certificate), ("tight, 99.9999 %".into(), "certified".into()));
        certificate.basis = "claimed".into();
        certificate.caveat = "the noise is clipped".into();
        assert_eq!(
            texts(&certificate),
            ("tight, claimed, 99.9999 % *".into(), "claimed *".into())
        );
        certificate.basis = String::new();
        assert_eq!(certificate_word(&certificate), "basis unknown *");
        certificate.caveat = String::new();
        certificate.status = "abstained".into();
        assert_eq!(texts(&certificate), ("abstained".into(), "abstained".into()));
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
