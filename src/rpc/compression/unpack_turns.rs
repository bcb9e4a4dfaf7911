//! Lets one message unpack at a time, and lets callers take turns.
//!
//! A few bytes can unpack to a message of megabytes, which takes milliseconds of a processor. With
//! one message at a time, unpacking takes at most one processor, whatever callers send. A principal
//! waits for at most one message of each other principal, and a connection for one of each other
//! connection of its principal. Those whose messages are not compressed do not wait at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

// Its locks are granted in the order of their requests.
use tokio::sync::{Mutex as FairMutex, OwnedMutexGuard};

use crate::call::Principal;

/// The turns of all callers.
#[derive(Debug, Default)]
pub(in crate::rpc) struct UnpackTurns {
    turn: Arc<FairMutex<()>>,
    /// The principals that have a message to unpack. Each asks for one turn at a time.
    principals: Mutex<HashMap<Principal, Arc<FairMutex<()>>>>,
}

/// The turns of one connection, which asks for one at a time. Clones stand for the same connection.
#[derive(Debug, Clone)]
pub(in crate::rpc) struct ConnectionTurns {
    all: Arc<UnpackTurns>,
    connection: Arc<FairMutex<()>>,
}

/// The turn of one message. A drop ends it.
#[derive(Debug)]
pub(in crate::rpc) struct UnpackTurn {
    // Dropped in this order: the next turn goes to another principal first.
    _turn: OwnedMutexGuard<()>,
    _principal: OwnedMutexGuard<()>,
    _connection: OwnedMutexGuard<()>,
}

impl ConnectionTurns {
    /// The turns of a new connection.
    pub(in crate::rpc) fn new(all: &Arc<UnpackTurns>) -> Self {
        Self {
            all: Arc::clone(all),
            connection: Arc::default(),
        }
    }

    /// The next turn for a message of `principal` on this connection.
    pub(in crate::rpc) async fn next(&self, principal: Principal) -> UnpackTurn {
        let connection = Arc::clone(&self.connection).lock_owned().await;
        let principal = self.all.principal(principal).lock_owned().await;
        UnpackTurn {
            _turn: Arc::clone(&self.all.turn).lock_owned().await,
            _principal: principal,
            _connection: connection,
        }
    }
}

impl UnpackTurns {
    fn principal(&self, principal: Principal) -> Arc<FairMutex<()>> {
        let mut principals = self.principals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = principals.get(&principal) {
            return Arc::clone(known);
        }
        // Those that wait for nothing are forgotten, so that as many are known as have messages.
        principals.retain(|_, waiting| Arc::strong_count(waiting) > 1);
        Arc::clone(principals.entry(principal).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::sync::mpsc;

    use super::*;

    fn host(number: u32) -> Principal {
        Principal::at(Ipv4Addr::from_bits(number).into())
    }

    /// The order in which turns begin, each named by its principal and connection.
    async fn order_of(requests: &[(u32, usize)]) -> Vec<(u32, usize)> {
        let all = Arc::new(UnpackTurns::default());
        let connections: Vec<_> = (0..8).map(|_| ConnectionTurns::new(&all)).collect();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        // Everyone asks while the first turn lasts.
        let first = connections[7].next(host(99)).await;
        for &(principal, connection) in requests {
            let (turns, sender) = (connections[connection].clone(), sender.clone());
            tokio::spawn(async move {
                let _turn = turns.next(host(principal)).await;
                sender.send((principal, connection)).unwrap();
                tokio::task::yield_now().await;
            });
            tokio::task::yield_now().await;
        }
        drop((first, sender));
        let mut order = Vec::new();
        while let Some(turn) = receiver.recv().await {
            order.push(turn);
        }
        order
    }

    #[tokio::test]
    async fn a_principal_waits_for_one_message_of_each_other_principal() {
        let mut requests = vec![(1, 1); 20];
        requests.extend([(1, 2); 20]);
        requests.push((2, 3));
        let order = order_of(&requests).await;
        assert_eq!(order.len(), 41);
        let place = order.iter().position(|turn| *turn == (2, 3)).unwrap();
        assert!(place <= 1, "{order:?}");
    }

    #[tokio::test]
    async fn the_connections_of_a_principal_take_turns() {
        let mut requests = vec![(1, 1); 20];
        requests.push((1, 2));
        let order = order_of(&requests).await;
        let place = order.iter().position(|turn| *turn == (1, 2)).unwrap();
        assert!(place <= 1, "{order:?}");
    }

    #[tokio::test]
    async fn principals_without_a_message_are_forgotten() {
        let all = Arc::new(UnpackTurns::default());
        let turns = ConnectionTurns::new(&all);
        for number in 0..1000 {
            drop(turns.next(host(number)).await);
        }
        assert_eq!(all.principals.lock().unwrap().len(), 1);
    }
}
