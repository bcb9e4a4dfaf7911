//! The output of `certimix radius`: evaluates one query.

use serde::Serialize;
use serde_json::{Map, Value};

use super::field_reader::FieldError;
use super::json_object::parse_object;
use super::query::{RadiusQuery, parse_query};
use crate::certificate::{
    CertificateError, LowerBound, RadiusMethod, UpperBound, certify, logit_radius, probability_bounds, theorem1_radius,
    theorem2_radius, tight_radius,
};

/// The result of one query. Fields that do not apply to the query are omitted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(in crate::cli::audit) struct RadiusResult {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_lower: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_lower_complement: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_upper: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    radius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_accepted: Option<bool>,
}

/// Evaluates one line. The result carries the query's "id", or the query itself if it has none.
pub(in crate::cli::audit) fn evaluate_line(line: &str) -> Result<RadiusResult, FieldError> {
    let mut object = parse_object(line)?;
    let id = object.remove("id").filter(|id| !id.is_null());
    let input = id.is_none().then(|| object.clone());
    let result = evaluate(&parse_query(object)?).map_err(|error| field_error(&error))?;
    Ok(RadiusResult { id, input, ..result })
}

fn evaluate(query: &RadiusQuery) -> Result<RadiusResult, CertificateError> {
    match query {
        RadiusQuery::Smoothed {
            alpha,
            sigma,
            method,
            p_lower,
            p_upper,
        } => {
            let radius = match method {
                RadiusMethod::Tight => tight_radius(*alpha, *sigma, *p_lower, *p_upper),
                RadiusMethod::Theorem2 => theorem2_radius(*alpha, *sigma, *p_lower, *p_upper),
            };
            Ok(RadiusResult {
                radius: Some(radius),
                ..result_with_bounds(*p_lower, *p_upper)
            })
        }
        RadiusQuery::Theorem1 {
            alpha,
            probabilities,
            constants,
            error_bound,
            neighbourhood,
        } => {
            let radius = theorem1_radius(*alpha, probabilities, constants, *error_bound, *neighbourhood)?;
            Ok(RadiusResult {
                radius: Some(radius),
                ..RadiusResult::default()
            })
        }
        RadiusQuery::LogitLipschitz {
            alpha,
            logits,
            temperature,
            constant,
            error_bound,
        } => {
            let radius = logit_radius(*alpha, logits, *temperature, *constant, *error_bound)?;
            Ok(RadiusResult {
                radius: Some(radius),
                ..RadiusResult::default()
            })
        }
        RadiusQuery::Votes {
            plan,
            tally,
            with_radius: false,
        } => {
            let bounds = probability_bounds(plan, *tally)?;
            Ok(result_with_bounds(bounds.p_lower, bounds.p_upper))
        }
        RadiusQuery::Votes {
            plan,
            tally,
            with_radius: true,
        } => {
            let proven = certify(plan, *tally)?;
            let target_accepted = plan.target_radius.map(|_| proven.target_accepted);
            Ok(RadiusResult {
                radius: Some(proven.radius),
                target_accepted,
                ..result_with_bounds(proven.p_lower, proven.p_upper)
            })
        }
    }
}

fn result_with_bounds(p_lower: LowerBound, p_upper: UpperBound) -> RadiusResult {
    RadiusResult {
        p_lower: Some(p_lower.value()),
        p_lower_complement: Some(p_lower.complement()),
        p_upper: Some(p_upper.value()),
        ..RadiusResult::default()
    }
}

