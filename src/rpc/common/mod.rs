//! Support for the handlers of every protocol.

pub(super) mod call_tracker;
pub(super) mod classify;
pub(super) mod deadline;
pub(super) mod message_size;
pub(super) mod status;
pub(super) mod status_correction;
pub(super) mod tensor_validation;
