//! `[metrics]`: the HTTP endpoint for metrics and health.

use std::fmt;
use std::net::SocketAddr;

use crate::settings::key::Key;
use crate::settings::reader::Reader;

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

pub(in crate::settings) fn read(reader: &mut Reader) -> MetricsSettings {
    let OptionalAddress(listen) = reader.text(
        Key::restart_only(
            "metrics.listen",
            "Address of the HTTP endpoint for `/metrics`, `/livez` and `/readyz`.",
        ),
        OptionalAddress(Some(SocketAddr::from(([127, 0, 0, 1], 9464)))),
        "an address such as \"127.0.0.1:9464\", or \"\" for none",
        |text| match text {
            "" => Some(OptionalAddress(None)),
            text => text.parse().ok().map(|address| OptionalAddress(Some(address))),
        },
    );
    MetricsSettings { listen }
}
