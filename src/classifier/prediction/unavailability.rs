//! Whether a pair of models and their settings can certify any input at all.

use crate::certificate::Alpha;
use crate::domain::ModelGuarantee;

/// Returns whether an input can be certified with this guarantee and this alpha.
pub(in crate::classifier) fn can_certify(guarantee: &ModelGuarantee, alpha: Alpha) -> bool {
    *guarantee != ModelGuarantee::None && alpha.can_certify()
}

/// Returns the reason why no input can be certified with this guarantee and this alpha. Returns
/// `None` if an input can be certified.
pub(in crate::classifier) fn unavailable_reason(guarantee: &ModelGuarantee, alpha: Alpha) -> Option<String> {
    if can_certify(guarantee, alpha) {
        return None;
    }
    if *guarantee == ModelGuarantee::None {
        return Some("nothing is proven about the robust model".to_owned());
    }
    Some(if alpha.get() >= 0.5 {
        "alpha = 0.5 is exactly 1/2: a certificate would need a robust probability of exactly 1 on a whole ball, and \
         no ball has it"
            .to_owned()
    } else {
        format!(
            "alpha = {} is below 1/2: the standard model can overrule the robust model",
            alpha.get()
        )
    })
}
