//! The alpha that a server uses, and the state of its settings file.

use serde_json::{Value, json};

use crate::cli::client::connection::error_messages::violation_lines;
use crate::cli::client::info::predict_target_cap;
use crate::cli::client::results::{norm_name, short_revision};
use crate::cli::output;
use crate::rpc::proto::{CertificationLimits, ConfigStatus, GetModelInfoResponse};

/// The part of a `GetModelInfoResponse` that concerns alpha.
pub(super) struct ServedAlpha {
    /// The alpha in force. During a ramp it differs from `config.target_alpha`.
    pub alpha: f64,
    /// The `fallback_alpha` in force. Older servers have none.
    pub fallback_alpha: Option<f64>,
    /// The temperature of the robust model in force.
    pub robust_temperature: f64,
    /// The revision of the configuration in force.
    pub revision: String,
    /// The largest radius that the server can prove; 0 if unknown.
    pub largest_radius: f64,
    /// The norm of the radii; empty without one.
    pub norm: String,
    /// The reason why nothing can be certified; empty if certificates are available.
    pub unavailable_reason: String,
    /// The limits of certification, with the target of Predict; `None` from an older server.
    pub limits: Option<CertificationLimits>,
    /// The settings file that the server read, and its error if the server rejects the file.
    pub config: ConfigStatus,
}

impl From<GetModelInfoResponse> for ServedAlpha {
    fn from(info: GetModelInfoResponse) -> Self {
        let provenance = info.provenance.unwrap_or_default();
        Self {
            alpha: provenance.alpha,
            fallback_alpha: provenance.fallback_alpha,
            robust_temperature: provenance.robust_temperature,
            revision: provenance.config_revision,
            largest_radius: info.largest_possible_radius,
            norm: match info.norm {
                0 => String::new(),
                norm => norm_name(norm),
            },
            unavailable_reason: info.unavailable_reason,
            limits: info.certification,
            config: info.config.unwrap_or_default(),
        }
    }
}

impl ServedAlpha {
    /// Prints one line and warnings, or one JSON object.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::line(self.to_json());
        }
        output::line(format_args!("alpha {}", self.to_text()))?;
        self.print_notes();
        Ok(())
    }

    /// Prints what the operator should know about the alpha and the file.
    pub(super) fn print_notes(&self) {
        if !self.unavailable_reason.is_empty() {
            output::note(format_args!("nothing can be certified: {}", self.unavailable_reason));
        }
        if let Some(cap) = self.limits.as_ref().and_then(predict_target_cap) {
            output::note(cap);
        }
        if let Some(error) = &self.config.pending_error {
            let violations = violation_lines(&error.violations);
            output::note(format_args!(
                "the server rejects its current settings file:{violations}"
            ));
        }
    }

    /// alpha and `fallback_alpha`, the targets of a ramp, and the revision.
    pub(super) fn to_text(&self) -> String {
        let mut text = weight_text(self.alpha, Some(self.config.target_alpha));
        let target = self.config.target_fallback_alpha;
        let is_gated = |weight: Option<f64>, alpha| weight.is_some_and(|weight| !is_same(weight, alpha));
        // The paper's mixture has one weight.
        if let Some(fallback_alpha) = self.fallback_alpha
            && (is_gated(self.fallback_alpha, self.alpha) || is_gated(target, self.config.target_alpha))
        {
            text.push_str(&format!(", fallback_alpha {}", weight_text(fallback_alpha, target)));
        }
        format!("{text}, config {}", short_revision(&self.revision))
    }

    pub(super) fn to_json(&self) -> Value {
        let error = self.config.pending_error.as_ref();
        json!({
            "alpha": self.alpha,
            "target_alpha": self.config.target_alpha,
            "fallback_alpha": self.fallback_alpha,
            "target_fallback_alpha": self.config.target_fallback_alpha,
            "config_revision": self.revision,
            "largest_possible_radius": self.largest_radius,
            "unavailable_reason": self.unavailable_reason,
            "predict_target_in_force": self.limits.as_ref().map(|limits| limits.predict_target_in_force),
            "largest_predict_target": self.limits.as_ref().map(|limits| limits.largest_predict_target),
            "pending_error": error.map(|error| violation_lines(&error.violations).trim().to_owned()),
        })
    }
}

/// A weight, and the end of its ramp while that is another one.
fn weight_text(weight: f64, target: Option<f64>) -> String {
    match target {
        Some(target) if !is_same(weight, target) => format!("{weight} (ramping to {target})"),
        _ => weight.to_string(),
    }
}

/// Whether two alphas are equal bit by bit. Both were printed and parsed without rounding.
pub(super) fn is_same(left: f64, right: f64) -> bool {
    left.to_bits() == right.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{FieldViolation, PendingError, Provenance};

    fn served(alpha: f64, target_alpha: f64) -> ServedAlpha {
        ServedAlpha::from(GetModelInfoResponse {
            provenance: Some(Provenance {
                alpha,
                config_revision: "0123456789abcdef".into(),
                ..Default::default()
            }),
            config: Some(ConfigStatus {
                target_alpha,
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    #[test]
    fn a_ramp_shows_its_target() {
        assert_eq!(served(0.8, 0.8).to_text(), "0.8, config 0123456789ab");
        assert_eq!(served(0.7, 0.8).to_text(), "0.7 (ramping to 0.8), config 0123456789ab");
    }

    #[test]
    fn a_fallback_alpha_is_shown_with_its_target() {
        let mut served = served(0.7, 0.8);
        (served.fallback_alpha, served.config.target_fallback_alpha) = (Some(0.3), Some(0.0));
        assert_eq!(
            served.to_text(),
            "0.7 (ramping to 0.8), fallback_alpha 0.3 (ramping to 0), config 0123456789ab"
        );
        assert_eq!(served.to_json()["fallback_alpha"], 0.3);
        assert_eq!(served.to_json()["target_fallback_alpha"], 0.0);
        (served.fallback_alpha, served.config.target_fallback_alpha) = (Some(0.7), Some(0.8));
        assert_eq!(served.to_text(), "0.7 (ramping to 0.8), config 0123456789ab");
        (served.fallback_alpha, served.config.target_fallback_alpha) = (Some(0.3), Some(0.3));
        assert!(
            served.to_text().contains(", fallback_alpha 0.3, config"),
            "{}",
            served.to_text()
        );
    }

    #[test]
    fn json_lists_the_violations_of_a_rejected_file() {
        let mut served = served(0.8, 0.8);
        assert_eq!(served.to_json()["pending_error"], Value::Null);
        served.config.pending_error = Some(PendingError {
            violations: vec![FieldViolation {
                field: "mixture.alpha".into(),
                description: "expected 0 to 1".into(),
            }],
            ..Default::default()
        });
        assert_eq!(served.to_json()["pending_error"], "mixture.alpha: expected 0 to 1");
        assert_eq!(served.to_json()["alpha"], 0.8);
    }
}
