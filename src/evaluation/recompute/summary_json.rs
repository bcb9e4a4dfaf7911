//! A summary as JSON, for `certimix recommend --json` and for the report.

use serde_json::{Value, json};

use super::setting::Setting;
use super::summary::SettingSummary;
use crate::certificate::RadiusMethod;

impl Setting {
    /// The setting as JSON, with the names of the settings file.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "alpha": self.alpha(),
            "fallback_alpha": self.fallback_alpha(),
            "robust_temperature": self.robust_temperature(),
            "radius": match self.radius_method {
                RadiusMethod::Tight => "tight",
                RadiusMethod::Theorem2 => "theorem2",
            },
            "failure_probability": self.failure_probability.get(),
        })
    }
}

impl SettingSummary {
    /// The summary as JSON. The radii of the counts `…_at` are those of the grid.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "setting": self.setting.to_json(),
            "inputs": self.inputs,
            "labelled": self.labelled,
            "right": self.right,
            "clean_accuracy": self.clean_accuracy(),
            "standard_agreements": self.standard_agreements,
            "certified": self.certified,
            "right_certified": self.right_certified,
            "wrong_certified": self.wrong_certified,
            "abstained": self.abstained,
            "unavailable": self.unavailable,
            "unfinished": self.unfinished,
            "certified_at": self.certified_at,
            "right_certified_at": self.right_certified_at,
            "wrong_certified_at": self.wrong_certified_at,
            "classes": self.classes.iter().map(|class| json!({
                "inputs": class.inputs,
                "right": class.right,
                "right_certified": class.right_certified,
            })).collect::<Vec<_>>(),
            "votes": {
                "mean": self.mean_votes(),
                "p50": self.votes_quantile(0.5),
                "p99": self.votes_quantile(0.99),
            },
        })
    }
}
