//! The share of the models that a caller has, and the shares that the operator has named.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::call::{Caller, Fingerprint, Principal};
use crate::settings::{CallerIdentity, CallerSettings, OTHER_CALLERS};

/// A caller with its share of the models.
#[derive(Debug, Clone, PartialEq)]
pub struct CallerShare {
    /// The caller.
    pub caller: Caller,
    /// The share of the caller's principal is proportional to its weight; positive.
    pub weight: f64,
    /// The largest part of the queue's capacity that the principal may hold, from 0 to 1.
    pub max_share: f64,
    /// The name of the principal in metrics: one that the operator has chosen, or `other`.
    pub name: Arc<str>,
}

/// The shares of the principals that the operator has named.
#[derive(Debug, Clone)]
pub struct CallerShares {
    named: BTreeMap<Principal, NamedShare>,
    other: Arc<str>,
}

#[derive(Debug, Clone)]
struct NamedShare {
    name: Arc<str>,
    weight: f64,
    max_share: f64,
}

impl CallerShares {
    /// The shares in `settings`. Of two entries for one principal, the last one counts.
    #[must_use]
    pub fn new(settings: &[CallerSettings]) -> Self {
        let named = settings.iter().map(|entry| {
            let share = NamedShare {
                name: entry.name.as_str().into(),
                weight: entry.weight,
                max_share: entry.max_share,
            };
            (principal_of(&entry.identity), share)
        });
        Self {
            named: named.collect(),
            other: OTHER_CALLERS.into(),
        }
    }

    /// The share of `caller`. A principal without a name has weight 1 and no bound of its own.
    #[must_use]
    pub fn of(&self, caller: Caller) -> CallerShare {
        match self.named.get(&caller.principal) {
            Some(named) => CallerShare {
                caller,
                weight: named.weight,
                max_share: named.max_share,
                name: Arc::clone(&named.name),
            },
            None => CallerShare {
                caller,
                weight: 1.0,
                max_share: 1.0,
                name: Arc::clone(&self.other),
            },
        }
    }
}

/// The principal of the callers that the operator names by `identity`.
fn principal_of(identity: &CallerIdentity) -> Principal {
    match identity {
        CallerIdentity::Token(name) => Principal::Token(Fingerprint::of(name.as_bytes())),
        CallerIdentity::Certificate(name) => Principal::Certificate(Fingerprint::of(name.as_bytes())),
        CallerIdentity::UnixUser(user) => Principal::UnixUser(*user),
        CallerIdentity::Address(address) => Principal::at(*address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_principal_has_its_share_on_every_connection_and_others_have_weight_one() {
        let shares = CallerShares::new(&[
            CallerSettings {
                name: "planner".to_owned(),
                identity: CallerIdentity::Token("planner-key".to_owned()),
                weight: 4.0,
                max_share: 0.5,
            },
            CallerSettings {
                name: "host".to_owned(),
                identity: CallerIdentity::Address("2001:db8::7".parse().unwrap()),
                weight: 2.0,
                max_share: 1.0,
            },
        ]);
        let of = |principal, connection| shares.of(Caller { principal, connection });
        for connection in [1, 2] {
            let share = of(Principal::Token(Fingerprint::of(b"planner-key")), connection);
            assert_eq!((&*share.name, share.weight, share.max_share), ("planner", 4.0, 0.5));
        }
        // A named address is its network, like every unauthenticated peer.
        let share = of(Principal::at("2001:db8::8".parse().unwrap()), 1);
        assert_eq!((&*share.name, share.weight), ("host", 2.0));
        for stranger in [
            Principal::Certificate(Fingerprint::of(b"planner-key")),
            Principal::Token(Fingerprint::of(b"another")),
            Principal::Unknown,
        ] {
            let share = of(stranger, 1);
            assert_eq!((&*share.name, share.weight, share.max_share), ("other", 1.0, 1.0));
        }
    }
}
