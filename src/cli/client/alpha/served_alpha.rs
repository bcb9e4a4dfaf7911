//! The alpha that a server uses, and the state of its settings file.

use serde_json::{Value, json};

use crate::cli::client::connection::error_messages::violation_lines;
use crate::cli::client::info::predict_target_cap;
use crate::cli::client::results::short_revision;
use crate::cli::output;
use crate::rpc::proto::{CertificationLimits, ConfigStatus, GetModelInfoResponse};

/// The part of a `GetModelInfoResponse` that concerns alpha.
pub(super) struct ServedAlpha {
    /// The alpha in force. During a ramp it differs from `config.target_alpha`.
    pub alpha: f64,
    /// The revision of the configuration in force.
    pub revision: String,
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
            revision: provenance.config_revision,
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
        output::line(self.to_line())?;
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
        Ok(())
    }

    fn to_line(&self) -> String {
        let revision = short_revision(&self.revision);
        if is_same(self.alpha, self.config.target_alpha) {
            format!("alpha {}, config {revision}", self.alpha)
        } else {
            format!(
                "alpha {} (ramping to {}), config {revision}",
                self.alpha, self.config.target_alpha
            )
        }
    }

    fn to_json(&self) -> Value {
        let error = self.config.pending_error.as_ref();
        json!({
            "alpha": self.alpha,
            "target_alpha": self.config.target_alpha,
            "config_revision": self.revision,
            "unavailable_reason": self.unavailable_reason,
            "predict_target_in_force": self.limits.as_ref().map(|limits| limits.predict_target_in_force),
            "largest_predict_target": self.limits.as_ref().map(|limits| limits.largest_predict_target),
            "pending_error": error.map(|error| violation_lines(&error.violations).trim().to_owned()),
        })
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
        assert_eq!(served(0.8, 0.8).to_line(), "alpha 0.8, config 0123456789ab");
        assert_eq!(
            served(0.7, 0.8).to_line(),
            "alpha 0.7 (ramping to 0.8), config 0123456789ab"
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
