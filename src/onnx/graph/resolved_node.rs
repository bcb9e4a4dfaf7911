//! One node, and what is known of its inputs.

use super::value::{Constant, Value};
use super::wire;

/// One node, and what is known of its inputs.
pub(super) struct Node<'a> {
    pub(super) wire: &'a wire::Node,
    /// One for each input that is given; none for those that are left out.
    pub(super) inputs: Vec<Option<&'a Value>>,
    /// Version of ONNX's own operators.
    pub(super) opset: i64,
}

impl<'a> Node<'a> {
    /// Input `index`.
    pub(super) fn input(&self, index: usize) -> Result<&'a Value, String> {
        self.optional(index)
            .ok_or_else(|| format!("its input {index} is missing"))
    }

    /// Input `index`, if it is given.
    pub(super) fn optional(&self, index: usize) -> Option<&'a Value> {
        self.inputs.get(index).copied().flatten()
    }

    /// Checks that the inputs from `first` on are constants.
    pub(super) fn constants_from(&self, first: usize) -> Result<(), String> {
        let given = self.inputs.iter().skip(first).flatten();
        given.into_iter().try_for_each(|value| value.constant().map(drop))
    }

    /// Input `index`, if it is given, which must be a few integers that are known.
    pub(super) fn integers(&self, index: usize) -> Result<Option<&'a [i64]>, String> {
        let Some(value) = self.optional(index) else {
            return Ok(None);
        };
        let Constant { integers, .. } = value.constant()?;
        match integers {
            Some(integers) => Ok(Some(integers)),
            None => Err(format!("its input {index} is not known")),
        }
    }

    /// An attribute that is an integer.
    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.int)
    }

    /// An attribute that is a list of integers.
    pub(super) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|attribute| attribute.ints.as_slice())
    }

    /// An attribute, if it is given.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a wire::Attribute> {
        self.wire.attribute(name)
    }

    /// Integers that older versions have as an attribute and newer ones as input `index`.
    pub(super) fn ints_or_input(&self, name: &str, index: usize) -> Result<Option<&'a [i64]>, String> {
        match self.ints(name) {
            Some(ints) => Ok(Some(ints)),
            None => self.integers(index),
        }
    }
}
