//! What a served certificate's own counts prove: the certificate, computed once more.

use certimix::certificate::{
    Alpha, BoundMethod, FailureProbability, RadiusMethod, Sides, Sigma, SmoothedRadius, SmoothingPlan, Tally, certify,
};
use certimix::rpc::proto::{self, Certificate, CertificateMethod};

/// Recomputes the bounds and the radius of a smoothed certificate, and checks what was served against them.
#[track_caller]
pub fn assert_certificate(certificate: &Certificate, alpha: f64) {
    let proven = proven_radius(certificate, alpha);
    let loss = certificate.snapping_loss;
    let most = proven.radius - loss;
    assert!(
        certificate.radius <= most.max(0.0),
        "{certificate:?} is more than {proven:?}"
    );
    assert!(
        certificate.radius >= most - 1e-9 * proven.radius,
        "{certificate:?} wastes some of {proven:?}"
    );
    assert!(
        (certificate.lower_bound - proven.p_lower.value()).abs() < 1e-15,
        "{certificate:?} {proven:?}"
    );
    assert!(
        (certificate.upper_bound - proven.p_upper.value()).abs() < 1e-15,
        "{certificate:?} {proven:?}"
    );
    assert_eq!(certificate.noise_key.len(), 32);
}

/// What the counts prove.
pub fn proven_radius(certificate: &Certificate, alpha: f64) -> SmoothedRadius {
    let votes = certificate.votes;
    let plan = SmoothingPlan {
        alpha: Alpha::new(alpha).unwrap(),
        sigma: Sigma::new(certificate.sigma).unwrap(),
        radius_method: match certificate.method() {
            CertificateMethod::Tight => RadiusMethod::Tight,
            CertificateMethod::Theorem2 => RadiusMethod::Theorem2,
            other => panic!("{other:?} is not by votes"),
        },
        bound_method: match certificate.bound() {
            proto::BoundMethod::Anytime => BoundMethod::Anytime,
            proto::BoundMethod::ClopperPearson => BoundMethod::ClopperPearson { votes },
            proto::BoundMethod::Unspecified => panic!("no bound is named"),
        },
        failure_probability: FailureProbability::new(certificate.failure_probability).unwrap(),
        sides: if certificate.two_sided {
            Sides::TwoSided
        } else {
            Sides::OneSided
        },
        target_radius: (certificate.target_radius > 0.0).then_some(certificate.target_radius),
        total_variation: certificate.total_variation,
    };
    let tally = Tally {
        votes,
        votes_for_class: certificate.votes_for_class,
        votes_for_runner_up: certificate.votes_for_runner_up,
    };
    certify(&plan, tally).unwrap()
}
