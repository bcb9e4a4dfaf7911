//! The wire's enums as short lower-case names: `CERTIFICATE_STATUS_CERTIFIED` becomes "certified".

use crate::rpc::proto::{
    AbstentionReason, BoundMethod, CertificateBasis, CertificateMethod, CertificateStatus, ClassSource, DataType, Norm,
    StopReason,
};

/// Removes the prefix. A value that this client does not know keeps its number: "unknown_99".
fn short_name(prefix: &str, name: Option<&'static str>, value: i32) -> String {
    match name {
        Some(name) => name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase(),
        None => format!("unknown_{value}"),
    }
}

/// "certified", "abstained", "unavailable".
pub(super) fn status_name(value: i32) -> String {
    let known = CertificateStatus::try_from(value).ok();
    short_name("CERTIFICATE_STATUS_", known.map(|known| known.as_str_name()), value)
}

/// "l1", "l2", "linf".
pub(in crate::cli::client) fn norm_name(value: i32) -> String {
    let known = Norm::try_from(value).ok();
    short_name("NORM_", known.map(|known| known.as_str_name()), value)
}

/// "theorem1", "logit_lipschitz", "theorem2", "tight".
pub(in crate::cli::client) fn method_name(value: i32) -> String {
    let known = CertificateMethod::try_from(value).ok();
    short_name("CERTIFICATE_METHOD_", known.map(|known| known.as_str_name()), value)
}

/// "proven", "claimed".
pub(in crate::cli::client) fn basis_name(value: i32) -> String {
    let known = CertificateBasis::try_from(value).ok();
    short_name("CERTIFICATE_BASIS_", known.map(|known| known.as_str_name()), value)
}

/// "anytime", "clopper_pearson".
pub(in crate::cli::client) fn bound_name(value: i32) -> String {
    let known = BoundMethod::try_from(value).ok();
    short_name("BOUND_METHOD_", known.map(|known| known.as_str_name()), value)
}

/// "target_reached", "target_out_of_reach", "vote_budget", "deadline", "not_sampled",
/// "class_settled".
pub(super) fn stop_reason_name(value: i32) -> String {
    let known = StopReason::try_from(value).ok();
    short_name("STOP_REASON_", known.map(|known| known.as_str_name()), value)
}

/// "robust_model_unsure", "too_few_votes", "deadline", "snapping_loss"; empty without an abstention.
pub(super) fn abstention_reason_name(value: i32) -> String {
    if value == AbstentionReason::Unspecified as i32 {
        return String::new();
    }
    let known = AbstentionReason::try_from(value).ok();
    short_name("ABSTENTION_REASON_", known.map(|known| known.as_str_name()), value)
}

/// "certificate", "mixture", "standard_model".
pub(super) fn class_source_name(value: i32) -> String {
    let known = ClassSource::try_from(value).ok();
    short_name("CLASS_SOURCE_", known.map(|known| known.as_str_name()), value)
}

/// "uint8", "float32".
pub(super) fn dtype_name(dtype: DataType) -> &'static str {
    match dtype {
        DataType::Uint8 => "uint8",
        DataType::Float32 => "float32",
        DataType::Unspecified => "unspecified",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_lower_case() {
        assert_eq!(status_name(CertificateStatus::Certified.into()), "certified");
        assert_eq!(norm_name(Norm::Linf.into()), "linf");
        assert_eq!(method_name(CertificateMethod::LogitLipschitz.into()), "logit_lipschitz");
        assert_eq!(basis_name(CertificateBasis::Claimed.into()), "claimed");
        assert_eq!(bound_name(BoundMethod::ClopperPearson.into()), "clopper_pearson");
        assert_eq!(
            stop_reason_name(StopReason::TargetOutOfReach.into()),
            "target_out_of_reach"
        );
        assert_eq!(norm_name(0), "unspecified");
        assert_eq!(norm_name(99), "unknown_99");
    }
}
