//! The conversion of a row into the ONNX input of a model.
//!
//! A row holds float32 values in the shape and the range that callers see. A model may take another
//! type, the same axes in another order, or other numbers for the range. Every step is a function of
//! one row, so it becomes a part of the model: the server serves `F(conversion(x))`.
//!
//! Smoothing certifies any function of a row, and so this one. A Lipschitz constant is one of F
//! alone. It carries over if the conversion moves no two rows apart, so a manifest with such a
//! guarantee may only have conversions without rounding: a wider float type, and another order.

use super::element_type::{ElementType, InputValues};
use crate::domain::{InputSpec, ModelGuarantee, Violations};

/// How a row becomes an ONNX input, as the manifest states it.
#[derive(Debug, Clone, PartialEq)]
pub struct InputConversion {
    /// The type of the ONNX input.
    pub element: ElementType,
    /// The axes of a row in the order of the ONNX input, as `numpy.transpose` takes them; `None` for
    /// the same order.
    pub transpose: Option<Vec<usize>>,
    /// What the ONNX input has for the ends of the range; `None` for the same values.
    pub onnx_range: Option<[f64; 2]>,
}

impl InputConversion {
    /// The shape of the ONNX input without its batch axis, for rows of `shape`.
    #[must_use]
    pub fn onnx_shape(&self, shape: &[usize]) -> Vec<usize> {
        match &self.transpose {
            Some(axes) => axes.iter().filter_map(|&axis| shape.get(axis).copied()).collect(),
            None => shape.to_vec(),
        }
    }

    /// Checks that the conversion fits rows of `shape`, and that `guarantee` covers it.
    pub(super) fn check(&self, shape: &[usize], guarantee: &ModelGuarantee, violations: &mut Violations) {
        if let Some(axes) = &self.transpose {
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            violations.check(sorted.iter().copied().eq(0..shape.len()), "input.transpose", || {
                format!(
                    "expected each of the {} axes of input.shape once, from 0; found {axes:?}",
                    shape.len()
                )
            });
        }
        let is_lipschitz = matches!(
            guarantee,
            ModelGuarantee::LipschitzLogits { .. } | ModelGuarantee::LipschitzProbabilities { .. }
        );
        if !is_lipschitz {
            return;
        }
        violations.check(self.element.holds_every_float32(), "input.dtype", || {
            format!(
                "must be \"float32\" or \"float64\" for guarantee.kind = \"{}\": the conversion to {} rounds an input, which \
                 the constant does not cover; export the model with a float32 input and a Cast behind it",
                guarantee.name(),
                self.element.name()
            )
        });
        violations.check(self.onnx_range.is_none(), "input.onnx_range", || {
            format!(
                "must be absent for guarantee.kind = \"{}\": the constant is one per unit of the ONNX input; put the scale \
                 into the graph, or state the range of the ONNX input as input.range",
                guarantee.name()
            )
        });
    }
}

/// Converts rows for one session.
#[derive(Debug)]
pub(super) struct RowConverter {
    values: InputValues,
    /// For each value of the ONNX input the index of the value in the row; `None` for the same order.
    order: Option<Vec<usize>>,
    scale: Option<Scale>,
    dimension: usize,
}

/// Maps one range to another, in float64.
#[derive(Debug, Clone, Copy)]
struct Scale {
    from: f64,
    factor: f64,
    to: f64,
}

impl RowConverter {
    /// Returns the converter for rows of `spec`; `None` if a row is the ONNX input already.
    pub(super) fn new(conversion: &InputConversion, spec: &InputSpec) -> Option<Self> {
        let order = conversion
            .transpose
            .as_deref()
            .map(|axes| value_order(&spec.shape, axes));
        let scale = conversion.onnx_range.map(|[low, high]| Scale {
            from: spec.low,
            factor: (high - low) / (spec.high - spec.low),
            to: low,
        });
        if conversion.element == ElementType::Float32 && order.is_none() && scale.is_none() {
            return None;
        }
        Some(Self {
            values: InputValues::new(conversion.element),
            order,
            scale,
            dimension: spec.dimension(),
        })
    }

    /// Converts whole rows. The result is valid until the next call.
    pub(super) fn convert(&mut self, rows: &[f32]) -> &InputValues {
        let scale = self.scale;
        let scaled = |value: f32| match scale {
            #[expect(clippy::cast_possible_truncation, reason = "the nearest float32 is meant")]
            Some(Scale { from, factor, to }) => ((f64::from(value) - from) * factor + to) as f32,
            None => value,
        };
        match &self.order {
            Some(order) => {
                let of_row = |row: &[f32]| {
                    let values = order.iter().map(|&index| row.get(index).copied().unwrap_or_default());
                    values.map(scaled).collect::<Vec<f32>>()
                };
                self.values
                    .set(rows.chunks_exact(self.dimension.max(1)).flat_map(of_row));
            }
            None => self.values.set(rows.iter().copied().map(scaled)),
        }
        &self.values
    }
}

