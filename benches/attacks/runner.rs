//! Runs an attack on a thread of its own.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::attack::{Attack, AttackCounts, Session};
use super::target::Target;

/// The nice value of an attack. It takes the processor time that nobody else wants, as if it came
/// from another machine; it must slow the server by what it sends, not by being computed here.
const NICE: i32 = 10;
/// The time between two starts of an attack whose connections the server ended.
const RESTART_DELAY: Duration = Duration::from_millis(20);

/// An attack in progress. Dropping it stops the attack and waits for its end.
pub struct RunningAttack {
    session: Arc<Session>,
    thread: Option<JoinHandle<()>>,
}

impl RunningAttack {
    pub fn start(attack: Arc<dyn Attack>, target: Target) -> anyhow::Result<Self> {
        let session = Arc::new(Session::default());
        let shared = Arc::clone(&session);
        let thread = std::thread::Builder::new().name("attack".to_owned()).spawn(move || {
            // Without the permission the attack only runs at the usual priority. Threads that it
            // starts inherit the value.
            let _ = rustix::process::setpriority_process(None, NICE);
            while !shared.is_stopped() {
                if attack.run(&target, &shared).is_err() {
                    shared.count_refused();
                    shared.wait(RESTART_DELAY);
                }
            }
        })?;
        Ok(Self {
            session,
            thread: Some(thread),
        })
    }

    /// Stops the attack, and returns what it did.
    pub fn stop(mut self) -> AttackCounts {
        self.end();
        self.session.counts()
    }

    fn end(&mut self) {
        self.session.stop();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for RunningAttack {
    fn drop(&mut self) {
        self.end();
    }
}
