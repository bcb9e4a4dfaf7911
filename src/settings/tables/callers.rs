//! `[[scheduler.callers]]`: the shares of named callers.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use config::{Map, Value, ValueKind};

use super::access::AccessSettings;
use crate::domain::is_caller_name;
use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};
use crate::settings::typed_values::number_field;

/// Most entries. Each is a label value of the metrics.
const MAX_CALLERS: usize = 64;
/// Accepted weights.
const WEIGHT_RANGE: RangeInclusive<f64> = 0.01..=100.0;
/// Accepted bounds on the part of the queue.
const MAX_SHARE_RANGE: RangeInclusive<f64> = 0.01..=1.0;
const FIELDS: [&str; 7] = [
    "name",
    "token",
    "certificate",
    "unix_user",
    "address",
    "weight",
    "max_share",
];
/// The name of all callers without an entry, in metrics.
pub const OTHER_CALLERS: &str = "other";

const CALLERS: SettingKey = SettingKey::live(
    "scheduler.callers",
    KeyScope::Operation,
    "Shares of named callers: an array of tables. `name` labels the metrics. One of `token` (the name in front of a token in \
     the token file), `certificate` (the common name of a client certificate, or else its first DNS name or URI), \
     `unix_user` (a user ID, over the Unix socket) or `address` (of callers without credentials; an IPv6 address stands \
     for its /64 network) says who it is. `weight` (0.01 to 100, default 1) divides the time of the models and the queue \
     under load: a caller without an entry has weight 1. `max_share` (0.01 to 1, default 1) bounds the part of the queue \
     that the caller may hold with several requests.",
);

/// How the operator recognises a caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallerIdentity {
    /// The name of bearer tokens in the token file.
    Token(String),
    /// The common name of client certificates, or else their first DNS name or URI.
    Certificate(String),
    /// A user ID, over the Unix socket.
    UnixUser(u32),
    /// The address of callers without credentials.
    Address(IpAddr),
}

/// The share of a named caller.
#[derive(Debug, Clone, PartialEq)]
pub struct CallerSettings {
    /// The name in metrics.
    pub name: String,
    /// How the caller is recognised.
    pub identity: CallerIdentity,
    /// The weight of its share, from 0.01 to 100.
    pub weight: f64,
    /// The largest part of the queue that it may hold, from 0.01 to 1.
    pub max_share: f64,
}

/// The entries. `has_unix_socket` is whether callers can come over a Unix socket.
pub(in crate::settings) fn read(
    reader: &mut Reader,
    access: &AccessSettings,
    has_unix_socket: bool,
) -> Vec<CallerSettings> {
    let accepted = "a list of at most 64 tables, each with a name of up to 64 characters a-z, A-Z, 0-9, '.', '_', '-' (not \
                   \"other\"), one of token, certificate, unix_user and address, and optionally weight from 0.01 to 100 and \
                   max_share from 0.01 to 1, such as [{ name = \"planner\", token = \"planner\", weight = 2 }]";
    let callers = reader.tables(CALLERS, MAX_CALLERS, accepted, &FIELDS, parse_caller);
    let (mut names, mut identities) = (BTreeSet::new(), BTreeSet::new());
    for caller in &callers {
        let name = &caller.name;
        reader.check(names.insert(name.clone()), CALLERS, || {
            format!("two entries have the name \"{name}\"")
        });
        reader.check(identities.insert(caller.identity.clone()), CALLERS, || {
            format!("two entries stand for {}", caller.identity)
        });
        let has_client_ca = access.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        let (can_match, needed) = match caller.identity {
            CallerIdentity::Token(_) => (access.bearer_token_file.is_some(), "server.bearer_token_file"),
            CallerIdentity::Certificate(_) => (
                has_client_ca && access.bearer_token_file.is_none(),
                "tls.client_ca without server.bearer_token_file, because a token comes before a certificate",
            ),
            CallerIdentity::UnixUser(_) => (has_unix_socket, "server.unix_socket"),
            CallerIdentity::Address(_) => (
                !has_client_ca && access.bearer_token_file.is_none(),
                "callers without credentials: remove server.bearer_token_file and tls.client_ca",
            ),
        };
        reader.check(can_match, CALLERS, || {
            format!(
                "the entry \"{name}\" can never match: {} needs {needed}",
                caller.identity
            )
        });
    }
    callers
}

fn parse_caller(table: &Map<String, Value>) -> Option<CallerSettings> {
    let mut identities = [
        text(table, "token")?.map(CallerIdentity::Token),
        text(table, "certificate")?.map(CallerIdentity::Certificate),
        unix_user(table)?.map(CallerIdentity::UnixUser),
        address(table)?.map(CallerIdentity::Address),
    ]
    .into_iter()
    .flatten();
    let (identity, None) = (identities.next()?, identities.next()) else {
        return None;
    };
    let name = text(table, "name")?.filter(|name| is_caller_name(name) && name != OTHER_CALLERS)?;
    let weight = number(table, "weight", &WEIGHT_RANGE)?.unwrap_or(1.0);
    let max_share = number(table, "max_share", &MAX_SHARE_RANGE)?.unwrap_or(1.0);
    Some(CallerSettings {
        name,
        identity,
        weight,
        max_share,
    })
}

/// The text in a field: `Some(None)` if the field is absent, `None` if it is no text or empty.
fn text(table: &Map<String, Value>, field: &str) -> Option<Option<String>> {
    match table.get(field).map(|value| &value.kind) {
        None => Some(None),
        Some(ValueKind::String(text)) if !text.is_empty() => Some(Some(text.clone())),
        Some(_) => None,
    }
}

fn unix_user(table: &Map<String, Value>) -> Option<Option<u32>> {
    match table.get("unix_user").map(|value| &value.kind) {
        None => Some(None),
        Some(ValueKind::I64(user)) => u32::try_from(*user).ok().map(Some),
        Some(_) => None,
    }
}

fn address(table: &Map<String, Value>) -> Option<Option<IpAddr>> {
    text(table, "address")?.map_or(Some(None), |address| address.parse().ok().map(Some))
}

fn number(table: &Map<String, Value>, field: &str, range: &RangeInclusive<f64>) -> Option<Option<f64>> {
    let number = number_field(table, field)?;
    number.is_none_or(|number| range.contains(&number)).then_some(number)
}

impl Display for CallerIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(name) => write!(formatter, "token = {name:?}"),
            Self::Certificate(name) => write!(formatter, "certificate = {name:?}"),
            Self::UnixUser(user) => write!(formatter, "unix_user = {user}"),
            Self::Address(address) => write!(formatter, "address = \"{address}\""),
        }
    }
}

/// As TOML writes it.
impl Display for CallerSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{{ name = \"{}\", {}, weight = {:?}, max_share = {:?} }}",
            self.name, self.identity, self.weight, self.max_share
        )
    }
}
