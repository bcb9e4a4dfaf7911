//! `log.filter`: what is logged, within what may be.
//!
//! A log must never hold what a caller sent. For our own lines we see to that; what the crates underneath write when they
//! debug is theirs to change. Today h2 prints every frame without its payload, and a GOAWAY with the peer's own bytes. So their
//! lines end at `info`, whatever the filter says, and a filter that asks for more is refused rather than half obeyed.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// The one crate whose lines below `info` are known.
const OURS: &str = "certimix";

/// What a filter should have been.
pub const EXPECTED_FILTER: &str = "a filter such as \"info\" or \"certimix=debug,warn\"; other crates than certimix log at info at most, because their debugging could show what callers sent";

/// Reads a filter; none if it is not one, or asks other crates for more than `info`.
#[must_use]
pub fn parse_log_filter(text: &str) -> Option<Targets> {
    let filter: Targets = text.parse().ok()?;
    let allowed = |(target, level): (&str, LevelFilter)| is_ours(target) || level <= LevelFilter::INFO;
    filter.iter().all(allowed).then_some(filter)
}

/// The most that may be logged. A filter without a target, such as `debug`, is cut to this.
#[must_use]
pub fn log_ceiling() -> Targets {
    Targets::new()
        .with_target(OURS, LevelFilter::TRACE)
        .with_default(LevelFilter::INFO)
}

/// Targets match by their beginning: `certimix` covers `certimix::request`, and `certi` would cover others besides.
fn is_ours(target: &str) -> bool {
    target
        .strip_prefix(OURS)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_crates_debug_cannot_be_asked_for() {
        for right in [
            "info",
            "trace",
            "certimix=trace,warn",
            "certimix::request=debug",
            "h2=info,off",
            "h2=warn",
        ] {
            assert!(parse_log_filter(right).is_some(), "{right}");
        }
        for wrong in [
            "h2=debug",
            "info,tonic=trace",
            "certi=debug",
            "certimix2=trace",
            "a=b=c",
            "certimix=loud",
        ] {
            assert!(parse_log_filter(wrong).is_none(), "{wrong}");
        }
    }
}
