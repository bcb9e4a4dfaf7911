//! When a server that stops wants its answers, however long they were to take.

use std::time::Instant;

use tokio::sync::watch;

/// Tells every certification of the process when to stop drawing.
#[derive(Debug)]
pub struct DrainSignal(watch::Sender<Option<Instant>>);

/// What a certification listens to. Clones hear the same bell.
#[derive(Debug, Clone)]
pub struct DrainDeadline(watch::Receiver<Option<Instant>>);

impl DrainSignal {
    /// A bell, and who hears it.
    #[must_use]
    pub fn new() -> (Self, DrainDeadline) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), DrainDeadline(receiver))
    }

    /// From `moment` on nothing more is drawn: what has votes is answered with them.
    pub fn set(&self, moment: Instant) {
        self.0.send_replace(Some(moment));
    }
}

impl DrainDeadline {
    /// Comes at the moment that was set, or never.
    pub(super) async fn comes(&self) {
        // A receiver of its own for each waiter: this one is shared.
        let mut heard = self.0.clone();
        let set = heard.wait_for(Option::is_some).await.ok().and_then(|moment| *moment);
        match set {
            Some(moment) => tokio::time::sleep_until(moment.into()).await,
            None => std::future::pending().await,
        }
    }
}
