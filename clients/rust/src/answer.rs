//! An answer that one can act on.

use std::fmt;
use std::sync::Arc;

use crate::proto::{self, CertificateBasis, CertificateStatus, ClassSource};
use crate::{Certificate, CertifiedClass, Error, Norm, NotCertified, Provenance, Requirement, Timings};

/// The class of one input, and what is proven about it.
///
/// Ask [`class_if_certified`](Self::class_if_certified) for a class to act on. [`best_guess`](Self::best_guess) is the class
/// whether anything is proven about it or not, and has another type.
#[derive(Debug, Clone)]
pub struct Answer {
    certificate: Certificate,
    best_guess: u32,
    label: Arc<str>,
    message: proto::Prediction,
    provenance: Arc<Provenance>,
    timings: Option<Timings>,
    is_final: bool,
}

impl Answer {
    /// Whether every perturbation of norm `radius` or less provably leaves the class unchanged. `radius` is in the units of
    /// the float input. A certificate with a caveat counts as none, and so does a radius in another norm.
    ///
    /// False for a radius that is negative or not finite.
    #[must_use]
    pub fn certified_beyond(&self, radius: f64, norm: Norm) -> bool {
        self.why_not_beyond(radius, norm).is_none()
    }

    /// The class if it is [certified beyond](Self::certified_beyond) `radius`.
    #[must_use]
    pub fn class_if_certified(&self, radius: f64, norm: Norm) -> Option<CertifiedClass> {
        self.certified_class(&Requirement::beyond(radius, norm)).ok()
    }

    /// Why [`certified_beyond`](Self::certified_beyond) is false; `None` if it is true.
    #[must_use]
    pub fn why_not_beyond(&self, radius: f64, norm: Norm) -> Option<NotCertified> {
        self.check(&Requirement::beyond(radius, norm)).err()
    }

    /// The class if its certificate meets `requirement`.
    ///
    /// # Errors
    ///
    /// The reason why it does not, which is no failure of the call.
    pub fn certified_class(&self, requirement: &Requirement) -> Result<CertifiedClass, NotCertified> {
        self.check(requirement)?;
        Ok(CertifiedClass {
            index: self.best_guess,
            label: Arc::clone(&self.label),
            requirement: *requirement,
        })
    }

    /// The certified radius with its norm, in the units of the float input; `None` if nothing is certified, or with a caveat
    /// only.
    #[must_use]
    pub fn radius(&self) -> Option<(f64, Norm)> {
        let norm = self.certificate.norm?;
        self.certified_beyond(0.0, norm)
            .then_some((self.certificate.radius, norm))
    }

    fn check(&self, requirement: &Requirement) -> Result<(), NotCertified> {
        let Requirement { radius, norm, .. } = *requirement;
        if !(radius.is_finite() && radius >= 0.0) {
            return Err(NotCertified::InvalidRadius(radius));
        }
        let found = &self.certificate;
        let found_norm = match (found.status, found.norm) {
            (CertificateStatus::Certified, Some(found_norm)) => found_norm,
            (status, _) => {
                let reason = match found.reason.as_str() {
                    "" => "the server gives no reason",
                    reason => reason,
                };
                let reason = reason.to_owned();
                return Err(NotCertified::Status { status, reason });
            }
        };
        if !(found.caveat.is_empty() || requirement.accept_caveat) {
            return Err(NotCertified::Caveat(found.caveat.clone()));
        }
        if found_norm != norm {
            return Err(NotCertified::OtherNorm {
                expected: norm,
                found: found_norm,
            });
        }
        if requirement.require_proven && found.basis != CertificateBasis::Proven {
            return Err(NotCertified::NotProven);
        }
        if found.radius > radius {
            return Ok(());
        }
        Err(NotCertified::RadiusTooSmall {
            expected: radius,
            found: found.radius,
            norm,
        })
    }

    /// Every field of the certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The index of the class, certified or not. [`class_source`](Self::class_source) states where it comes from.
    #[must_use]
    pub fn best_guess(&self) -> u32 {
        self.best_guess
    }

    /// The label of [`best_guess`](Self::best_guess).
    #[must_use]
    pub fn best_guess_label(&self) -> &str {
        &self.label
    }

    /// Where the class comes from.
    #[must_use]
    pub fn class_source(&self) -> ClassSource {
        self.message.class_source()
    }

