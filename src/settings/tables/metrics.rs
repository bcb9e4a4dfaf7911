//! `[metrics]`

use std::fmt;
use std::net::SocketAddr;

use crate::settings::reader::Reader;

/// `[metrics]`
#[derive(Debug, Clone, Copy)]
pub struct MetricsSettings {
    /// Where metrics and health are served over HTTP; nowhere without.
    pub listen: Option<SocketAddr>,
}

/// An address, or nothing.
#[derive(Clone, Copy)]
struct Listen(Option<SocketAddr>);

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |address| address.fmt(formatter))
    }
}

pub(in crate::settings) fn read(reader: &mut Reader) -> MetricsSettings {
    let Listen(listen) = reader.text(
        "metrics.listen",
        Listen(Some(SocketAddr::from(([127, 0, 0, 1], 9464)))),
        "an address such as \"127.0.0.1:9464\", or \"\" for none",
        |text| match text {
            "" => Some(Listen(None)),
            text => text.parse().ok().map(|address| Listen(Some(address))),
        },
    );
    MetricsSettings { listen }
}
