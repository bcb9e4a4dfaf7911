//! The properties of a tensor that the analysis derives without running the model.

/// The length of an axis, if it is known. It never depends on the number of rows.
pub(super) type AxisLength = Option<usize>;

/// The known properties of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum AbstractTensor {
    /// The tensor is the same for every input and every number of rows.
    Constant(ConstantTensor),
    /// Axis 0 is the batch axis: slice i is a function of row i of the input alone, and has this
    /// shape.
    PerRow(Vec<AxisLength>),
    /// A vector of integers that are computed from shapes.
    ShapeVector(Vec<ShapeInteger>),
    /// One integer that is computed from shapes.
    ShapeScalar(ShapeInteger),
}

/// A tensor that does not depend on the input.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ConstantTensor {
    /// The shape, if it is known.
    pub(super) shape: Option<Vec<usize>>,
    /// The values, if they are a few integers.
    pub(super) integers: Option<Vec<i64>>,
}

/// An integer that is computed from shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShapeInteger {
    /// The number of rows.
    BatchSize,
    /// A known number.
    Known(i64),
    /// An unknown number that does not depend on the input.
    Unknown,
}

/// The output of an operator, or the reason why nothing is proven about it.
pub(super) type OperatorResult = Result<AbstractTensor, String>;

impl AbstractTensor {
    /// Creates a constant of this shape. No rule uses its values.
    pub(super) fn weights(shape: Option<Vec<usize>>) -> Self {
        Self::Constant(ConstantTensor { shape, integers: None })
    }

    /// Returns the shape of a row.
    ///
    /// # Errors
    /// Describes the tensor if it is not made of rows.
    pub(super) fn row_shape(&self) -> Result<&[AxisLength], String> {
        match self {
            Self::PerRow(shape) => Ok(shape),
            Self::Constant(_) => Err("an input that must depend on the row is constant".to_owned()),
            Self::ShapeVector(_) | Self::ShapeScalar(_) => Err("it computes with the number of rows".to_owned()),
        }
    }

    /// Returns the constant.
    ///
    /// # Errors
    /// Describes the tensor if it is not a constant.
    pub(super) fn constant(&self) -> Result<&ConstantTensor, String> {
        match self {
            Self::Constant(constant) => Ok(constant),
            Self::PerRow(_) => Err("an input that must be constant depends on the rows".to_owned()),
            Self::ShapeVector(_) | Self::ShapeScalar(_) => Err("it computes with the number of rows".to_owned()),
        }
    }
}
