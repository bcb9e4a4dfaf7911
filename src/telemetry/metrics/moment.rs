//! What is read when somebody asks: handed in by who composes the application, because it belongs to layers above this one.

use std::time::SystemTime;

use crate::telemetry::models::SchedulerLoad;

/// A server at one moment.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// What waits and who works; none while no models are live.
    pub load: Option<SchedulerLoad>,
    /// Whether the server says that it serves.
    pub serving: bool,
    /// Its connections.
    pub connections: Connections,
    /// When the first of the TLS certificates ends; none without TLS.
    pub certificate_expires: Option<SystemTime>,
    /// Spans that no receiver will see.
    pub lost_spans: u64,
    /// Lines of the log that nobody will read.
    pub dropped_log_lines: u64,
    /// What other alphas would have answered; none without candidates.
    pub shadow: Option<Shadow>,
}

/// Connections since the start, by TCP and by the Unix socket together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Connections {
    /// Open now.
    pub open: u64,
    /// Let in.
    pub accepted: u64,
    /// Closed at once, because there were too many.
    pub refused: u64,
    /// Of those let in: closed because TLS was not agreed on.
    pub failed_handshakes: u64,
    /// Of those let in: closed from here without the peer's doing.
    pub cut: u64,
    /// Requests that showed no token that is known.
    pub unauthenticated: u64,
}

/// What other alphas would have answered, since the counts began.
#[derive(Debug, Clone, Default)]
pub struct Shadow {
    /// Inputs that were answered and not judged.
    pub dropped: u64,
    /// The upper bounds of [`ShadowCandidate::radii`], ascending, in the units of the float input.
    pub radius_bounds: &'static [f64],
    /// Each candidate; at most as many as the settings allow.
    pub candidates: Vec<ShadowCandidate>,
}

/// One other alpha.
#[derive(Debug, Clone, Default)]
pub struct ShadowCandidate {
    /// Its weight of the robust model, from 0 to 1.
    pub alpha: f64,
    /// Inputs judged.
    pub inputs: u64,
    /// The class that was served.
    pub agreements: u64,
    /// Would have been certified.
    pub certified: u64,
    /// Not certified by the votes that there are, and its own rule would have drawn more.
    pub open: u64,
    /// Radii at most each bound and above the one before, then those above all. Not cumulative.
    pub radii: Vec<u64>,
    /// All radii added up.
    pub radius_sum: f64,
}
