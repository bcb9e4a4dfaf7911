//! The input of `certimix radius`: one query a line, checked field by field.

use serde_json::{Map, Value};

use super::field_reader::{FieldError, FieldReader, in_field};
use crate::certificate::{
    Alpha, BoundMethod, FailureProbability, LogitConstant, LowerBound, RadiusMethod, Sides, Sigma, SmoothingPlan,
    Tally, Temperature, UpperBound,
};

/// A query. Every number is in its range.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RadiusQuery {
    /// The radius of a smoothed network, from bounds on its probabilities.
    Smoothed {
        alpha: Alpha,
        sigma: Sigma,
        method: RadiusMethod,
        p_lower: LowerBound,
        p_upper: UpperBound,
    },
    /// The radius of a network whose probabilities are Lipschitz.
    Theorem1 {
        alpha: Alpha,
        probabilities: Vec<f64>,
        constants: Vec<f64>,
        error_bound: f64,
        neighbourhood: Option<f64>,
    },
    /// The radius of a network whose logits are Lipschitz.
    LogitLipschitz {
        alpha: Alpha,
        logits: Vec<f32>,
        temperature: Temperature,
        constant: LogitConstant,
        error_bound: f64,
    },
    /// The bounds that votes prove, and the radius if `with_radius` is set.
    Votes {
        plan: SmoothingPlan,
        tally: Tally,
        with_radius: bool,
    },
}

#[derive(Debug, Clone, Copy)]
enum QueryMethod {
    Smoothed(RadiusMethod),
    Theorem1,
    LogitLipschitz,
}

const METHODS: [(&str, QueryMethod); 4] = [
    ("tight", QueryMethod::Smoothed(RadiusMethod::Tight)),
    ("theorem1", QueryMethod::Theorem1),
    ("theorem2", QueryMethod::Smoothed(RadiusMethod::Theorem2)),
    ("logit_lipschitz", QueryMethod::LogitLipschitz),
];

/// Parses a query. The caller has removed "id".
pub(super) fn parse_query(object: Map<String, Value>) -> Result<RadiusQuery, FieldError> {
    let mut fields = FieldReader::new(object);
    let query = if fields.has("bound") {
        votes(&mut fields)?
    } else {
        match fields.keyword("method", &METHODS)? {
            QueryMethod::Smoothed(method) => smoothed(&mut fields, method)?,
            QueryMethod::Theorem1 => theorem1(&mut fields)?,
            QueryMethod::LogitLipschitz => logit_lipschitz(&mut fields)?,
        }
    };
    fields.finish()?;
    Ok(query)
}

fn alpha(fields: &mut FieldReader) -> Result<Alpha, FieldError> {
    Alpha::new(fields.number("alpha")?).map_err(in_field("alpha"))
}

fn sigma(fields: &mut FieldReader) -> Result<Sigma, FieldError> {
    Sigma::new(fields.number("sigma")?).map_err(in_field("sigma"))
}

fn smoothed(fields: &mut FieldReader, method: RadiusMethod) -> Result<RadiusQuery, FieldError> {
    let p_lower = if fields.has("p_lower_complement") {
        let complement = fields.number("p_lower_complement")?;
        LowerBound::from_complement(complement).map_err(in_field("p_lower_complement"))?
    } else {
        LowerBound::from_value(fields.number("p_lower")?).map_err(in_field("p_lower"))?
    };
    let p_upper = match fields.optional_number("p_upper")? {
        Some(value) => UpperBound::from_value(value).map_err(in_field("p_upper"))?,
        None => UpperBound::TRIVIAL,
    };
    let p_upper = p_upper.stronger(p_lower.of_complement());
    Ok(RadiusQuery::Smoothed {
        alpha: alpha(fields)?,
        sigma: sigma(fields)?,
        method,
        p_lower,
        p_upper,
    })
}

fn theorem1(fields: &mut FieldReader) -> Result<RadiusQuery, FieldError> {
    Ok(RadiusQuery::Theorem1 {
        alpha: alpha(fields)?,
        probabilities: fields.numbers("probabilities")?,
        constants: fields.numbers("constants")?,
        error_bound: fields.optional_number("error_bound")?.unwrap_or(0.0),
        neighbourhood: fields.optional_number("neighbourhood")?,
    })
}

fn logit_lipschitz(fields: &mut FieldReader) -> Result<RadiusQuery, FieldError> {
    let temperature = fields.optional_number("temperature")?.unwrap_or(1.0);
    let is_vector = fields.keyword("constant_kind", &[("vector", true), ("per_logit", false)])?;
    let constant = fields.number("constant")?;
    Ok(RadiusQuery::LogitLipschitz {
        alpha: alpha(fields)?,
        logits: fields
            .numbers("logits")?
            .iter()
            .map(|&logit| float32(logit))
            .collect::<Result<_, _>>()?,
        temperature: Temperature::new(temperature).map_err(in_field("temperature"))?,
        constant: if is_vector {
            LogitConstant::Vector(constant)
        } else {
            LogitConstant::PerLogit(constant)
        },
        error_bound: fields.optional_number("error_bound")?.unwrap_or(0.0),
    })
}

/// Rounds a logit to float32, the type in which networks compute logits.
fn float32(logit: f64) -> Result<f32, FieldError> {
    #[expect(clippy::cast_possible_truncation, reason = "the rounding to float32 is the purpose")]
    let rounded = logit as f32;
    if rounded.is_finite() {
        return Ok(rounded);
    }
    Err(FieldError::new(
        "logits",
        format!("{logit} is outside the range of float32"),
    ))
}

