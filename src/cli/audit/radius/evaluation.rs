//! One line of `certimix radius`: what is answered.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::certificate::{
    CertificateError, LowerBound, RadiusMethod, UpperBound, certify, logit_radius, probability_bounds, theorem1_radius,
    theorem2_radius, tight_radius,
};
use crate::cli::audit::radius::field_reader::FieldError;
use crate::cli::audit::radius::query as question;
use crate::cli::audit::radius::query::Question;

/// An answer. Fields that the question does not have are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Answer {
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

/// Answers one line: with the id of the question, or with the question itself.
pub(crate) fn answer(line: &str) -> Result<Answer, FieldError> {
    let mut object = crate::cli::audit::radius::json_object::read(line)?;
    let id = object.remove("id").filter(|id| !id.is_null());
    let input = id.is_none().then(|| object.clone());
    let answer = compute(&question::parse(object)?).map_err(|error| named(&error))?;
    Ok(Answer { id, input, ..answer })
}

fn compute(question: &Question) -> Result<Answer, CertificateError> {
    match question {
        Question::Smoothed {
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
            Ok(Answer {
                radius: Some(radius),
                ..bounds(*p_lower, *p_upper)
            })
        }
        Question::Theorem1 {
            alpha,
            probabilities,
            constants,
            error_bound,
            neighbourhood,
        } => {
            let radius = theorem1_radius(*alpha, probabilities, constants, *error_bound, *neighbourhood)?;
            Ok(Answer {
                radius: Some(radius),
                ..Answer::default()
            })
        }
        Question::LogitLipschitz {
            alpha,
            logits,
            temperature,
            constant,
            error_bound,
        } => {
            let radius = logit_radius(*alpha, logits, *temperature, *constant, *error_bound)?;
            Ok(Answer {
                radius: Some(radius),
                ..Answer::default()
            })
        }
        Question::Votes {
            plan,
            tally,
            wants_radius: false,
        } => {
            let bounded = probability_bounds(plan, *tally)?;
            Ok(bounds(bounded.p_lower, bounded.p_upper))
        }
        Question::Votes {
            plan,
            tally,
            wants_radius: true,
        } => {
            let proven = certify(plan, *tally)?;
            let target_accepted = plan.target_radius.map(|_| proven.target_accepted);
            Ok(Answer {
                radius: Some(proven.radius),
                target_accepted,
                ..bounds(proven.p_lower, proven.p_upper)
            })
        }
    }
}

fn bounds(p_lower: LowerBound, p_upper: UpperBound) -> Answer {
    Answer {
        p_lower: Some(p_lower.value()),
        p_lower_complement: Some(p_lower.complement()),
        p_upper: Some(p_upper.value()),
        ..Answer::default()
    }
}

/// The errors that only the mathematics finds, with the field they are about.
fn named(error: &CertificateError) -> FieldError {
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
        answer(line).ok()?.radius
    }

    fn close(found: Option<f64>, expected: f64) {
        assert!(
            found.is_some_and(|found| (found - expected).abs() < 1e-9),
            "{found:?} is not {expected}"
        );
    }

    #[test]
    fn the_example_of_the_design() {
        // sigma = 0.5, alpha = 0.76, p = 0.99: 0.960 where Theorem 2 gives 0.341.
        let line = r#"{"method": "METHOD", "alpha": 0.76, "sigma": 0.5, "p_lower": 0.99}"#;
        close(radius(&line.replace("METHOD", "tight")), 0.959_811_811_084_7);
        close(radius(&line.replace("METHOD", "theorem2")), 0.341_030_800_412_6);
    }

    #[test]
    fn one_vote_in_closed_form() {
        // Clopper-Pearson with every vote a hit: p^n = delta.
        let line = r#"{"bound": "clopper_pearson", "votes_for_class": 4, "votes": 4, "failure_probability": 0.0001}"#;
        let found = answer(line).ok();
        close(found.as_ref().and_then(|found| found.p_lower), 0.1);
        close(found.as_ref().and_then(|found| found.p_upper), 0.9);
        assert_eq!(found.and_then(|found| found.radius), None);
    }

    #[test]
    fn theorem_1_in_closed_form() {
        // (1 * (0.9 - 0.1) + 1 - 1) / (1 * (1 + 1)).
        let line = r#"{"method": "theorem1", "alpha": 1, "probabilities": [0.9, 0.1], "constants": [1, 1]}"#;
        close(radius(line), 0.4);
    }

    #[test]
    fn the_question_is_echoed_unless_it_has_an_id() {
        let line = r#"{"method": "tight", "alpha": 1, "sigma": 1, "p_lower": 0.9}"#;
        let echoed = serde_json::to_value(answer(line).unwrap_or_default()).unwrap_or_default();
        assert_eq!(echoed["input"]["p_lower"], 0.9);
        let named = answer(&line.replace('{', r#"{"id": 7, "#)).unwrap_or_default();
        assert_eq!((named.id, named.input), (Some(7.into()), None));
    }

    #[test]
    fn errors_of_the_mathematics_have_a_field() {
        let line = r#"{"method": "theorem1", "alpha": 1, "probabilities": [0.9, 0.1], "constants": [1]}"#;
        assert_eq!(answer(line).map_err(|error| error.field), Err(Some("constants".into())));
        assert_eq!(answer("[]").map_err(|error| error.field), Err(None));
        assert_eq!(answer("{").map_err(|error| error.field), Err(None));
    }

    /// 1.797e308 for either would be a certificate of everything.
    #[test]
    fn what_overflows_is_no_certificate() {
        let logit = r#"{"method":"logit_lipschitz","alpha":0.76,"logits":[0.1,0],"constant":1,"constant_kind":"vector","error_bound":1e308}"#;
        let theorem1 = r#"{"method":"theorem1","alpha":0.76,"probabilities":[0.4,0.3,0.3],"constants":[1,1,1],"error_bound":1e308}"#;
        assert_eq!((radius(logit), radius(theorem1)), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn what_is_twice_or_no_probability_is_refused_by_name() {
        let field = |line: &str| answer(line).err().and_then(|error| error.field);
        let twice = r#"{"method":"tight","alpha":0.5,"alpha":1,"sigma":1,"p_lower":0.9}"#;
        assert_eq!(field(twice).as_deref(), Some("alpha"));
        let outside = r#"{"method":"theorem1","alpha":1,"probabilities":[1.5,0.1],"constants":[1,1]}"#;
        assert_eq!(field(outside).as_deref(), Some("probabilities"));
        let tiny = r#"{"bound":"anytime","votes":9,"votes_for_class":9,"failure_probability":3e-308}"#;
        assert_eq!(field(tiny).as_deref(), Some("failure_probability"));
    }
}
