//! The outputs of both models for one input, before they are mixed.

/// The outputs of both models for one input, before they are mixed.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelOutputs {
    /// The row of the standard model as the model returns it (logits or probabilities), one value per
    /// class.
    pub standard: Vec<f32>,
    /// The output of the robust model.
    pub robust: RobustOutput,
}

/// The output of the robust model for one input.
#[derive(Debug, Clone, PartialEq)]
pub enum RobustOutput {
    /// The row as the model returns it, one value per class.
    Row(Vec<f32>),
    /// A smoothed model: the class of each vote in the order of its counter; `None` for a vote for no
    /// class (a row with a NaN). The selection votes come first. They choose the sides and are then
    /// dropped.
    Votes(Vec<Option<u32>>),
}
