//! Finds the input, the output and the kind of output of a model, by running it.

use anyhow::{anyhow, bail};

use crate::domain::are_probabilities;
use crate::onnx::{ElementType, InspectedModel, OutputKind, TensorDescription};

/// The number of inputs that a model runs on.
const ROWS: usize = 16;

/// The input of a model as its file declares it.
#[derive(Debug, Clone)]
pub(super) struct ModelInput {
    pub(super) name: String,
    pub(super) element: ElementType,
    /// The number of rows in every run; `None` if the file leaves it open.
    pub(super) batch: Option<usize>,
    /// The shape of one input without the batch axis; `None` for an axis that the file leaves open.
    pub(super) shape: Vec<Option<usize>>,
}

impl ModelInput {
    /// Reads the input of `model`.
    ///
    /// # Errors
    /// If the model does not have exactly one input that the server can fill.
    pub(super) fn of(model: &InspectedModel) -> anyhow::Result<Self> {
        let file = model.file.display();
        let [input] = model.inputs.as_slice() else {
            bail!(
                "{file} has the inputs {}; expected one input: export the model with constants in place of the others",
                listed(&model.inputs)
            );
        };
        let element = input.element.ok_or_else(|| {
            let types: Vec<&str> = ElementType::ALL.into_iter().map(ElementType::name).collect();
            anyhow!(
                "the input \"{}\" of {file} is {}; expected a tensor of {}",
                input.name,
                input.declared,
                types.join(", ")
            )
        })?;
        let Some((batch, shape)) = input.shape.split_first().filter(|(_, shape)| !shape.is_empty()) else {
            bail!(
                "the input \"{}\" of {file} is {}; expected a batch axis and the axes of one input",
                input.name,
                input.declared
            );
        };
        Ok(Self {
            name: input.name.clone(),
            element,
            batch: *batch,
            shape: shape.to_vec(),
        })
    }
}

fn listed(tensors: &[TensorDescription]) -> String {
    let texts: Vec<String> = tensors
        .iter()
        .map(|tensor| format!("\"{}\" ({})", tensor.name, tensor.declared))
        .collect();
    if texts.is_empty() {
        "none".to_owned()
    } else {
        texts.join(", ")
    }
}

/// An output that has one value for each class.
#[derive(Debug, Clone)]
pub(super) struct ClassOutput {
    pub(super) name: String,
    pub(super) classes: usize,
    /// The values for each row that ran.
    rows: Vec<Vec<f32>>,
}

/// Runs `model` on inputs of `shape` in `range`, both as its ONNX input has them. Returns the outputs
/// with at least two values for each input.
///
/// # Errors
/// If the model fails, or no output is of that kind.
pub(super) fn class_outputs(
    model: &mut InspectedModel,
    input: &ModelInput,
    shape: &[usize],
    range: [f64; 2],
) -> anyhow::Result<Vec<ClassOutput>> {
    let batch = input.batch.unwrap_or(1).max(1);
    let dimension: usize = shape.iter().product();
    let mut found: Vec<ClassOutput> = Vec::new();
    let mut others = Vec::new();
    for run in 0..ROWS.div_ceil(batch) {
        let rows = (0..batch).flat_map(|row| probe_row(run * batch + row, dimension, range));
        let values: Vec<f32> = rows.collect();
        let full_shape = [&[batch], shape].concat();
        for output in model.run(input.element, full_shape, &values)? {
            let Some(classes) = class_count(&output.shape, batch) else {
                others.push(format!("\"{}\" of the shape {:?}", output.name, output.shape));
                continue;
            };
            let rows = output.values.chunks_exact(classes).map(<[f32]>::to_vec);
            match found.iter_mut().find(|known| known.name == output.name) {
                Some(known) if known.classes == classes => known.rows.extend(rows),
                Some(known) => bail!(
                    "the output \"{}\" of {} has {} values for one input and {classes} for another",
                    known.name,
                    model.file.display(),
                    known.classes
                ),
                None => found.push(ClassOutput {
                    name: output.name,
                    classes,
                    rows: rows.collect(),
                }),
            }
        }
    }
    if found.is_empty() {
        others.dedup();
        let computed = if others.is_empty() {
            String::new()
        } else {
            format!("; a run returned {}", others.join(", "))
        };
        bail!(
            "{} has no output with at least two floats for each input, one for each class: it declares {}{computed}\n  \
             export a classifier of two classes with two outputs, and one of scikit-learn with zipmap=False",
            model.file.display(),
            listed(&model.outputs)
        );
    }
    Ok(found)
}

