//! A served certificate, computed again from its own counts.

use crate::certificate::{
    Alpha, BoundMethod, CertificateError, FailureProbability, RadiusMethod, Sides, Sigma, SmoothingPlan, Tally,
    certify, radius_sq_levels,
};
use crate::cli::audit::comparison::{Check, all_hold};
use crate::cli::client::Record;

/// What the last digits may differ by, relative: another machine's elementary functions.
const TOLERANCE: f64 = 1e-12;

/// What became of a certificate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Finding {
    /// It was computed again.
    Checked(Vec<Check>),
    /// It claims nothing, and needs no proof.
    NoClaim,
    /// It cannot be checked by itself; why.
    NotVerifiable(String),
    /// Its own numbers cannot be; why.
    Impossible(String),
}

impl Finding {
    /// Whether the certificate is as good as it says.
    pub(crate) fn holds(&self) -> bool {
        match self {
            Self::Checked(checks) => all_hold(checks),
            Self::NoClaim => true,
            Self::NotVerifiable(_) | Self::Impossible(_) => false,
        }
    }
}

/// Checks one certificate.
pub(crate) fn recompute(record: &Record) -> Finding {
    let certificate = &record.certificate;
    if certificate.status != "certified" && certificate.radius != 0.0 {
        return Finding::Impossible(format!("it is {} but claims a radius", certificate.status));
    }
    let radius_method = match (certificate.method.as_str(), certificate.status.as_str()) {
        ("tight", _) => RadiusMethod::Tight,
        ("theorem2", _) => RadiusMethod::Theorem2,
        (_, "abstained" | "unavailable") => return Finding::NoClaim,
        ("theorem1" | "logit_lipschitz", "certified") => {
            return Finding::NotVerifiable(
                "it rests on the robust model's exact output, which a certificate does not carry: run that model on the \
                 input, and give its output to `certimix radius`"
                    .to_owned(),
            );
        }
        (method, status) => return Finding::Impossible(format!("{status:?} by {method:?} is not known here")),
    };
    match smoothed(record, radius_method) {
        Ok(checks) => Finding::Checked(checks),
        Err(error) => Finding::Impossible(error),
    }
}

fn smoothed(record: &Record, radius_method: RadiusMethod) -> Result<Vec<Check>, String> {
    let certificate = &record.certificate;
    let is_loss = certificate.snapping_loss.is_finite() && certificate.snapping_loss >= 0.0;
    if !is_loss {
        return Err(format!("a snapping_loss of {}", certificate.snapping_loss));
    }
    if certificate.status == "certified" && certificate.norm != "l2" {
        return Err(format!(
            "Gaussian noise proves nothing in the norm {:?}",
            certificate.norm
        ));
    }
    let plan = plan(record, radius_method)?;
    let proven = certify(&plan, tally(record)).map_err(|error| error.to_string())?;
    let radius = (proven.radius - certificate.snapping_loss).max(0.0);
    let (lower, upper) = (proven.p_lower.value(), proven.p_upper.value());
    let mut checks = vec![
        Check::at_most("lower_bound", certificate.lower_bound, lower, lower * TOLERANCE),
        Check::at_least("upper_bound", certificate.upper_bound, upper, upper * TOLERANCE),
        // The tolerance is that of the radius before the loss: nothing gets more exact by a subtraction.
        Check::at_most("radius", certificate.radius, radius, proven.radius * TOLERANCE),
    ];
    let is_certified = certificate.status == "certified";
    let status = if radius > 0.0 { "certified" } else { "abstained" };
    if is_certified {
        checks.push(Check::equal("status", &certificate.status, &status.to_owned()));
    }
    if certificate.radius_sq_levels > 0 {
        let levels = radius_sq_levels(certificate.radius, 255).unwrap_or(0);
        checks.push(Check::equal("radius_sq_levels", &certificate.radius_sq_levels, &levels));
    }
    Ok(checks)
}

fn plan(record: &Record, radius_method: RadiusMethod) -> Result<SmoothingPlan, String> {
    let certificate = &record.certificate;
    let words = |error: CertificateError| error.to_string();
    let bound_method = match certificate.bound.as_str() {
        "anytime" => BoundMethod::Anytime,
        "clopper_pearson" => BoundMethod::ClopperPearson {
            votes: certificate.votes,
        },
        other => return Err(format!("a bound {other:?} is not known here")),
    };
    Ok(SmoothingPlan {
        alpha: Alpha::new(record.provenance.alpha).map_err(words)?,
        sigma: Sigma::new(certificate.sigma).map_err(words)?,
        radius_method,
        bound_method,
        failure_probability: FailureProbability::new(certificate.failure_probability).map_err(words)?,
        sides: if certificate.two_sided {
            Sides::TwoSided
        } else {
            Sides::OneSided
        },
        target_radius: (certificate.target_radius != 0.0).then_some(certificate.target_radius),
        total_variation: certificate.total_variation,
    })
}

