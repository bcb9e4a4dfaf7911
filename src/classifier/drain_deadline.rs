//! The deadline that a draining server sets for its certifications, however long they may run.

use std::time::Instant;

use tokio::sync::watch;

/// Sets the drain deadline for every certification of the process.
#[derive(Debug)]
pub struct DrainSignal(watch::Sender<Option<Instant>>);

/// The receiving side of a [`DrainSignal`]. All clones receive the same deadline.
#[derive(Debug, Clone)]
pub struct DrainDeadline(watch::Receiver<Option<Instant>>);

impl DrainSignal {
    /// Creates a signal and its receiver.
    #[must_use]
    pub fn new() -> (Self, DrainDeadline) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), DrainDeadline(receiver))
    }

    /// Sets the deadline. From `deadline` on, certifications draw no more votes and answer with the
    /// votes that they have.
    pub fn set(&self, deadline: Instant) {
        self.0.send_replace(Some(deadline));
    }
}

impl DrainDeadline {
    /// Completes when a deadline is set and has passed. Never completes otherwise.
    pub(super) async fn reached(&self) {
        // Each waiter needs its own receiver, because this one is shared.
        let mut receiver = self.0.clone();
        let deadline = receiver
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|deadline| *deadline);
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    }
}