/// The number of values for each of `batch` rows, if they are the values of classes: all other axes
/// have the length 1.
fn class_count(shape: &[usize], batch: usize) -> Option<usize> {
    let (&rows, rest) = shape.split_first()?;
    let mut long = rest.iter().filter(|&&length| length != 1);
    let classes = long.next().copied()?;
    (rows == batch && classes >= 2 && long.next().is_none()).then_some(classes)
}

/// An input: the low end, the high end, the middle, and then values that fill the range evenly.
fn probe_row(row: usize, dimension: usize, [low, high]: [f64; 2]) -> impl Iterator<Item = f32> {
    /// The fractional part of the golden ratio: its multiples fill [0, 1) evenly.
    const STEP: f64 = 0.618_033_988_749_894_9;
    (0..dimension).map(move |index| {
        #[expect(clippy::cast_precision_loss, reason = "numbers of values stay far below 2^53")]
        let fraction = match row {
            0 => 0.0,
            1 => 1.0,
            2 => 0.5,
            _ => ((row * dimension + index) as f64 * STEP).fract(),
        };
        #[expect(clippy::cast_possible_truncation, reason = "the nearest float32 is meant")]
        let value = (high - low).mul_add(fraction, low) as f32;
        value
    })
}

/// What an output means, and how that was seen.
#[derive(Debug, Clone)]
pub(super) struct FoundKind {
    pub(super) kind: OutputKind,
    pub(super) reason: String,
    /// The tensor of the logits behind probabilities, if the graph shows it.
    pub(super) logits: Option<String>,
}

/// Looks whether the rows of `output` are probabilities.
pub(super) fn find_kind(model: &InspectedModel, output: &ClassOutput) -> FoundKind {
    let finite = || {
        output
            .rows
            .iter()
            .filter(|row| row.iter().all(|value| value.is_finite()))
    };
    let (count, logits) = (output.rows.len(), model.logits_before_softmax(&output.name));
    let is_probabilities = finite().count() > 0 && finite().all(|row| are_probabilities(row));
    if is_probabilities {
        let source = logits
            .as_ref()
            .map(|logits| format!(", after a softmax of \"{logits}\""));
        return FoundKind {
            kind: OutputKind::Probabilities,
            reason: format!(
                "{count} of {count} rows are in [0, 1] with the sum 1{}",
                source.unwrap_or_default()
            ),
            logits,
        };
    }
    let similar = finite().filter(|row| are_probabilities(row)).count();
    let in_unit_range = finite().flatten().all(|value| (0.0..=1.0).contains(value));
    let note = if in_unit_range && finite().count() > 0 {
        "; all values are in [0, 1], as those of a sigmoid are, and the server applies a softmax to them"
    } else {
        ""
    };
    FoundKind {
        kind: OutputKind::Logits,
        reason: format!("{similar} of {count} rows are in [0, 1] with the sum 1{note}"),
        logits: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_classes_may_have_axes_of_length_1() {
        for (shape, classes) in [
            (&[2, 10][..], Some(10)),
            (&[2, 10, 1, 1], Some(10)),
            (&[2, 1, 1, 10], Some(10)),
            (&[2, 1], None),
            (&[2], None),
            (&[10, 2], None),
            (&[2, 10, 4], None),
            (&[], None),
        ] {
            assert_eq!(class_count(shape, 2), classes, "{shape:?}");
        }
    }

    #[test]
    fn probed_rows_lie_in_the_range_and_differ() {
        let rows: Vec<Vec<f32>> = (0..ROWS).map(|row| probe_row(row, 5, [-1.0, 3.0]).collect()).collect();
        assert!(rows.iter().flatten().all(|value| (-1.0..=3.0).contains(value)));
        assert_eq!((rows[0][0], rows[1][0]), (-1.0, 3.0));
        for (index, row) in rows.iter().enumerate() {
            assert!(!rows[..index].contains(row), "row {index}");
        }
    }
}
