//! The records of one file, checked, and the answers of a setting for them.

use std::time::Duration;

use super::error::RecomputeError;
use super::radius_grid::RadiusGrid;
use super::row_counting::count_rows;
use super::setting::Setting;
use super::summary::SettingSummary;
use super::vote_counting::count_votes;
use crate::certificate::Sigma;
use crate::classifier::{
    EvaluatedModels, RecomputedAnswer, RecordedRows, RecordedVotes, VoteConditions, VoteReplay, chunk_votes_for,
};
use crate::domain::{ModelGuarantee, PerRole, RobustOutput};
use crate::evaluation::record::{EvaluationHeader, EvaluationRecord};
use crate::onnx::OutputKind;
use crate::settings::processor_count;

/// The temperature at which a robust model with Lipschitz logits has about its largest radii.
const LOW_TEMPERATURE: f64 = 0.01;

/// Checked records of one file.
pub struct Recomputation<'a> {
    models: EvaluatedModels,
    /// The conditions of the votes; `None` if the robust model is not smoothed.
    conditions: Option<VoteConditions>,
    in_force: Setting,
    records: Vec<&'a EvaluationRecord>,
}

impl<'a> Recomputation<'a> {
    /// Checks `records` against the header of their file. Votes are drawn under the settings that
    /// were in force: target, vote budget and bound.
    ///
    /// # Errors
    /// [`RecomputeError`] names the first record that does not fit.
    pub fn new(
        header: &EvaluationHeader,
        records: impl IntoIterator<Item = &'a EvaluationRecord>,
    ) -> Result<Self, RecomputeError> {
        let records: Vec<&EvaluationRecord> = records.into_iter().collect();
        let models = EvaluatedModels {
            guarantee: header.guarantee.clone(),
            output_kinds: PerRole {
                standard: header.models.standard.output_kind,
                robust: header.models.robust.output_kind,
            },
            spec: header.input.clone(),
            classes: header.labels.len(),
        };
        let conditions = vote_conditions(header, &records)?;
        for record in &records {
            check_record(record, models.classes, conditions.is_some())?;
        }
        Ok(Self {
            models,
            conditions,
            in_force: Setting::in_force(header),
            records,
        })
    }

    /// The same models and conditions with other records of the same file: a part of these.
    #[must_use]
    pub fn with_records(&self, is_included: impl Fn(&EvaluationRecord) -> bool) -> Self {
        Self {
            models: self.models.clone(),
            conditions: self.conditions,
            in_force: self.in_force,
            records: self
                .records
                .iter()
                .copied()
                .filter(|record| is_included(record))
                .collect(),
        }
    }

    /// The records.
    #[must_use]
    pub fn records(&self) -> &[&'a EvaluationRecord] {
        &self.records
    }

    /// The properties of the models.
    #[must_use]
    pub fn models(&self) -> &EvaluatedModels {
        &self.models
    }

    /// The conditions of the votes; `None` if the robust model is not smoothed.
    #[must_use]
    pub fn conditions(&self) -> Option<&VoteConditions> {
        self.conditions.as_ref()
    }

    /// The setting that was in force when the records were made.
    #[must_use]
    pub fn in_force(&self) -> Setting {
        self.in_force
    }

    /// Whether the temperature has an effect: the robust model returns logits and is not smoothed.
    #[must_use]
    pub fn takes_temperature(&self) -> bool {
        self.conditions.is_none() && self.models.output_kinds.robust == OutputKind::Logits
    }

    /// A grid that covers the radii that some setting certifies, together with `extra`. It depends on
    /// the records only.
    ///
    /// # Errors
    /// As for [`Self::answers`] and [`RadiusGrid::covering`].
    pub fn radius_grid(&self, extra: &[f64]) -> Result<RadiusGrid, RecomputeError> {
        let mut largest = 0.0_f64;
        let temperatures = [self.in_force.robust_temperature(), LOW_TEMPERATURE];
        let count = if self.takes_temperature() { 2 } else { 1 };
        for &temperature in &temperatures[..count] {
            for answer in self.answers(&self.in_force.with_mixture(1.0, 1.0, temperature)?)? {
                largest = largest.max(answer.radius);
            }
        }
        RadiusGrid::covering(largest, extra)
    }

    /// The answer of the server with `setting` for each record, in their order.
    ///
    /// # Errors
    /// The errors of the mathematics; none is expected for checked records.
    pub fn answers(&self, setting: &Setting) -> Result<Vec<RecomputedAnswer>, RecomputeError> {
        let weights = setting.mixture.weights;
        let mut replay = match &self.conditions {
            Some(conditions) => Some((
                conditions,
                VoteReplay::new(
                    &self.models,
                    conditions,
                    weights.alpha(),
                    setting.radius_method,
                    setting.failure_probability,
                )?,
            )),
            None => None,
        };
        self.records
            .iter()
            .map(|record| match (&record.robust, &mut replay) {
                (RobustOutput::Votes(votes), Some((conditions, replay))) => {
                    let loss = record.snapping_loss;
                    let mut votes = RecordedVotes::new(&self.models, conditions, &record.standard, votes, loss);
                    let proof = replay.prove(&votes)?;
                    Ok(replay.answer(&mut votes, proof, weights)?)
                }
                (RobustOutput::Row(robust), _) => {
                    Ok(RecordedRows::new(&self.models, &record.standard, robust).answer(&setting.mixture)?)
                }
                (RobustOutput::Votes(_), None) => Err(record_error(record, "expected a row, found votes")),
            })
            .collect()
    }

