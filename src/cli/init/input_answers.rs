//! The shape and the range of an input, which both models share.

use anyhow::bail;

use super::arguments::{InterfaceArgs, parse_range, parse_shape};
use super::model_probe::ModelInput;
use super::questions::{Offer, Questions};
use crate::cli::output;
use crate::domain::{PerRole, Role};
use crate::onnx::{ElementType, InspectedModel, RangeSource};

/// The values of a byte.
const BYTE_RANGE: [f64; 2] = [0.0, 255.0];

/// Finds or asks the shape of one input as callers send it. `None`: a flag is missing.
///
/// # Errors
/// If the models have different shapes, or the terminal cannot be read.
pub(super) fn served_shape(
    questions: &mut Questions,
    args: &InterfaceArgs,
    inputs: &PerRole<ModelInput>,
) -> anyhow::Result<Option<Vec<usize>>> {
    let known = |role: Role| inputs[role].shape.iter().copied().collect::<Option<Vec<usize>>>();
    let shape = match (&args.shape, known(Role::Robust), known(Role::Standard)) {
        (Some(shape), _, _) => Some(shape.0.clone()),
        (None, Some(shape), Some(_) | None) | (None, None, Some(shape)) => Some(channels_first(shape)),
        (None, None, None) => questions
            .text(
                "--shape",
                "the shape of one input without the batch axis, such as 3,32,32",
                Offer::Nothing,
                parse_shape,
            )?
            .map(|shape| shape.0),
    };
    if let Some(shape) = &shape {
        for role in Role::ALL {
            if transpose(shape, &inputs[role].shape).is_none() {
                bail!(
                    "the {} model takes inputs of the shape {}, which does not fit the shape {shape:?} of {}",
                    role.name(),
                    shown_shape(&inputs[role].shape),
                    if args.shape.is_some() {
                        "--shape"
                    } else {
                        "the other model"
                    }
                );
            }
        }
    }
    Ok(shape)
}

/// The shape of an image with its channels first, where it has them last. Clients send images in this
/// order, and both models of a pair need the same.
fn channels_first(shape: Vec<usize>) -> Vec<usize> {
    match shape.as_slice() {
        &[height, width, channels @ (1 | 3 | 4)] if height.min(width) > 4 => vec![channels, height, width],
        _ => shape,
    }
}

/// The axes of `shape` in the order of an ONNX input of the shape `declared`: `Some(None)` if the
/// order is the same, and `None` if the shapes do not fit.
#[expect(clippy::option_option, reason = "the outer option is whether the shapes fit")]
pub(super) fn transpose(shape: &[usize], declared: &[Option<usize>]) -> Option<Option<Vec<usize>>> {
    let fits = |axes: &[usize]| {
        axes.len() == declared.len()
            && axes
                .iter()
                .zip(declared)
                .all(|(&axis, length)| length.is_none_or(|length| shape.get(axis) == Some(&length)))
    };
    let same: Vec<usize> = (0..shape.len()).collect();
    if fits(&same) {
        return Some(None);
    }
    // Channels first and last.
    let orders = [[1, 2, 0], [2, 0, 1]];
    orders
        .into_iter()
        .find(|order| shape.len() == order.len() && fits(order))
        .map(|order| Some(order.to_vec()))
}

/// A shape whose open axes are question marks.
pub(super) fn shown_shape(shape: &[Option<usize>]) -> String {
    let lengths: Vec<String> = shape
        .iter()
        .map(|length| length.map_or_else(|| "?".to_owned(), |length| length.to_string()))
        .collect();
    format!("[{}]", lengths.join(", "))
}

