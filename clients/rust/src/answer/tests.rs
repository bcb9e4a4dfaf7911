use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::ErrorKind;

const NORMS: [Norm; 3] = [Norm::L1, Norm::L2, Norm::Linf];

fn certified(radius: f64) -> proto::Prediction {
    proto::Prediction {
        class_index: 1,
        label: "middle".to_owned(),
        mixed_logits: vec![-3.0, -0.1, -3.0],
        class_source: ClassSource::Certificate.into(),
        certificate: Some(proto::Certificate {
            status: CertificateStatus::Certified.into(),
            radius,
            norm: proto::Norm::L2.into(),
            basis: CertificateBasis::Proven.into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn abstained() -> proto::Prediction {
    proto::Prediction {
        class_index: 2,
        label: "right".to_owned(),
        mixed_logits: vec![-1.0; 3],
        certificate: Some(proto::Certificate {
            status: CertificateStatus::Abstained.into(),
            norm: proto::Norm::L2.into(),
            reason: "the robust model is unsure".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// `message` with another certificate.
fn with(mut message: proto::Prediction, change: impl FnOnce(&mut proto::Certificate)) -> proto::Prediction {
    change(message.certificate.as_mut().unwrap());
    message
}

fn answer(message: proto::Prediction) -> Result<Answer, Error> {
    let provenance = Arc::new(proto::Provenance::default().into());
    Answer::from_message(message, provenance, None, true)
}

#[test]
fn a_certified_class_is_returned_below_its_radius_only() {
    let found = answer(certified(0.25)).unwrap();
    assert_eq!(found.radius(), Some((0.25, Norm::L2)));
    for (radius, is_certified) in [(0.0, true), (0.25_f64.next_down(), true), (0.25, false), (0.3, false)] {
        assert_eq!(found.certified_beyond(radius, Norm::L2), is_certified, "{radius}");
        assert_eq!(
            found.class_if_certified(radius, Norm::L2).is_some(),
            is_certified,
            "{radius}"
        );
        assert_eq!(
            found.why_not_beyond(radius, Norm::L2).is_none(),
            is_certified,
            "{radius}"
        );
    }
    let class = found.class_if_certified(0.1, Norm::L2).unwrap();
    assert_eq!((class.index(), class.label()), (1, "middle"));
    assert_eq!(class.requirement(), Requirement::beyond(0.1, Norm::L2));
    let reason = found.why_not_beyond(0.3, Norm::L2).unwrap().to_string();
    assert_eq!(reason, "the certified radius 0.250000 (l2) is not larger than 0.300000");
}

#[test]
fn an_abstention_is_never_a_certified_class() {
    let found = answer(abstained()).unwrap();
    assert!(!found.certified_beyond(0.0, Norm::L2));
    assert_eq!(found.class_if_certified(0.0, Norm::L2), None);
    assert_eq!(found.radius(), None);
    let reason = found.why_not_beyond(0.0, Norm::L2).unwrap().to_string();
    assert_eq!(reason, "ABSTAINED: the robust model is unsure");
    assert_eq!((found.best_guess(), found.best_guess_label()), (2, "right"));
    assert!(
        found
            .to_string()
            .starts_with("not certified, best guess 'right': ABSTAINED")
    );
    let unavailable = with(abstained(), |proof| {
        proof.status = CertificateStatus::Unavailable.into()
    });
    assert_eq!(answer(unavailable).unwrap().class_if_certified(0.0, Norm::L2), None);
}

#[test]
fn a_radius_of_another_norm_certifies_nothing() {
    let found = answer(certified(0.25)).unwrap();
    for norm in [Norm::L1, Norm::Linf] {
        assert_eq!(found.class_if_certified(0.1, norm), None);
        let reason = found.why_not_beyond(0.1, norm).unwrap();
        assert_eq!(
            reason.to_string(),
            format!("the radius is in the norm l2, not in {norm}")
        );
    }
}

#[test]
fn a_claim_is_visible_and_can_be_refused() {
    let requirement = Requirement::beyond(0.1, Norm::L2).require_proven();
    for basis in [CertificateBasis::Claimed, CertificateBasis::Unspecified] {
        let found = answer(with(certified(0.25), |proof| proof.basis = basis.into())).unwrap();
        assert!(found.certified_beyond(0.1, Norm::L2));
        assert_eq!(found.certified_class(&requirement), Err(NotCertified::NotProven));
        assert!(found.to_string().ends_with("claimed)"), "{found}");
    }
    assert!(answer(certified(0.25)).unwrap().certified_class(&requirement).is_ok());
}

#[test]
fn a_caveat_certifies_nothing_unless_accepted() {
    let caveat = "a model is not a function of its input";
    let found = answer(with(certified(0.25), |proof| proof.caveat = caveat.to_owned())).unwrap();
    assert_eq!(found.class_if_certified(0.1, Norm::L2), None);
    assert_eq!(found.radius(), None);
    let requirement = Requirement::beyond(0.1, Norm::L2);
    assert_eq!(
        found.certified_class(&requirement),
        Err(NotCertified::Caveat(caveat.to_owned()))
    );
    assert!(found.certified_class(&requirement.accept_caveat()).is_ok());
}

#[test]
fn a_wrong_radius_is_never_certified() {
    for radius in [-0.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let found = answer(certified(0.25)).unwrap();
        assert_eq!(found.class_if_certified(radius, Norm::L2), None);
        let reason = found.why_not_beyond(radius, Norm::L2);
        assert!(matches!(reason, Some(NotCertified::InvalidRadius(_))), "{reason:?}");
    }
}

#[test]
fn a_status_of_a_later_server_certifies_nothing() {
    let found = answer(with(certified(0.25), |proof| proof.status = 17)).unwrap();
    assert_eq!(found.certificate().status, CertificateStatus::Unspecified);
    assert_eq!(found.class_if_certified(0.0, Norm::L2), None);
    let without_certificate = proto::Prediction {
        certificate: None,
        ..certified(0.25)
    };
    assert_eq!(
        answer(without_certificate).unwrap().class_if_certified(0.0, Norm::L2),
        None
    );
}

#[test]
fn a_contradiction_is_an_error() {
    let mut wrong = Vec::new();
    for radius in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        wrong.push(certified(radius));
    }
    for norm in [0, 9] {
        wrong.push(with(certified(0.25), |proof| proof.norm = norm));
    }
    for class_source in [ClassSource::Mixture.into(), ClassSource::StandardModel.into(), 9] {
        wrong.push(proto::Prediction {
            class_source,
            ..certified(0.25)
        });
    }
    for class_index in [3, u32::MAX] {
        wrong.push(proto::Prediction {
            class_index,
            ..certified(0.25)
        });
    }
    for mixed_logits in [
        vec![],
        vec![0.0],
        vec![f32::NAN, -0.1, 0.0],
        vec![0.0, f32::NEG_INFINITY, 0.0],
    ] {
        wrong.push(proto::Prediction {
            mixed_logits,
            ..certified(0.25)
        });
    }
    for count in [1, 2, 4] {
        wrong.push(proto::Prediction {
            standard_probabilities: vec![0.25; count],
            ..certified(0.25)
        });
        wrong.push(proto::Prediction {
            robust_probabilities: vec![0.25; count],
            ..certified(0.25)
        });
    }
    for message in wrong {
        let found = answer(message.clone()).map(|found| found.to_string());
        assert_eq!(
            found.map_err(|error| error.kind()),
            Err(ErrorKind::MalformedAnswer),
            "{message:?}"
        );
    }
}

#[test]
fn text_names_the_norm_and_the_units_and_does_not_round_up() {
    let text = answer(certified(0.25)).unwrap().to_string();
    assert_eq!(text, "'middle', certified within 0.2500 (l2, units of the float input)");
    let text = answer(certified(0.249_99)).unwrap().to_string();
    assert!(text.contains("within 0.2499 "), "{text}");
}

#[test]
fn probabilities_are_there_if_they_were_asked_for() {
    let found = answer(proto::Prediction {
        robust_probabilities: vec![0.0, 1.0, 0.0],
        ..certified(0.25)
    });
    let found = found.unwrap();
    assert_eq!(found.standard_probabilities(), None);
    assert_eq!(found.robust_probabilities(), Some(&[0.0, 1.0, 0.0][..]));
}

/// Radii with their corners.
fn radii() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), 0.0..2.0_f64, Just(0.0), Just(f64::MIN_POSITIVE)]
}

/// `usual` in most cases.
fn mostly<T: Clone + std::fmt::Debug + 'static>(
    usual: T,
    others: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = T> {
    prop_oneof![6 => Just(usual), 1 => others]
}

/// Predictions of which about a third are certified, and the others contradict that somewhere.
fn predictions() -> impl Strategy<Value = proto::Prediction> {
    let proof = (
        mostly(1, 0..5_i32),
        radii(),
        mostly(2, 0..5_i32),
        0..4_i32,
        mostly("", Just("a caveat")),
    );
    let logits = prop::collection::vec(mostly(-0.5, any::<f32>()), 0..5);
    let class = (mostly(0, 0..5_u32), mostly(vec![-1.0; 3], logits), mostly(1, 0..5_i32));
    let probabilities = mostly(0, 0..5_usize);
    (proof, class, probabilities).prop_map(|(proof, class, probabilities)| {
        let (status, radius, norm, basis, caveat) = proof;
        let (class_index, mixed_logits, class_source) = class;
        proto::Prediction {
            class_index,
            mixed_logits,
            class_source,
            robust_probabilities: vec![0.25; probabilities],
            certificate: Some(proto::Certificate {
                status,
                radius,
                norm,
                basis,
                caveat: caveat.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        }
    })
}

/// Whether the raw message supports what was asked, written without the client's own types.
fn supports(message: &proto::Prediction, requirement: &Requirement) -> bool {
    let Some(proof) = &message.certificate else {
        return false;
    };
    let norm = match requirement.norm {
        Norm::L1 => 1,
        Norm::L2 => 2,
        Norm::Linf => 3,
    };
    proof.status == 1
        && proof.norm == norm
        && (0.0..=f64::MAX).contains(&requirement.radius)
        && (requirement.radius..=f64::MAX).contains(&proof.radius)
        && proof.radius > requirement.radius
        && (proof.caveat.is_empty() || requirement.accept_caveat)
        && (proof.basis == 1 || !requirement.require_proven)
        && [0, 1].contains(&message.class_source)
        && u32::try_from(message.mixed_logits.len()).unwrap() > message.class_index
}

fn check_every_question(message: &proto::Prediction, radius: f64) -> Result<(), TestCaseError> {
    let Ok(found) = answer(message.clone()) else {
        return Ok(());
    };
    for norm in NORMS {
        let plain = Requirement::beyond(radius, norm);
        for requirement in [
            plain,
            plain.require_proven(),
            plain.accept_caveat(),
            plain.require_proven().accept_caveat(),
        ] {
            match found.certified_class(&requirement) {
                Ok(class) => {
                    prop_assert!(supports(message, &requirement), "{requirement:?} {message:?}");
                    prop_assert_eq!(class.index(), message.class_index);
                }
                Err(reason) => {
                    prop_assert!(!supports(message, &requirement), "{reason} {requirement:?} {message:?}");
                    prop_assert!(!reason.to_string().is_empty());
                }
            }
        }
        prop_assert_eq!(
            found.certified_beyond(radius, norm),
            found.certified_class(&plain).is_ok()
        );
        prop_assert_eq!(
            found.class_if_certified(radius, norm),
            found.certified_class(&plain).ok()
        );
    }
    if let Some((radius, norm)) = found.radius() {
        prop_assert!(radius > 0.0 && radius.is_finite());
        prop_assert!(found.certified_beyond(0.0, norm) && !found.certified_beyond(radius, norm));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn a_certified_class_has_a_message_that_certifies_it(message in predictions(), radius in radii()) {
        check_every_question(&message, radius)?;
    }

    #[test]
    fn damaged_bytes_never_certify_more_than_they_say(
        radius in 0.0..1.0_f64,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = certified(0.5).encode_to_vec();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Ok(message) = proto::Prediction::decode(&bytes[..]) {
            check_every_question(&message, radius)?;
        }
    }
}
