//! Decides how a model is served after its self-test.

use super::model_error::ModelError;
use crate::onnx::SelfTestOutcome;

/// The settings for a model that is not a function of each row.
#[derive(Debug, Clone, Copy)]
pub(super) struct VerdictPolicy {
    /// Reject a model whose output depends on the batch, instead of running it one row at a time.
    pub(super) require_row_independence: bool,
    /// Serve a model that is not a function, with a caveat in each certificate.
    pub(super) allow_inexact_runtime: bool,
}

/// How a model is served.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServingMode {
    /// The model is a function of each row.
    Exact,
    /// The model is not a function, for this reason; the settings allow it.
    Inexact(String),
    /// The output depends on the batch, for this reason; the model runs one row at a time.
    OneRow(String),
}

impl VerdictPolicy {
    /// Chooses the mode of the model `name`, which runs in batches of at most `batch` rows.
    pub(super) fn serving_mode(
        self,
        name: &str,
        runs_on_gpu: bool,
        outcome: SelfTestOutcome,
        batch: usize,
    ) -> Result<ServingMode, ModelError> {
        match outcome {
            SelfTestOutcome::Consistent => Ok(ServingMode::Exact),
            SelfTestOutcome::DependsOnBatch { difference } if batch > 1 => {
                self.check_batch_dependence(name, &difference)?;
                Ok(ServingMode::OneRow(difference))
            }
            // A batch of one row has no other rows that the output could depend on.
            SelfTestOutcome::NotReproducible { difference } | SelfTestOutcome::DependsOnBatch { difference } => {
                if self.allow_inexact_runtime {
                    Ok(ServingMode::Inexact(difference))
                } else {
                    Err(ModelError::Inexact {
                        model: name.to_owned(),
                        difference,
                        runs_on_gpu,
                    })
                }
            }
        }
    }

    /// Returns an error if the settings forbid a model whose output for a row may depend on the
    /// batch.
    pub(super) fn check_batch_dependence(self, name: &str, reason: &str) -> Result<(), ModelError> {
        if !self.require_row_independence {
            return Ok(());
        }
        Err(ModelError::DependsOnBatch {
            model: name.to_owned(),
            reason: reason.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: VerdictPolicy = VerdictPolicy {
        require_row_independence: true,
        allow_inexact_runtime: false,
    };
    const DEFAULT: VerdictPolicy = VerdictPolicy {
        require_row_independence: false,
        allow_inexact_runtime: false,
    };
    const PERMISSIVE: VerdictPolicy = VerdictPolicy {
        require_row_independence: false,
        allow_inexact_runtime: true,
    };

    fn depends_on_batch() -> SelfTestOutcome {
        SelfTestOutcome::DependsOnBatch {
            difference: "place".to_owned(),
        }
    }

    fn not_reproducible() -> SelfTestOutcome {
        SelfTestOutcome::NotReproducible {
            difference: "chance".to_owned(),
        }
    }

    #[test]
    fn a_function_is_served_under_every_policy() {
        for policy in [STRICT, DEFAULT, PERMISSIVE] {
            let mode = policy.serving_mode("m", false, SelfTestOutcome::Consistent, 8).unwrap();
            assert_eq!(mode, ServingMode::Exact);
        }
    }

    #[test]
    fn the_cpu_is_advised_to_those_on_a_gpu_only() {
        for (runs_on_gpu, advised) in [(true, true), (false, false)] {
            let rejected = DEFAULT
                .serving_mode("m", runs_on_gpu, not_reproducible(), 8)
                .unwrap_err();
            let text = rejected.to_string();
            assert_eq!(text.contains("runtime.provider = \"cpu\""), advised, "{text}");
            assert!(text.contains("the model m: chance"), "{text}");
        }
    }

    #[test]
    fn a_batch_dependent_model_runs_one_row_at_a_time_or_is_rejected() {
        for policy in [DEFAULT, PERMISSIVE] {
            let mode = policy.serving_mode("m", false, depends_on_batch(), 8).unwrap();
            assert_eq!(mode, ServingMode::OneRow("place".to_owned()));
        }
        let rejected = STRICT
            .serving_mode("m", false, depends_on_batch(), 8)
            .unwrap_err()
            .to_string();
        assert!(rejected.contains("runtime.require_row_independence"), "{rejected}");
    }

    #[test]
    fn a_model_that_is_not_a_function_needs_permission() {
        for (outcome, batch) in [
            (not_reproducible(), 8),
            (not_reproducible(), 1),
            (depends_on_batch(), 1),
        ] {
            for policy in [STRICT, DEFAULT] {
                let rejected = policy.serving_mode("m", false, outcome.clone(), batch).unwrap_err();
                assert!(matches!(rejected, ModelError::Inexact { .. }), "{rejected}");
            }
            let allowed = PERMISSIVE.serving_mode("m", false, outcome, batch).unwrap();
            assert!(matches!(allowed, ServingMode::Inexact(_)), "{allowed:?}");
        }
    }
}