    /// `[K]`: log-probabilities of the mixture. Their largest entry may belong to another class than the answer's.
    #[must_use]
    pub fn mixed_logits(&self) -> &[f32] {
        &self.message.mixed_logits
    }

    /// The weight of the robust model in [`mixed_logits`](Self::mixed_logits); `None` from servers of earlier versions.
    #[must_use]
    pub fn robust_weight(&self) -> Option<f64> {
        self.message.robust_weight
    }

    /// The class that the standard model alone would return.
    #[must_use]
    pub fn standard_guess(&self) -> u32 {
        self.message.standard_class_index
    }

    /// The class that the robust model alone would return.
    #[must_use]
    pub fn robust_guess(&self) -> u32 {
        self.message.robust_class_index
    }

    /// `[K]`: the standard model's probabilities, if the call asked for the components.
    #[must_use]
    pub fn standard_probabilities(&self) -> Option<&[f32]> {
        Some(self.message.standard_probabilities.as_slice()).filter(|values| !values.is_empty())
    }

    /// `[K]`: the robust model's probabilities, if the call asked for the components.
    #[must_use]
    pub fn robust_probabilities(&self) -> Option<&[f32]> {
        Some(self.message.robust_probabilities.as_slice()).filter(|values| !values.is_empty())
    }

    /// The configuration that produced the answer.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Where the time went; `None` in the answers of a `CertifyStream` before the final one.
    #[must_use]
    pub fn timings(&self) -> Option<&Timings> {
        self.timings.as_ref()
    }

    /// False in the answers of a `CertifyStream` before the final one.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.is_final
    }

    /// The answer as the server sent it.
    #[must_use]
    pub fn message(&self) -> &proto::Prediction {
        &self.message
    }

    /// The answer of a message.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MalformedAnswer`](crate::ErrorKind::MalformedAnswer) if the message calls a class certified and
    /// contradicts that.
    pub(crate) fn from_message(
        message: proto::Prediction,
        provenance: Arc<Provenance>,
        timings: Option<Timings>,
        is_final: bool,
    ) -> Result<Self, Error> {
        let certificate = Certificate::from_message(message.certificate.clone().unwrap_or_default())?;
        if certificate.status == CertificateStatus::Certified {
            check_certified(&message)?;
        }
        Ok(Self {
            certificate,
            best_guess: message.class_index,
            label: message.label.as_str().into(),
            message,
            provenance,
            timings,
            is_final,
        })
    }
}

/// Checks what a certified prediction says about its class.
fn check_certified(message: &proto::Prediction) -> Result<(), Error> {
    // Servers of earlier versions do not set the source. A number that this client does not know contradicts it.
    if message.class_source != 0 && message.class_source() != ClassSource::Certificate {
        return Err(Error::malformed(
            "a CERTIFIED answer has a class that is not the certificate's",
        ));
    }
    let (class, classes) = (message.class_index, message.mixed_logits.len());
    if !usize::try_from(class).is_ok_and(|class| class < classes) {
        return Err(Error::malformed(format!("the class {class} is none of {classes}")));
    }
    if !message.mixed_logits.iter().all(|logit| logit.is_finite()) {
        return Err(Error::malformed(
            "a CERTIFIED answer has a mixed logit that is not finite",
        ));
    }
    for values in [&message.standard_probabilities, &message.robust_probabilities] {
        if !values.is_empty() && values.len() != classes {
            let found = values.len();
            return Err(Error::malformed(format!(
                "expected probabilities of {classes} classes, found {found}"
            )));
        }
    }
    Ok(())
}

/// One line for a log.
impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = &self.label;
        let norm = self.certificate.norm.unwrap_or(Norm::L2);
        if let Some(reason) = self.why_not_beyond(0.0, norm) {
            return write!(formatter, "not certified, best guess '{label}': {reason}");
        }
        // Rounded down: a line of a log must not promise more than the certificate.
        let radius = (self.certificate.radius * 1e4).floor() / 1e4;
        write!(
            formatter,
            "'{label}', certified within {radius:.4} ({norm}, units of the float input"
        )?;
        formatter.write_str(match self.certificate.basis {
            CertificateBasis::Proven => ")",
            _ => ", claimed)",
        })
    }
}

#[cfg(test)]
mod tests;