/// Finds or asks the range of the values as callers send them. `None`: a flag is missing.
///
/// # Errors
/// If the terminal cannot be read.
pub(super) fn served_range(
    questions: &mut Questions,
    args: &InterfaceArgs,
    inputs: &PerRole<ModelInput>,
    models: &PerRole<InspectedModel>,
) -> anyhow::Result<Option<[f64; 2]>> {
    if args.range.is_some() {
        return Ok(args.range);
    }
    let hints: Vec<_> = Role::ALL
        .into_iter()
        .filter_map(|role| Some((role, models[role].visible_range(&inputs[role].name)?)))
        .collect();
    let agree = hints
        .windows(2)
        .all(|pair| (pair[0].1.low, pair[0].1.high) == (pair[1].1.low, pair[1].1.high));
    let is_clipped = hints.iter().any(|(_, hint)| hint.shown_by == RangeSource::Clip);
    let are_bytes = Role::ALL
        .into_iter()
        .all(|role| inputs[role].element == ElementType::UInt8);
    let is_image = inputs.robust.shape.len() == 3;
    let seen: Vec<String> = hints
        .iter()
        .map(|(role, hint)| {
            let how = match hint.shown_by {
                RangeSource::Clip => "clips its inputs to",
                RangeSource::Means => "subtracts means that suit",
            };
            format!("the {} model {how} {},{}", role.name(), hint.low, hint.high)
        })
        .collect();
    let offer = match hints.last() {
        Some((_, hint)) => {
            let text = format!("{},{}", hint.low, hint.high);
            if is_clipped && agree {
                Offer::Certain(text)
            } else {
                Offer::Likely(text)
            }
        }
        None if are_bytes => Offer::Certain("0,1".to_owned()),
        None if is_image => Offer::Likely("0,1".to_owned()),
        None => Offer::Nothing,
    };
    let mut prompt = "the range LOW,HIGH of the input values, as callers send them".to_owned();
    for line in seen {
        if questions.is_interactive() {
            output::note(line);
        } else {
            prompt = format!("{prompt}; {line}");
        }
    }
    questions.text("--range", &prompt, offer, parse_range)
}

/// The values of the ONNX input that stand for the ends of `range`; `None` if the model takes the
/// values as callers send them. Bytes stand for the whole range unless something else is `stated`.
pub(super) fn onnx_range(element: ElementType, range: [f64; 2], stated: Option<[f64; 2]>) -> Option<[f64; 2]> {
    let of_type = (element == ElementType::UInt8).then_some(BYTE_RANGE);
    stated.or(of_type).filter(|&onnx_range| onnx_range != range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_moved_where_the_models_differ() {
        let fixed = |shape: [usize; 3]| shape.map(Some).to_vec();
        assert_eq!(transpose(&[3, 32, 32], &fixed([3, 32, 32])), Some(None));
        assert_eq!(transpose(&[3, 32, 24], &fixed([32, 24, 3])), Some(Some(vec![1, 2, 0])));
        assert_eq!(transpose(&[32, 24, 3], &fixed([3, 32, 24])), Some(Some(vec![2, 0, 1])));
        assert_eq!(transpose(&[3, 32, 24], &[Some(3), None, None]), Some(None));
        assert_eq!(transpose(&[3, 32, 32], &fixed([3, 28, 28])), None);
        assert_eq!(transpose(&[4], &[Some(4)]), Some(None));
        assert_eq!(transpose(&[4], &[Some(4), Some(4)]), None);
    }

    #[test]
    fn only_the_channels_of_an_image_move() {
        assert_eq!(channels_first(vec![32, 24, 3]), [3, 32, 24]);
        for shape in [vec![3, 32, 24], vec![4, 3, 3], vec![16, 3], vec![10, 10, 10]] {
            assert_eq!(channels_first(shape.clone()), shape);
        }
    }

    #[test]
    fn bytes_stand_for_the_whole_range() {
        let unit = [0.0, 1.0];
        assert_eq!(onnx_range(ElementType::UInt8, unit, None), Some(BYTE_RANGE));
        assert_eq!(onnx_range(ElementType::UInt8, BYTE_RANGE, None), None);
        assert_eq!(
            onnx_range(ElementType::UInt8, unit, Some([0.0, 15.0])),
            Some([0.0, 15.0])
        );
        assert_eq!(
            onnx_range(ElementType::Float32, unit, Some([0.0, 255.0])),
            Some(BYTE_RANGE)
        );
        assert_eq!(onnx_range(ElementType::Int64, unit, None), None);
    }
}
