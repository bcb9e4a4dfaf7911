//! `[traces]`: the receiver of spans, and the share of requests that are traced.

use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

/// `[traces]`
#[derive(Debug, Clone, PartialEq)]
pub struct TraceSettings {
    /// The OTLP receiver over gRPC, such as `http://127.0.0.1:4317`; `None` to create no spans.
    pub endpoint: Option<String>,
    /// Share of the requests without a trace context that are traced, 0 to 1. The other requests
    /// follow the sampling decision of their caller.
    pub sample_ratio: f64,
    /// The `service.name` of the spans.
    pub service_name: String,
}

pub(in crate::settings) fn read(reader: &mut Reader) -> TraceSettings {
    let endpoint = reader.text(
        SettingKey::restart_only("traces.endpoint", KeyScope::Operation, "Receiver of the spans.").secret(),
        String::new(),
        "an OTLP receiver over gRPC without TLS, such as \"http://127.0.0.1:4317\", or \"\" for no traces",
        |text| (text.is_empty() || is_endpoint(text)).then(|| text.to_owned()),
    );
    TraceSettings {
        endpoint: (!endpoint.is_empty()).then_some(endpoint),
        sample_ratio: reader.float(
            SettingKey::restart_only(
                "traces.sample_ratio", KeyScope::Operation,
                "Share of the requests without a trace context that are traced. The other requests follow their caller's sampling decision.",
            ),
            0.01,
            "a number from 0 to 1, the share of the requests whose caller does not trace",
            |ratio| (0.0..=1.0).contains(&ratio),
        ),
        service_name: reader.text(
            SettingKey::restart_only("traces.service_name", KeyScope::Operation, "The `service.name` of the spans."),
            "certimix".to_owned(),
            "a name of 1 to 255 characters",
            |text| (1..=255).contains(&text.chars().count()).then(|| text.to_owned()),
        ),
    }
}

/// `http://HOST:PORT`. The port is required: the default port of HTTP is 80, where no receiver
/// listens.
fn is_endpoint(text: &str) -> bool {
    let authority = text
        .strip_prefix("http://")
        .map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let Some((host, port)) = authority.and_then(|authority| authority.rsplit_once(':')) else {
        return false;
    };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._[]:".contains(letter);
    !host.is_empty() && host.chars().all(plain) && port.parse().is_ok_and(|port: u16| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_plain_http_with_a_port() {
        for valid in [
            "http://127.0.0.1:4317",
            "http://collector.monitoring:4317/",
            "http://[::1]:4317",
        ] {
            assert!(is_endpoint(valid), "{valid}");
        }
        for invalid in [
            "127.0.0.1:4317",
            "https://127.0.0.1:4317",
            "http://127.0.0.1",
            "http://127.0.0.1:0",
            "http://:4317",
            "http://host:4317/v1/traces",
            "http://user@host:4317",
            "http://a host:4317",
        ] {
            assert!(!is_endpoint(invalid), "{invalid}");
        }
    }
}
