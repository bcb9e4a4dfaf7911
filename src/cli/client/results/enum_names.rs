//! The enums of the wire as short lower-case words: `CERTIFICATE_STATUS_CERTIFIED` is "certified".

use crate::rpc::proto::{BoundMethod, CertificateBasis, CertificateMethod, CertificateStatus, Norm, StopReason};

/// A value of an enum that this client does not know keeps its number.
fn short(prefix: &str, name: Option<&'static str>, value: i32) -> String {
    match name {
        Some(name) => name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase(),
        None => format!("unknown_{value}"),
    }
}

/// "certified", "abstained", "unavailable".
pub(crate) fn status(value: i32) -> String {
    short(
        "CERTIFICATE_STATUS_",
        CertificateStatus::try_from(value).ok().map(|known| known.as_str_name()),
        value,
    )
}

/// "l1", "l2", "linf".
pub(crate) fn norm(value: i32) -> String {
    short(
        "NORM_",
        Norm::try_from(value).ok().map(|known| known.as_str_name()),
        value,
    )
}

/// "theorem1", "logit_lipschitz", "theorem2", "tight".
pub(crate) fn method(value: i32) -> String {
    short(
        "CERTIFICATE_METHOD_",
        CertificateMethod::try_from(value).ok().map(|known| known.as_str_name()),
        value,
    )
}

/// "proven", "claimed".
pub(crate) fn basis(value: i32) -> String {
    short(
        "CERTIFICATE_BASIS_",
        CertificateBasis::try_from(value).ok().map(|known| known.as_str_name()),
        value,
    )
}

/// "anytime", "clopper_pearson".
pub(crate) fn bound(value: i32) -> String {
    short(
        "BOUND_METHOD_",
        BoundMethod::try_from(value).ok().map(|known| known.as_str_name()),
        value,
    )
}

/// "target_reached", "target_out_of_reach", "vote_budget", "deadline", "not_sampled".
pub(crate) fn stop_reason(value: i32) -> String {
    short(
        "STOP_REASON_",
        StopReason::try_from(value).ok().map(|known| known.as_str_name()),
        value,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words() {
        assert_eq!(status(CertificateStatus::Certified.into()), "certified");
        assert_eq!(norm(Norm::Linf.into()), "linf");
        assert_eq!(method(CertificateMethod::LogitLipschitz.into()), "logit_lipschitz");
        assert_eq!(basis(CertificateBasis::Claimed.into()), "claimed");
        assert_eq!(bound(BoundMethod::ClopperPearson.into()), "clopper_pearson");
        assert_eq!(stop_reason(StopReason::TargetOutOfReach.into()), "target_out_of_reach");
        assert_eq!(norm(0), "unspecified");
        assert_eq!(norm(99), "unknown_99");
    }
}
