//! `log.filter`: which lines are logged, within a fixed maximum.
//!
//! A log must never contain data that a caller sent. The lines of this crate are written
//! accordingly. The debug lines of dependencies are not under our control: h2 logs every frame
//! without its payload, and a GOAWAY frame with the peer's bytes. So dependencies log at `info` at
//! most, and a filter that requests more is rejected rather than applied in part.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// The only crate that may log below `info`.
const OWN_CRATE: &str = "certimix";

/// h2 warns of each invalid frame, so a peer could fill the log. `certimix::rpc::connections` logs
/// the connections that end for it.
const HTTP2_CRATE: &str = "h2";

/// notify warns when it ends the watch of a deleted folder a second time, which every update of a
/// ConfigMap can cause. `certimix::live` logs the folders that cannot be watched, and polls them.
const WATCH_CRATE: &str = "notify";

/// The accepted filters, as error messages name them.
pub const EXPECTED_FILTER: &str = "a filter such as \"info\" or \"certimix=debug,warn\"; other crates than certimix log at info at most, because their debugging could show what callers sent";

/// Parses a filter. Returns `None` for an invalid filter, and for one that sets another crate below
/// `info`.
#[must_use]
pub fn parse_log_filter(text: &str) -> Option<Targets> {
    let filter: Targets = text.parse().ok()?;
    let allowed = |(target, level): (&str, LevelFilter)| is_own(target) || level <= LevelFilter::INFO;
    filter.iter().all(allowed).then_some(filter)
}

/// The most verbose levels that any filter can enable. A filter without a target, such as `debug`,
/// is capped by them.
#[must_use]
pub fn log_ceiling() -> Targets {
    Targets::new()
        .with_target(OWN_CRATE, LevelFilter::TRACE)
        .with_target(HTTP2_CRATE, LevelFilter::ERROR)
        .with_target(WATCH_CRATE, LevelFilter::ERROR)
        .with_default(LevelFilter::INFO)
}

/// Whether a target covers this crate only. Targets match by prefix: `certimix` covers
/// `certimix::request`, and `certi` would also cover other crates.
fn is_own(target: &str) -> bool {
    target
        .strip_prefix(OWN_CRATE)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_make_h2_write_lines() {
        let ceiling = log_ceiling();
        assert!(!ceiling.would_enable("h2::proto::ping_pong", &tracing::Level::WARN));
        assert!(ceiling.would_enable("hyper", &tracing::Level::WARN));
    }

    #[test]
    fn an_update_of_a_config_map_writes_no_warning() {
        assert!(!log_ceiling().would_enable("notify::inotify", &tracing::Level::WARN));
    }

    #[test]
    fn other_crates_cannot_log_below_info() {
        for valid in [
            "info",
            "trace",
            "certimix=trace,warn",
            "certimix::request=debug",
            "h2=info,off",
            "h2=warn",
        ] {
            assert!(parse_log_filter(valid).is_some(), "{valid}");
        }
        for invalid in [
            "h2=debug",
            "info,tonic=trace",
            "certi=debug",
            "certimix2=trace",
            "a=b=c",
            "certimix=loud",
        ] {
            assert!(parse_log_filter(invalid).is_none(), "{invalid}");
        }
    }
}
