//! Opens the sessions of one model, finds its batch size, and finds out whether they compute a function of each row.

use std::sync::Arc;
use std::time::Duration;

use super::LoadError;
use crate::onnx::{Agreement, Backend as _, Findings, Model, OnnxSession, Verdict, self_test};
use crate::scheduler::{Measured, best_time, measure_batch_size};

/// What bounds a batch.
#[derive(Debug, Clone, Copy)]
pub(in crate::classifier) struct BatchLimits {
    /// The operator's batch size; without one it is measured,
    pub(in crate::classifier) set: Option<usize>,
    /// up to this,
    pub(in crate::classifier) largest: usize,
    /// for runs of at most this.
    pub(in crate::classifier) max_time: Duration,
}

/// What the operator allows of a model that is no function of each row.
#[derive(Debug, Clone, Copy)]
pub(in crate::classifier) struct SelfTestPolicy {
    /// It is refused rather than run one row at a time.
    pub(in crate::classifier) require_row_independence: bool,
    /// It is served though it is no function at all.
    pub(in crate::classifier) allow_inexact_runtime: bool,
}

/// The sessions of one model.
pub(in crate::classifier) struct ModelSessions {
    pub(in crate::classifier) sessions: Vec<OnnxSession>,
    pub(in crate::classifier) batch: Measured,
    /// Why it runs one row at a time; none if it need not.
    pub(in crate::classifier) one_row: Option<String>,
    /// Why it is no function, which the operator allows; none if it is one.
    pub(in crate::classifier) inexact: Option<String>,
}

/// Opens `count` sessions, runs each so that the first request finds them warm, and tests them on `rows`. A model whose answer
/// for a row depends on its batch is opened again, with batches of one row.
pub(in crate::classifier) fn open(
    model: &Arc<Model>,
    count: usize,
    limits: BatchLimits,
    rows: &[f32],
    policy: SelfTestPolicy,
) -> Result<ModelSessions, LoadError> {
    let name = model.manifest.name.as_str();
    // What the graph does not show is not left to the self-test.
    let (mut limits, mut one_row) = (limits, model.one_row_reason.clone());
    if let Some(what) = &one_row {
        refuse_dependence(name, what, policy)?;
    }
    // At most twice: with batches of one row nothing depends on the batch.
    loop {
        if let Some(what) = &one_row {
            tracing::warn!(
                model = name,
                what,
                "RUNS ONE ROW AT A TIME: its answer for a row may depend on the batch; this costs throughput"
            );
            limits.set = Some(1);
        }
        let (mut sessions, batch) = open_unseen(model, count, limits)?;
        let findings = self_test(&mut sessions, rows)?;
        report_flaws(model, &findings)?;
        let inexact = match judge(name, findings.verdict, batch.rows, policy)? {
            ServingMode::Serve => None,
            ServingMode::ServeInexact(what) => Some(what),
            ServingMode::OneRow(what) => {
                one_row = Some(what);
                continue;
            }
        };
        if let Some(what) = &inexact {
            tracing::warn!(
                model = name,
                what,
                "CERTIFICATES CARRY A CAVEAT: the self-test failed and certificate.allow_inexact_runtime is set"
            );
        }
        // Of a model that counts votes each later session must give the same bits.
        let exact = sessions
            .first()
            .is_some_and(|first| first.agreement() == Agreement::Bits);
        if exact && inexact.is_none() {
            sessions
                .iter_mut()
                .try_for_each(|session| session.expect_the_same(rows))?;
        }
        return Ok(ModelSessions {
            sessions,
            batch,
            one_row,
            inexact,
        });
    }
}

/// What is done with a model.
#[derive(Debug, PartialEq, Eq)]
enum ServingMode {
    Serve,
    ServeInexact(String),
    OneRow(String),
}

/// Decides what is done with a model in batches of at most `batch` rows.
fn judge(name: &str, verdict: Verdict, batch: usize, policy: SelfTestPolicy) -> Result<ServingMode, LoadError> {
    match verdict {
        Verdict::Function => Ok(ServingMode::Serve),
        Verdict::DependsOnBatch { what } if batch > 1 => {
            refuse_dependence(name, &what, policy)?;
            Ok(ServingMode::OneRow(what))
        }
        // With one row there is no batch that it could depend on.
        Verdict::NoFunction { what } | Verdict::DependsOnBatch { what } => {
            if policy.allow_inexact_runtime {
                Ok(ServingMode::ServeInexact(what))
            } else {
                Err(LoadError::Inexact(format!("the model {name}: {what}")))
            }
        }
    }
}