/// The estimation votes that the certificate counts.
pub(crate) fn tally(record: &Record) -> Tally {
    Tally {
        votes: record.certificate.votes,
        votes_for_class: record.certificate.votes_for_class,
        votes_for_runner_up: record.certificate.votes_for_runner_up,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cli::audit::comparison::Verdict;
    use crate::cli::client::{CertificateRecord, ProvenanceRecord};

    /// A certificate as a server would serve it: 980 of 1000 votes, anytime, towards 0.1.
    pub(crate) fn example() -> Record {
        let mut record = Record {
            file: "x.png".into(),
            input_sha256: "00".repeat(32),
            input_dtype: "uint8".into(),
            input_shape: vec![3, 32, 32],
            resized: false,
            true_label: None,
            time_ms: 1.0,
            is_final: None,
            class_index: 3,
            label: "cat".into(),
            mixed_logits: vec![],
            standard_probabilities: vec![],
            robust_probabilities: vec![],
            standard_class_index: 3,
            robust_class_index: 3,
            certificate: CertificateRecord {
                status: "certified".into(),
                radius: 0.0,
                norm: "l2".into(),
                method: "tight".into(),
                reason: String::new(),
                failure_probability: 1e-6,
                bound: "anytime".into(),
                votes: 1000,
                votes_for_class: 980,
                votes_for_runner_up: 11,
                selection_votes: 32,
                votes_drawn: 1032,
                batch_size: 1,
                lower_bound: 0.0,
                upper_bound: 0.0,
                stop_reason: "vote_budget".into(),
                noise_key: "ab".repeat(32),
                radius_sq_levels: 0,
                two_sided: false,
                target_radius: 0.1,
                snapping_loss: 0.0,
                sigma: 0.25,
                total_variation: 1e-13,
                caveat: String::new(),
                basis: "proven".into(),
                whole_range: false,
            },
            provenance: ProvenanceRecord {
                config_revision: String::new(),
                alpha: 0.76,
                standard_model_sha256: String::new(),
                robust_model_sha256: String::new(),
                server_version: "0.1.0".into(),
                robust_temperature: 1.0,
                standard_batch_size: 1,
                robust_batch_size: 1,
                runtime_version: String::new(),
                processor: String::new(),
            },
        };
        if let Ok(proven) = plan(&record, RadiusMethod::Tight)
            && let Ok(proven) = certify(&proven, tally(&record))
        {
            let certificate = &mut record.certificate;
            certificate.radius = proven.radius * (1.0 - 4.0 * f64::EPSILON);
            certificate.lower_bound = proven.p_lower.value();
            certificate.upper_bound = proven.p_upper.value();
            certificate.radius_sq_levels = radius_sq_levels(certificate.radius, 255).unwrap_or(0);
        }
        record
    }

    fn differing(record: &Record) -> Vec<&'static str> {
        match recompute(record) {
            Finding::Checked(checks) => checks
                .iter()
                .filter(|check| check.verdict == Verdict::Differs)
                .map(|check| check.field)
                .collect(),
            other => vec![if other.holds() { "holds" } else { "no" }],
        }
    }

    #[test]
    fn an_honest_certificate_holds() {
        let record = example();
        assert!(record.certificate.radius > 0.1, "{}", record.certificate.radius);
        assert_eq!(differing(&record), Vec::<&str>::new());
        assert!(recompute(&record).holds());
    }

    #[test]
    fn whoever_claims_more_is_found_out() {
        let altered = |change: fn(&mut Record)| {
            let mut record = example();
            change(&mut record);
            differing(&record)
        };
        assert_eq!(altered(|record| record.certificate.radius *= 1.0 + 1e-9), ["radius"]);
        assert_eq!(
            altered(|record| record.certificate.lower_bound += 1e-9),
            ["lower_bound"]
        );
        assert_eq!(
            altered(|record| record.certificate.upper_bound -= 1e-9),
            ["upper_bound"]
        );
        assert_eq!(
            altered(|record| record.certificate.radius_sq_levels += 1),
            ["radius_sq_levels"]
        );
        assert_eq!(altered(|record| record.certificate.snapping_loss = 0.01), ["radius"]);
        assert_eq!(
            altered(|record| record.certificate.votes_for_class -= 1),
            ["lower_bound", "upper_bound", "radius"]
        );
        assert_eq!(altered(|record| record.provenance.alpha = 0.75), ["radius"]);
        assert_eq!(altered(|record| record.provenance.alpha = 0.4), ["radius", "status"]);
        assert_eq!(altered(|record| record.certificate.votes = 3), ["no"]);
        assert_eq!(altered(|record| record.certificate.sigma = f64::NAN), ["no"]);
        assert_eq!(altered(|record| record.certificate.status = "abstained".into()), ["no"]);
    }

    #[test]
    fn less_is_sound() {
        let mut record = example();
        record.certificate.radius = 0.1;
        record.certificate.radius_sq_levels = 0;
        record.certificate.lower_bound -= 0.01;
        assert!(recompute(&record).holds());
    }

    #[test]
    fn lipschitz_certificates_cannot_be_checked_by_themselves() {
        let mut record = example();
        record.certificate.method = "logit_lipschitz".into();
        assert!(matches!(recompute(&record), Finding::NotVerifiable(_)));
    }

    #[test]
    fn who_claims_nothing_needs_no_proof() {
        let mut record = example();
        record.certificate.status = "unavailable".into();
        record.certificate.method = "unspecified".into();
        record.certificate.radius = 0.0;
        assert_eq!(recompute(&record), Finding::NoClaim);
    }
}
