//! The options of single calls.

use std::time::Duration;

use crate::Error;
use crate::proto::{self, BoundMethod};

/// The longest deadline: a day.
const MAX_DEADLINE: Duration = Duration::from_secs(86_400);

/// The priority of a request. Interactive rows run before all bulk rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Priority {
    /// The default of predictions.
    Interactive,
    /// The default of certifications.
    Bulk,
}

/// The options of a prediction. The default has none set.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PredictOptions {
    deadline: Option<Duration>,
    components: bool,
    priority: Option<Priority>,
}

impl PredictOptions {
    /// The deadline of the call with its retries: more than 0, at most a day. Without it, that of the client.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Asks for the probabilities of both models too.
    #[must_use]
    pub const fn components(mut self) -> Self {
        self.components = true;
        self
    }

    /// The priority of the request.
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    pub(crate) fn deadline_or(&self, default: Duration) -> Result<Duration, Error> {
        checked_deadline(self.deadline.unwrap_or(default))
    }

    pub(crate) fn request(&self, inputs: proto::Tensor) -> proto::PredictRequest {
        proto::PredictRequest {
            inputs: Some(inputs),
            include_components: self.components,
            priority: priority(self.priority).into(),
        }
    }
}

/// The options of a certification. The default uses the operator's values. [`Client::info`](crate::Client::info) returns the
/// operator's limits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CertifyOptions {
    common: PredictOptions,
    target_radius: Option<f64>,
    votes: Option<u64>,
    failure_probability: Option<f64>,
    bound: Option<BoundMethod>,
}

impl CertifyOptions {
    /// The deadline of the call with its retries: more than 0, at most a day. If it comes first, the server answers shortly
    /// before it with the best certificate so far. Without it, that of the client.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.common = self.common.deadline(deadline);
        self
    }

    /// Asks for the probabilities of both models too.
    #[must_use]
    pub const fn components(mut self) -> Self {
        self.common = self.common.components();
        self
    }

    /// The priority of the request.
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.common = self.common.priority(priority);
        self
    }

    /// The radius at which the server stops, in the units of the float input.
    #[must_use]
    pub const fn target_radius(mut self, radius: f64) -> Self {
        self.target_radius = Some(radius);
        self
    }

    /// The most votes of a smoothed robust model.
    #[must_use]
    pub const fn votes(mut self, votes: u64) -> Self {
        self.votes = Some(votes);
        self
    }

    /// The largest probability of a wrong certificate.
    #[must_use]
    pub const fn failure_probability(mut self, probability: f64) -> Self {
        self.failure_probability = Some(probability);
        self
    }

    /// The method that turns votes into bounds.
    #[must_use]
    pub const fn bound(mut self, bound: BoundMethod) -> Self {
        self.bound = Some(bound);
        self
    }

    pub(crate) fn deadline_or(&self, default: Duration) -> Result<Duration, Error> {
        self.common.deadline_or(default)
    }

    pub(crate) fn request(&self, inputs: proto::Tensor) -> proto::CertifyRequest {
        proto::CertifyRequest {
            inputs: Some(inputs),
            include_components: self.common.components,
            target_radius: self.target_radius,
            vote_budget: self.votes,
            failure_probability: self.failure_probability,
            bound: self.bound.unwrap_or(BoundMethod::Unspecified).into(),
            priority: priority(self.common.priority).into(),
            ..Default::default()
        }
    }
}

fn priority(priority: Option<Priority>) -> proto::Priority {
    match priority {
        None => proto::Priority::Unspecified,
        Some(Priority::Interactive) => proto::Priority::Interactive,
        Some(Priority::Bulk) => proto::Priority::Bulk,
    }
}

/// The deadline, if it is one.
pub(crate) fn checked_deadline(deadline: Duration) -> Result<Duration, Error> {
    if deadline.is_zero() || deadline > MAX_DEADLINE {
        let description = format!("expected more than 0 and at most {MAX_DEADLINE:?}, found {deadline:?}");
        return Err(Error::invalid("deadline", description));
    }
    Ok(deadline)
}