/// Refuses a model whose answer for a row may depend on its batch, if the operator wants no such model.
fn refuse_dependence(name: &str, what: &str, policy: SelfTestPolicy) -> Result<(), LoadError> {
    if !policy.require_row_independence {
        return Ok(());
    }
    Err(LoadError::DependsOnBatch {
        model: name.to_owned(),
        what: what.to_owned(),
    })
}

/// Refuses a model whose every output is not what it should be, and tells of one that has such outputs.
fn report_flaws(model: &Model, findings: &Findings) -> Result<(), LoadError> {
    let (name, rows, flaws) = (&model.manifest.name, findings.rows, findings.flaws);
    if flaws.not_finite >= rows && rows > 0 {
        return Err(LoadError::NotFinite {
            model: name.clone(),
            rows,
        });
    }
    if flaws.not_probabilities > 0 {
        return Err(LoadError::NotProbabilities {
            model: name.clone(),
            bad: flaws.not_probabilities,
            rows,
        });
    }
    if flaws.not_finite > 0 {
        tracing::warn!(
            model = name,
            not_finite = flaws.not_finite,
            rows,
            "some rows of the self-test gave NaN or infinity: such rows certify nothing and vote for nobody"
        );
    }
    Ok(())
}

/// Opens `count` sessions and runs each once.
fn open_unseen(
    model: &Arc<Model>,
    count: usize,
    limits: BatchLimits,
) -> Result<(Vec<OnnxSession>, Measured), LoadError> {
    let name = &model.manifest.name;
    tracing::info!(
        model = name,
        sessions = count,
        provider = model.provider.name,
        "loading"
    );
    let mut first = model.open(limits.set.unwrap_or(1))?;
    model.warm(std::slice::from_mut(&mut first))?;
    let row = model.middle();
    let measured = match limits.set {
        Some(rows) => Measured {
            rows,
            time: best_time(&mut first, rows, &row)?,
        },
        None => measure_batch_size(
            &mut first,
            OnnxSession::set_max_batch_size,
            &row,
            limits.largest,
            limits.max_time,
        )?,
    };
    let mut sessions = vec![first];
    for _ in 1..count {
        sessions.push(model.open(measured.rows)?);
    }
    // The first one too: what it is later held against must be of the batch shape that it serves.
    model.warm(&mut sessions)?;
    tracing::info!(model = name, batch_size = measured.rows, row_time = ?measured.row_time(), "measured");
    Ok((sessions, measured))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: SelfTestPolicy = SelfTestPolicy {
        require_row_independence: true,
        allow_inexact_runtime: false,
    };
    const USUAL: SelfTestPolicy = SelfTestPolicy {
        require_row_independence: false,
        allow_inexact_runtime: false,
    };
    const LAX: SelfTestPolicy = SelfTestPolicy {
        require_row_independence: false,
        allow_inexact_runtime: true,
    };

    fn depends() -> Verdict {
        Verdict::DependsOnBatch {
            what: "place".to_owned(),
        }
    }

    fn none() -> Verdict {
        Verdict::NoFunction {
            what: "chance".to_owned(),
        }
    }

    #[test]
    fn a_function_is_served_whatever_is_allowed() {
        for policy in [STRICT, USUAL, LAX] {
            assert_eq!(judge("m", Verdict::Function, 8, policy).unwrap(), ServingMode::Serve);
        }
    }

    #[test]
    fn what_depends_on_its_batch_runs_one_row_at_a_time_or_not_at_all() {
        for policy in [USUAL, LAX] {
            let judged = judge("m", depends(), 8, policy).unwrap();
            assert_eq!(judged, ServingMode::OneRow("place".to_owned()));
        }
        let refused = judge("m", depends(), 8, STRICT).unwrap_err().to_string();
        assert!(refused.contains("runtime.require_row_independence"), "{refused}");
    }

    #[test]
    fn what_is_no_function_is_refused_without_leave() {
        for (verdict, batch) in [(none(), 8), (none(), 1), (depends(), 1)] {
            for policy in [STRICT, USUAL] {
                let refused = judge("m", verdict.clone(), batch, policy).unwrap_err();
                assert!(matches!(refused, LoadError::Inexact(_)), "{refused}");
            }
            let allowed = judge("m", verdict, batch, LAX).unwrap();
            assert!(matches!(allowed, ServingMode::ServeInexact(_)), "{allowed:?}");
        }
    }
}
