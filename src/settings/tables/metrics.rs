//! `[metrics]`: the HTTP endpoint for metrics and health.

use std::fmt;
use std::net::SocketAddr;

use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

/// `[metrics]`
#[derive(Debug, Clone, Copy)]
pub struct MetricsSettings {
    /// Address of the HTTP endpoint for metrics and health; `None` for no endpoint.
    pub listen: Option<SocketAddr>,
}

/// An address, displayed as `""` if there is none.
#[derive(Clone, Copy)]
struct OptionalAddress(Option<SocketAddr>);

impl fmt::Display for OptionalAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |address| address.fmt(formatter))
    }
}

const LISTEN: SettingKey = SettingKey::restart_only(
    "metrics.listen",
    KeyScope::Operation,
    "Address of the HTTP endpoint for `/metrics`, `/livez` and `/readyz`.",
);

/// `server_listen` is the address of the gRPC listener.
pub(in crate::settings) fn read(reader: &mut Reader, server_listen: SocketAddr) -> MetricsSettings {
    let OptionalAddress(listen) = reader.text(
        LISTEN,
        OptionalAddress(Some(SocketAddr::from(([127, 0, 0, 1], 9464)))),
        "an address such as \"127.0.0.1:9464\", or \"\" for none",
        |text| match text {
            "" => Some(OptionalAddress(None)),
            text => text.parse().ok().map(|address| OptionalAddress(Some(address))),
        },
    );
    let is_free = listen.is_none_or(|address| !overlap(address, server_listen));
    reader.check(is_free, LISTEN, || {
        format!("must differ from server.listen = {server_listen}: a port has one listener")
    });
    MetricsSettings { listen }
}

/// Whether two listeners cannot have these addresses at the same time. Port 0 is any free port.
fn overlap(left: SocketAddr, right: SocketAddr) -> bool {
    let (ip, other) = (left.ip(), right.ip());
    let same_ip = ip == other || ip.is_unspecified() || other.is_unspecified();
    left.port() != 0 && left.port() == right.port() && same_ip
}
