//! One line of `certimix radius`: what is asked.

use serde_json::{Map, Value};

use crate::certificate::{
    Alpha, BoundMethod, FailureProbability, LogitConstant, LowerBound, RadiusMethod, Sides, Sigma, SmoothingPlan,
    Tally, Temperature, UpperBound,
};
use crate::cli::audit::radius::field_reader::{FieldError, Fields, wrong};

/// What is asked, every number in its range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Question {
    /// A smoothed network, from bounds on its probabilities.
    Smoothed {
        alpha: Alpha,
        sigma: Sigma,
        method: RadiusMethod,
        p_lower: LowerBound,
        p_upper: UpperBound,
    },
    /// A network whose probabilities are Lipschitz.
    Theorem1 {
        alpha: Alpha,
        probabilities: Vec<f64>,
        constants: Vec<f64>,
        error_bound: f64,
        neighbourhood: Option<f64>,
    },
    /// A network whose logits are Lipschitz.
    LogitLipschitz {
        alpha: Alpha,
        logits: Vec<f32>,
        temperature: Temperature,
        constant: LogitConstant,
        error_bound: f64,
    },
    /// Votes: bounds, and a radius if `wants_radius`.
    Votes {
        plan: SmoothingPlan,
        tally: Tally,
        wants_radius: bool,
    },
}

#[derive(Debug, Clone, Copy)]
enum Method {
    Smoothed(RadiusMethod),
    Theorem1,
    LogitLipschitz,
}

const METHODS: [(&str, Method); 4] = [
    ("tight", Method::Smoothed(RadiusMethod::Tight)),
    ("theorem1", Method::Theorem1),
    ("theorem2", Method::Smoothed(RadiusMethod::Theorem2)),
    ("logit_lipschitz", Method::LogitLipschitz),
];

/// Reads a question. An "id" must have been taken out.
pub(crate) fn parse(object: Map<String, Value>) -> Result<Question, FieldError> {
    let mut fields = Fields::new(object);
    let question = if fields.has("bound") {
        votes(&mut fields)?
    } else {
        match fields.word("method", &METHODS)? {
            Method::Smoothed(method) => smoothed(&mut fields, method)?,
            Method::Theorem1 => theorem1(&mut fields)?,
            Method::LogitLipschitz => logit_lipschitz(&mut fields)?,
        }
    };
    fields.finish()?;
    Ok(question)
}

fn alpha(fields: &mut Fields) -> Result<Alpha, FieldError> {
    Alpha::new(fields.number("alpha")?).map_err(wrong("alpha"))
}

fn sigma(fields: &mut Fields) -> Result<Sigma, FieldError> {
    Sigma::new(fields.number("sigma")?).map_err(wrong("sigma"))
}

fn smoothed(fields: &mut Fields, method: RadiusMethod) -> Result<Question, FieldError> {
    let p_lower = if fields.has("p_lower_complement") {
        let complement = fields.number("p_lower_complement")?;
        LowerBound::from_complement(complement).map_err(wrong("p_lower_complement"))?
    } else {
        LowerBound::from_value(fields.number("p_lower")?).map_err(wrong("p_lower"))?
    };
    let p_upper = match fields.optional_number("p_upper")? {
        Some(value) => UpperBound::from_value(value).map_err(wrong("p_upper"))?,
        None => UpperBound::TRIVIAL,
    };
    let p_upper = p_upper.stronger(p_lower.of_complement());
    Ok(Question::Smoothed {
        alpha: alpha(fields)?,
        sigma: sigma(fields)?,
        method,
        p_lower,
        p_upper,
    })
}

fn theorem1(fields: &mut Fields) -> Result<Question, FieldError> {
    Ok(Question::Theorem1 {
        alpha: alpha(fields)?,
        probabilities: fields.numbers("probabilities")?,
        constants: fields.numbers("constants")?,
        error_bound: fields.optional_number("error_bound")?.unwrap_or(0.0),
        neighbourhood: fields.optional_number("neighbourhood")?,
    })
}

