//! The prediction for one input: the robust model's part, its certificate, and the mixture.

pub(in crate::classifier) mod certificate_completion;
pub(in crate::classifier) mod certificate_restriction;
pub(in crate::classifier) mod evaluated_models;
pub(in crate::classifier) mod lipschitz;
pub(in crate::classifier) mod mixing;
pub(in crate::classifier) mod robust_prediction;
pub(in crate::classifier) mod unavailability;