/// Names the field of an error that only the certificate mathematics detects.
fn field_error(error: &CertificateError) -> FieldError {
    let field = match error {
        CertificateError::LipschitzConstant(_) => "constant",
        CertificateError::ConstantsPerClass { .. } => "constants",
        CertificateError::ErrorBound(_) => "error_bound",
        CertificateError::Probability(_) => "probabilities",
        CertificateError::Neighbourhood(_) => "neighbourhood",
        CertificateError::Tally { .. } => "votes",
        _ => return FieldError::line(error.to_string()),
    };
    FieldError::new(field, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn radius(line: &str) -> Option<f64> {
        evaluate_line(line).ok()?.radius
    }

    fn assert_close(found: Option<f64>, expected: f64) {
        assert!(
            found.is_some_and(|found| (found - expected).abs() < 1e-9),
            "{found:?} is not {expected}"
        );
    }

    #[test]
    fn tight_and_theorem2_radii_of_one_example() {
        // sigma = 0.5, alpha = 0.76, p = 0.99: 0.960 where Theorem 2 gives 0.341.
        let line = r#"{"method": "METHOD", "alpha": 0.76, "sigma": 0.5, "p_lower": 0.99}"#;
        assert_close(radius(&line.replace("METHOD", "tight")), 0.959_811_811_084_7);
        assert_close(radius(&line.replace("METHOD", "theorem2")), 0.341_030_800_412_6);
    }

    #[test]
    fn unanimous_votes_match_the_closed_form() {
        // Clopper-Pearson, all n votes for the class: p^n = delta.
        let line = r#"{"bound": "clopper_pearson", "votes_for_class": 4, "votes": 4, "failure_probability": 0.0001}"#;
        let found = evaluate_line(line).ok();
        assert_close(found.as_ref().and_then(|found| found.p_lower), 0.1);
        assert_close(found.as_ref().and_then(|found| found.p_upper), 0.9);
        assert_eq!(found.and_then(|found| found.radius), None);
    }

    #[test]
    fn theorem1_matches_the_closed_form() {
        // (1 * (0.9 - 0.1) + 1 - 1) / (1 * (1 + 1)).
        let line = r#"{"method": "theorem1", "alpha": 1, "probabilities": [0.9, 0.1], "constants": [1, 1]}"#;
        assert_close(radius(line), 0.4);
    }

    #[test]
    fn the_query_is_echoed_unless_it_has_an_id() {
        let line = r#"{"method": "tight", "alpha": 1, "sigma": 1, "p_lower": 0.9}"#;
        let echoed = serde_json::to_value(evaluate_line(line).unwrap_or_default()).unwrap_or_default();
        assert_eq!(echoed["input"]["p_lower"], 0.9);
        let named = evaluate_line(&line.replace('{', r#"{"id": 7, "#)).unwrap_or_default();
        assert_eq!((named.id, named.input), (Some(7.into()), None));
    }

    #[test]
    fn errors_of_the_mathematics_name_a_field() {
        let line = r#"{"method": "theorem1", "alpha": 1, "probabilities": [0.9, 0.1], "constants": [1]}"#;
        assert_eq!(
            evaluate_line(line).map_err(|error| error.field),
            Err(Some("constants".into()))
        );
        assert_eq!(evaluate_line("[]").map_err(|error| error.field), Err(None));
        assert_eq!(evaluate_line("{").map_err(|error| error.field), Err(None));
    }

    /// A radius of 1.797e308 would certify every input.
    #[test]
    fn an_overflow_gives_no_certificate() {
        let logit = r#"{"method":"logit_lipschitz","alpha":0.76,"logits":[0.1,0],"constant":1,"constant_kind":"vector","error_bound":1e308}"#;
        let theorem1 = r#"{"method":"theorem1","alpha":0.76,"probabilities":[0.4,0.3,0.3],"constants":[1,1,1],"error_bound":1e308}"#;
        assert_eq!((radius(logit), radius(theorem1)), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn duplicate_fields_and_invalid_probabilities_are_rejected() {
        let field = |line: &str| evaluate_line(line).err().and_then(|error| error.field);
        let twice = r#"{"method":"tight","alpha":0.5,"alpha":1,"sigma":1,"p_lower":0.9}"#;
        assert_eq!(field(twice).as_deref(), Some("alpha"));
        let outside = r#"{"method":"theorem1","alpha":1,"probabilities":[1.5,0.1],"constants":[1,1]}"#;
        assert_eq!(field(outside).as_deref(), Some("probabilities"));
        let tiny = r#"{"bound":"anytime","votes":9,"votes_for_class":9,"failure_probability":3e-308}"#;
        assert_eq!(field(tiny).as_deref(), Some("failure_probability"));
    }
}