fn logit_lipschitz(fields: &mut Fields) -> Result<Question, FieldError> {
    let temperature = fields.optional_number("temperature")?.unwrap_or(1.0);
    let kind = fields.word("constant_kind", &[("vector", true), ("per_logit", false)])?;
    let constant = fields.number("constant")?;
    Ok(Question::LogitLipschitz {
        alpha: alpha(fields)?,
        logits: fields
            .numbers("logits")?
            .iter()
            .map(|&logit| float32(logit))
            .collect::<Result<_, _>>()?,
        temperature: Temperature::new(temperature).map_err(wrong("temperature"))?,
        constant: if kind {
            LogitConstant::Vector(constant)
        } else {
            LogitConstant::PerLogit(constant)
        },
        error_bound: fields.optional_number("error_bound")?.unwrap_or(0.0),
    })
}

/// Logits are what a network puts out: float32.
fn float32(logit: f64) -> Result<f32, FieldError> {
    #[expect(clippy::cast_possible_truncation, reason = "the rounding to float32 is the purpose")]
    let rounded = logit as f32;
    if rounded.is_finite() {
        return Ok(rounded);
    }
    Err(FieldError::new("logits", format!("{logit} is not a float32")))
}

fn votes(fields: &mut Fields) -> Result<Question, FieldError> {
    let is_anytime = fields.word("bound", &[("anytime", true), ("clopper_pearson", false)])?;
    let votes = fields.count("votes")?;
    let runner_up = fields.optional_count("votes_for_runner_up")?;
    let tally = Tally {
        votes,
        votes_for_class: fields.count("votes_for_class")?,
        votes_for_runner_up: runner_up.unwrap_or(0),
    };
    tally.check().map_err(wrong("votes"))?;
    let failure_probability = fields.number("failure_probability")?;
    let total_variation = fields.optional_number("total_variation")?.unwrap_or(0.0);
    // Bounds come from votes alone; what makes a radius of them counts only where one is asked for.
    let wants_radius = ["method", "alpha", "sigma", "target_radius"]
        .iter()
        .any(|field| fields.has(field));
    let (radius_method, alpha, sigma) = if wants_radius {
        let smoothed = [("tight", RadiusMethod::Tight), ("theorem2", RadiusMethod::Theorem2)];
        let method = if fields.has("method") {
            fields.word("method", &smoothed)?
        } else {
            RadiusMethod::Tight
        };
        (method, alpha(fields)?, sigma(fields)?)
    } else {
        let one = Alpha::new(1.0).map_err(wrong("alpha"))?;
        (RadiusMethod::Tight, one, Sigma::new(1.0).map_err(wrong("sigma"))?)
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
        failure_probability: FailureProbability::new(failure_probability).map_err(wrong("failure_probability"))?,
        sides: if runner_up.is_some() {
            Sides::TwoSided
        } else {
            Sides::OneSided
        },
        target_radius: fields.optional_number("target_radius")?,
        total_variation,
    };
    plan.check().map_err(wrong(if (0.0..=1.0).contains(&total_variation) {
        "target_radius"
    } else {
        "total_variation"
    }))?;
    Ok(Question::Votes {
        plan,
        tally,
        wants_radius,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(value: &Value) -> Option<String> {
        let object = value.as_object().cloned().unwrap_or_default();
        parse(object).err().map(|error| error.field.unwrap_or_default())
    }

    #[test]
    fn good_questions() {
        for value in [
            json!({"method": "tight", "alpha": 0.76, "sigma": 0.5, "p_lower": 0.99}),
            json!({"method": "theorem2", "alpha": 0.76, "sigma": 0.5, "p_lower_complement": 1e-30, "p_upper": 0.0}),
            json!({"method": "theorem1", "alpha": 0.9, "probabilities": [0.9, 0.1], "constants": [1, 1]}),
            json!({"method": "logit_lipschitz", "alpha": 0.9, "logits": [3, 1], "constant": 1, "constant_kind": "vector"}),
            json!({"bound": "anytime", "votes": 9, "votes_for_class": 9, "failure_probability": 0.1}),
            json!({"bound": "clopper_pearson", "votes": 9, "votes_for_class": 8, "votes_for_runner_up": 1,
                "failure_probability": 0.1, "alpha": 0.76, "sigma": 0.5, "target_radius": 0.1}),
        ] {
            assert_eq!(field(&value), None, "{value}");
        }
    }

    #[test]
    fn bad_questions_name_their_field() {
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
            assert_eq!(field(&value).as_deref(), Some(expected), "{value}");
        }
    }
}