fn votes(fields: &mut FieldReader) -> Result<RadiusQuery, FieldError> {
    let is_anytime = fields.keyword("bound", &[("anytime", true), ("clopper_pearson", false)])?;
    let votes = fields.count("votes")?;
    let runner_up = fields.optional_count("votes_for_runner_up")?;
    let tally = Tally {
        votes,
        votes_for_class: fields.count("votes_for_class")?,
        votes_for_runner_up: runner_up.unwrap_or(0),
    };
    tally.check().map_err(in_field("votes"))?;
    let failure_probability = fields.number("failure_probability")?;
    let total_variation = fields.optional_number("total_variation")?.unwrap_or(0.0);
    // Votes alone give the bounds. Any of these fields requests a radius too.
    let with_radius = ["method", "alpha", "sigma", "target_radius"]
        .iter()
        .any(|field| fields.has(field));
    let (radius_method, alpha, sigma) = if with_radius {
        let smoothed = [("tight", RadiusMethod::Tight), ("theorem2", RadiusMethod::Theorem2)];
        let method = if fields.has("method") {
            fields.keyword("method", &smoothed)?
        } else {
            RadiusMethod::Tight
        };
        (method, alpha(fields)?, sigma(fields)?)
    } else {
        // The bounds do not depend on these.
        let alpha = Alpha::new(1.0).map_err(in_field("alpha"))?;
        (RadiusMethod::Tight, alpha, Sigma::new(1.0).map_err(in_field("sigma"))?)
    };
    let plan = SmoothingPlan {
        alpha,
        sigma,
        radius_method,
        bound_method: if is_anytime {
            BoundMethod::Anytime
        } else {
            BoundMethod::ClopperPearson { votes }
        },
        failure_probability: FailureProbability::new(failure_probability).map_err(in_field("failure_probability"))?,
        sides: if runner_up.is_some() {
            Sides::TwoSided
        } else {
            Sides::OneSided
        },
        target_radius: fields.optional_number("target_radius")?,
        total_variation,
    };
    plan.check()
        .map_err(in_field(if (0.0..=1.0).contains(&total_variation) {
            "target_radius"
        } else {
            "total_variation"
        }))?;
    Ok(RadiusQuery::Votes {
        plan,
        tally,
        with_radius,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong_field(value: &Value) -> Option<String> {
        let object = value.as_object().cloned().unwrap_or_default();
        parse_query(object).err().map(|error| error.field.unwrap_or_default())
    }

    #[test]
    fn valid_queries_are_accepted() {
        for value in [
            json!({"method": "tight", "alpha": 0.76, "sigma": 0.5, "p_lower": 0.99}),
            json!({"method": "theorem2", "alpha": 0.76, "sigma": 0.5, "p_lower_complement": 1e-30, "p_upper": 0.0}),
            json!({"method": "theorem1", "alpha": 0.9, "probabilities": [0.9, 0.1], "constants": [1, 1]}),
            json!({"method": "logit_lipschitz", "alpha": 0.9, "logits": [3, 1], "constant": 1, "constant_kind": "vector"}),
            json!({"bound": "anytime", "votes": 9, "votes_for_class": 9, "failure_probability": 0.1}),
            json!({"bound": "clopper_pearson", "votes": 9, "votes_for_class": 8, "votes_for_runner_up": 1,
                "failure_probability": 0.1, "alpha": 0.76, "sigma": 0.5, "target_radius": 0.1}),
        ] {
            assert_eq!(wrong_field(&value), None, "{value}");
        }
    }

    #[test]
    fn invalid_queries_name_their_field() {
        let votes = json!({"bound": "anytime", "votes": 9, "votes_for_class": 9, "failure_probability": 0.1});
        let with = |extra: &Value| {
            let mut value = votes.clone();
            for (key, extra) in extra.as_object().cloned().unwrap_or_default() {
                value[key] = extra;
            }
            value
        };
        for (value, expected) in [
            (json!({}), "method"),
            (
                json!({"method": "tight", "alpha": 2, "sigma": 1, "p_lower": 0.9}),
                "alpha",
            ),
            (
                json!({"method": "tight", "alpha": 1, "sigma": 0, "p_lower": 0.9}),
                "sigma",
            ),
            (
                json!({"method": "tight", "alpha": 1, "sigma": 1, "p_lower": 1.1}),
                "p_lower",
            ),
            (
                json!({"method": "tight", "alpha": 1, "sigma": 1, "p_lower": 0.9, "logits": []}),
                "logits",
            ),
            (
                json!({"method": "logit_lipschitz", "alpha": 1, "logits": [1e300], "constant": 1, "constant_kind": "vector"}),
                "logits",
            ),
            (with(&json!({"votes_for_class": 10})), "votes"),
            (with(&json!({"failure_probability": 0})), "failure_probability"),
            (with(&json!({"target_radius": 0.1})), "alpha"),
            (
                with(&json!({"alpha": 1, "sigma": 1, "target_radius": -1})),
                "target_radius",
            ),
            (with(&json!({"total_variation": 2})), "total_variation"),
            (with(&json!({"method": "theorem1", "alpha": 1, "sigma": 1})), "method"),
        ] {
            assert_eq!(wrong_field(&value).as_deref(), Some(expected), "{value}");
        }
    }
}
