//! A node together with the known properties of its inputs.

use super::abstract_tensor::{AbstractTensor, ConstantTensor};
use super::protobuf;

/// A node together with the known properties of its inputs.
pub(super) struct ResolvedNode<'a> {
    pub(super) proto: &'a protobuf::NodeProto,
    /// One entry for each input; `None` for an input that is left out.
    pub(super) inputs: Vec<Option<&'a AbstractTensor>>,
    /// The version of the standard ONNX operators.
    pub(super) opset_version: i64,
}

impl<'a> ResolvedNode<'a> {
    /// Returns input `index`.
    pub(super) fn required_input(&self, index: usize) -> Result<&'a AbstractTensor, String> {
        self.optional_input(index)
            .ok_or_else(|| format!("its input {index} is missing"))
    }

    /// Returns input `index`, if it is present.
    pub(super) fn optional_input(&self, index: usize) -> Option<&'a AbstractTensor> {
        self.inputs.get(index).copied().flatten()
    }

    /// Checks that all inputs from `first` on are constants.
    pub(super) fn require_constant_inputs(&self, first: usize) -> Result<(), String> {
        let present = self.inputs.iter().skip(first).flatten();
        present.into_iter().try_for_each(|value| value.constant().map(drop))
    }

    /// Returns input `index`, if it is present. It must be a few known integers.
    pub(super) fn integer_input(&self, index: usize) -> Result<Option<&'a [i64]>, String> {
        let Some(value) = self.optional_input(index) else {
            return Ok(None);
        };
        let ConstantTensor { integers, .. } = value.constant()?;
        match integers {
            Some(integers) => Ok(Some(integers)),
            None => Err(format!("its input {index} is unknown")),
        }
    }

    /// Returns an integer attribute.
    pub(super) fn int_attribute(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.int)
    }

    /// Returns a list attribute of integers.
    pub(super) fn ints_attribute(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|attribute| attribute.ints.as_slice())
    }

    /// Returns an attribute, if it is present.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a protobuf::AttributeProto> {
        self.proto.attribute(name)
    }

    /// Returns integers that older operator versions take as an attribute and newer ones as input
    /// `index`.
    pub(super) fn ints_attribute_or_input(&self, name: &str, index: usize) -> Result<Option<&'a [i64]>, String> {
        match self.ints_attribute(name) {
            Some(ints) => Ok(Some(ints)),
            None => self.integer_input(index),
        }
    }
}