    /// The counts of each setting over all records, in the order of `settings`. Two settings with
    /// the same temperature and alpha share their radii. `progress` is called with numbers of
    /// finished answers, from several threads.
    ///
    /// # Errors
    /// As for [`Self::answers`].
    pub fn summaries(
        &self,
        settings: &[Setting],
        grid: &RadiusGrid,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<SettingSummary>, RecomputeError> {
        let (classes, radii) = (self.models.classes, grid.radii().len());
        let mut total: Vec<SettingSummary> = settings
            .iter()
            .map(|&setting| SettingSummary::empty(setting, classes, radii))
            .collect();
        let part = self.records.len().div_ceil(processor_count().max(1)).max(1);
        let count = |records: &[&EvaluationRecord]| match &self.conditions {
            Some(conditions) => count_votes(&self.models, conditions, records, settings, grid, progress),
            None => count_rows(&self.models, records, settings, grid, progress),
        };
        let parts = std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .records
                .chunks(part)
                .map(|records| scope.spawn(move || count(records)))
                .collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().map_err(|_| RecomputeError::Thread);
            threads.into_iter().map(join).collect::<Result<Vec<_>, _>>()
        })?;
        for part in parts {
            for (total, counts) in total.iter_mut().zip(part?) {
                total.merge(&counts);
            }
        }
        Ok(total)
    }
}

/// The conditions of the votes under the settings of `header`. The votes between two looks are those
/// of a server whose rows take the mean recorded time.
fn vote_conditions(
    header: &EvaluationHeader,
    records: &[&EvaluationRecord],
) -> Result<Option<VoteConditions>, RecomputeError> {
    let ModelGuarantee::GaussianSmoothing { sigma, .. } = header.guarantee else {
        return Ok(None);
    };
    let Some(sampling) = &header.sampling else {
        let message = "a smoothed robust model needs the conditions of its votes";
        return Err(RecomputeError::Header(message.to_owned()));
    };
    let votes: usize = records
        .iter()
        .map(|record| match &record.robust {
            RobustOutput::Votes(votes) => votes.len(),
            RobustOutput::Row(_) => 1,
        })
        .sum();
    let seconds: f64 = records.iter().map(|record| record.seconds).sum();
    #[expect(clippy::cast_precision_loss, reason = "votes stay far below 2^53")]
    let row_time = Duration::try_from_secs_f64(seconds / votes.max(1) as f64).unwrap_or(Duration::ZERO);
    let settings = &header.settings;
    Ok(Some(VoteConditions {
        sigma: Sigma::new(sigma)?,
        total_variation: sampling.total_variation,
        selection_votes: settings.selection_votes,
        vote_budget: settings.predict_votes,
        target_radius: settings.predict_target_radius,
        bound: settings.bound,
        chunk_votes: chunk_votes_for(header.environment.robust_batch_size, row_time),
    }))
}

fn record_error(record: &EvaluationRecord, message: impl Into<String>) -> RecomputeError {
    RecomputeError::Record {
        id: record.id.clone(),
        message: message.into(),
    }
}

fn check_record(record: &EvaluationRecord, classes: usize, draws_votes: bool) -> Result<(), RecomputeError> {
    let is_class = |class: u32| usize::try_from(class).is_ok_and(|class| class < classes);
    if let Some(label) = record.label.filter(|&label| !is_class(label)) {
        let message = format!("expected a label below {classes}, found {label}");
        return Err(record_error(record, message));
    }
    let check_row = |model: &str, row: &[f32]| match row.len() {
        found if found == classes => Ok(()),
        found => {
            let message = format!("expected {classes} outputs of the {model} model, found {found}");
            Err(record_error(record, message))
        }
    };
    check_row("standard", &record.standard)?;
    match &record.robust {
        RobustOutput::Row(row) if !draws_votes => check_row("robust", row),
        RobustOutput::Votes(votes) if draws_votes => match votes.iter().flatten().find(|&&vote| !is_class(vote)) {
            Some(vote) => Err(record_error(
                record,
                format!("expected votes for classes below {classes}, found {vote}"),
            )),
            None => Ok(()),
        },
        RobustOutput::Row(_) => Err(record_error(record, "expected votes of the robust model, found a row")),
        RobustOutput::Votes(_) => Err(record_error(record, "expected a row of the robust model, found votes")),
    }
}