/// For each value of a transposed row, in row-major order, its index in a row of `shape`.
fn value_order(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    let stride = |axis: usize| shape.iter().skip(axis + 1).product::<usize>();
    let mut order = vec![0];
    for &axis in axes {
        let (length, stride) = (shape.get(axis).copied().unwrap_or(1), stride(axis));
        order = order
            .iter()
            .flat_map(|start| (0..length).map(move |index| start + index * stride))
            .collect();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(shape: &[usize], low: f64, high: f64) -> InputSpec {
        InputSpec {
            name: "input".to_owned(),
            shape: shape.to_vec(),
            low,
            high,
            levels: None,
        }
    }

    fn conversion(element: ElementType) -> InputConversion {
        InputConversion {
            element,
            transpose: None,
            onnx_range: None,
        }
    }

    #[test]
    fn channels_move_to_the_end_as_numpy_moves_them() {
        // numpy.arange(12).reshape(2, 3, 2).transpose(1, 2, 0).ravel()
        assert_eq!(
            value_order(&[2, 3, 2], &[1, 2, 0]),
            [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]
        );
        let conversion = InputConversion {
            transpose: Some(vec![1, 0]),
            ..conversion(ElementType::Float32)
        };
        assert_eq!(conversion.onnx_shape(&[2, 3]), [3, 2]);
        let mut converter = RowConverter::new(&conversion, &spec(&[2, 3], 0.0, 1.0)).unwrap();
        let rows: Vec<f32> = (0..12u8).map(f32::from).collect();
        let expected = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0, 6.0, 9.0, 7.0, 10.0, 8.0, 11.0];
        assert!(matches!(converter.convert(&rows), InputValues::Float32(values) if *values == expected));
    }

    #[test]
    fn every_byte_of_a_caller_becomes_that_byte() {
        let conversion = InputConversion {
            onnx_range: Some([0.0, 255.0]),
            ..conversion(ElementType::UInt8)
        };
        let mut converter = RowConverter::new(&conversion, &spec(&[256], 0.0, 1.0)).unwrap();
        let row: Vec<f32> = (0..=255u8).map(|byte| f32::from(byte) / 255.0).collect();
        let bytes: Vec<u8> = (0..=255).collect();
        assert!(matches!(converter.convert(&row), InputValues::UInt8(values) if *values == bytes));
    }

    #[test]
    fn float32_rows_are_not_converted() {
        assert!(RowConverter::new(&conversion(ElementType::Float32), &spec(&[4], 0.0, 1.0)).is_none());
        assert!(RowConverter::new(&conversion(ElementType::Float64), &spec(&[4], 0.0, 1.0)).is_some());
    }

    #[test]
    fn a_lipschitz_constant_covers_exact_conversions_only() {
        let lipschitz = ModelGuarantee::LipschitzLogits {
            norm: crate::domain::Norm::L2,
            constant: 1.0,
            vector_valued: true,
            error_bound: 0.0,
        };
        let smoothing = ModelGuarantee::GaussianSmoothing {
            sigma: 0.25,
            levels: 255,
        };
        let fields = |conversion: &InputConversion, guarantee: &ModelGuarantee| {
            let mut violations = Violations::default();
            conversion.check(&[2, 3, 4], guarantee, &mut violations);
            let fields = violations.0.into_iter().map(|violation| violation.field);
            fields.collect::<Vec<_>>()
        };
        for element in ElementType::ALL {
            let is_exact = matches!(element, ElementType::Float32 | ElementType::Float64);
            assert_eq!(
                fields(&conversion(element), &lipschitz).is_empty(),
                is_exact,
                "{element:?}"
            );
            assert!(fields(&conversion(element), &smoothing).is_empty());
            assert!(fields(&conversion(element), &ModelGuarantee::None).is_empty());
        }
        let scaled = InputConversion {
            onnx_range: Some([0.0, 255.0]),
            ..conversion(ElementType::Float32)
        };
        assert_eq!(fields(&scaled, &lipschitz), ["input.onnx_range"]);
        assert!(fields(&scaled, &smoothing).is_empty());
        for (axes, is_valid) in [
            (vec![1, 2, 0], true),
            (vec![0, 1], false),
            (vec![0, 0, 1], false),
            (vec![1, 2, 3], false),
        ] {
            let moved = InputConversion {
                transpose: Some(axes),
                ..conversion(ElementType::Float32)
            };
            assert_eq!(fields(&moved, &lipschitz).is_empty(), is_valid, "{moved:?}");
        }
    }
}
