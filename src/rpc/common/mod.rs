//! Support for the handlers of every protocol. This folder imports no protocol.
//!
//! A handler gets its state from [`handler_context`] and tracks its call with [`call_tracker`]. It
//! reads its deadline with [`deadline`], validates its tensor with [`tensor_validation`], refuses an
//! answer that is too large with [`answer_limit`], and classifies its inputs with [`mod@classify`]. [`status`] maps errors to gRPC statuses, and
//! [`status_correction`] corrects those that tonic sets. [`message_size_limit`] applies the limit
//! of the live settings, and [`float32`] narrows values for the wire.

pub(super) mod answer_limit;
pub(super) mod call_tracker;
pub(super) mod classify;
pub(super) mod deadline;
pub(super) mod float32;
pub(super) mod handler_context;
pub(super) mod message_size_limit;
pub(super) mod status;
pub(super) mod status_correction;
pub(super) mod tensor_validation;
