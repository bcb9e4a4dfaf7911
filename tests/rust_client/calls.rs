//! Every call over TCP and the Unix socket.

use certimix_client::{
    Answer, CertificateBasis, CertificateStatus, CertifyOptions, Client, Error, ErrorKind, Norm, NotCertified,
    PredictOptions, Priority, Requirement, Tensor,
};

use crate::support::inputs::{PATIENCE, batch, clear_input, patient};
use crate::support::server_process::ServerProcess;

const RADIUS: f64 = 0.01;

fn start() -> ServerProcess {
    ServerProcess::start(&[("mixture.shadow_alphas", "[0.6, 0.9]"), ("mixture.alpha", "0.76")])
}

async fn clients(server: &ServerProcess) -> Vec<Client> {
    let mut clients = Vec::new();
    for address in server.addresses() {
        clients.push(patient(&address).connect().await.unwrap());
    }
    clients
}

#[track_caller]
fn check_batch(answers: &[Answer]) {
    let [clear, border] = answers else {
        panic!("{answers:?}")
    };
    assert!(clear.certified_beyond(RADIUS, Norm::L2));
    assert!(!clear.certified_beyond(RADIUS, Norm::Linf));
    let class = clear.class_if_certified(RADIUS, Norm::L2).unwrap();
    assert_eq!(
        (class.index(), class.label()),
        (clear.best_guess(), clear.best_guess_label())
    );
    assert_eq!(clear.certificate().basis, CertificateBasis::Claimed);
    let proven = Requirement::beyond(RADIUS, Norm::L2).require_proven();
    assert_eq!(clear.certified_class(&proven), Err(NotCertified::NotProven));

    assert_eq!(border.class_if_certified(0.0, Norm::L2), None);
    assert_eq!(border.certificate().status, CertificateStatus::Abstained);
    let reason = border.why_not_beyond(0.0, Norm::L2).unwrap().to_string();
    assert!(reason.starts_with("ABSTAINED: ") && reason.len() > 20, "{reason}");

    let times = clear.timings().unwrap();
    assert_eq!(times.deadline, PATIENCE);
    assert!(
        !times.server.is_zero() && times.server >= times.queue && times.round_trip >= times.server,
        "{times:?}"
    );
    assert_eq!(clear.mixed_logits().len(), 3);
    let sum: f32 = clear.mixed_logits().iter().map(|logit| logit.exp()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
}

fn fields(error: &Error) -> Vec<&str> {
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    error
        .violations()
        .iter()
        .map(|violation| violation.field.as_str())
        .collect()
}

#[tokio::test]
async fn predictions_are_certified_over_each_transport() {
    let server = start();
    for client in clients(&server).await {
        check_batch(
            &client
                .predict_batch(&batch(), &PredictOptions::default())
                .await
                .unwrap(),
        );
        let options = PredictOptions::default().components().priority(Priority::Bulk);
        let answer = client.predict_with(&clear_input(), &options).await.unwrap();
        assert!(answer.certified_beyond(0.0, Norm::L2));
        assert_eq!(answer.provenance().alpha, 0.76);
        for values in [answer.standard_probabilities(), answer.robust_probabilities()] {
            let sum: f32 = values.unwrap().iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        }
        let text = client.predict(&clear_input()).await.unwrap().to_string();
        assert!(
            text.starts_with("'left', certified within") && text.ends_with("claimed)"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_stream_answers_requests_of_several_tasks() {
    let server = start();
    for client in clients(&server).await {
        let stream = client.predict_stream();
        assert_eq!(stream.deadline(), PATIENCE);
        for _ in 0..20 {
            check_batch(
                &stream
                    .predict_batch(&batch(), &PredictOptions::default())
                    .await
                    .unwrap(),
            );
        }
        let (input, wrong) = (clear_input(), Tensor::float32(&[3], &[0.0; 3]).unwrap());
        let (first, second, third) =
            tokio::join!(stream.predict(&input), stream.predict(&wrong), stream.predict(&input));
        assert!(first.unwrap().certified_beyond(RADIUS, Norm::L2));
        assert!(fields(&second.unwrap_err()).contains(&"inputs.shape"));
        assert!(third.unwrap().certified_beyond(RADIUS, Norm::L2));
    }
}

#[tokio::test]
async fn certifications_and_their_streams_are_answered() {
    let server = start();
    for client in clients(&server).await {
        let options = CertifyOptions::default();
        check_batch(&client.certify_batch(&batch(), &options).await.unwrap());
        let answer = client
            .certify(&clear_input(), &options.priority(Priority::Bulk))
            .await
            .unwrap();
        assert!(answer.certified_beyond(RADIUS, Norm::L2));
        let mut stream = client.certify_stream(&clear_input(), &options).await.unwrap();
        let mut last = None;
        while let Some(answer) = stream.next().await.unwrap() {
            last = Some(answer);
        }
        let last = last.unwrap();
        assert!(last.is_final() && last.certified_beyond(RADIUS, Norm::L2));
        assert!(stream.next().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn info_and_the_shadow_report_are_read() {
    let server = start();
    for client in clients(&server).await {
        let info = client.info().await.unwrap();
        assert_eq!(info.labels, ["left", "middle", "right"]);
        assert_eq!(info.input_shape, [4]);
        assert_eq!((info.input_low, info.input_high), (-1.0, 1.0));
        assert_eq!((info.norm, info.basis), (Some(Norm::L2), CertificateBasis::Claimed));
        assert!(info.message.config.is_some());
        let report = client.shadow_report().await.unwrap();
        let alphas: Vec<f64> = report.candidates.iter().map(|row| row.alpha).collect();
        assert_eq!(alphas, [0.6, 0.9]);
        assert_eq!(report.serving.unwrap().alpha, 0.76);
    }
}

#[tokio::test]
async fn violations_name_every_field() {
    let server = start();
    for client in clients(&server).await {
        let wrong = Tensor::float32(&[3], &[2.0; 3]).unwrap();
        for error in [
            client.predict(&wrong).await.unwrap_err(),
            client.predict_stream().predict(&wrong).await.unwrap_err(),
        ] {
            assert!(fields(&error).contains(&"inputs.shape"), "{error}");
        }
        let options = CertifyOptions::default().target_radius(-1.0).failure_probability(0.9);
        let error = client.certify(&clear_input(), &options).await.unwrap_err();
        let found = fields(&error);
        assert!(
            found.contains(&"target_radius") && found.contains(&"failure_probability"),
            "{error}"
        );
        assert!(error.request_id().is_some_and(|id| !id.is_empty()), "{error}");
        assert!(error.to_string().starts_with("INVALID_ARGUMENT: "), "{error}");
        for deadline in [std::time::Duration::ZERO, std::time::Duration::MAX] {
            let hasty = client.with_deadline(deadline);
            for error in [
                hasty.predict(&clear_input()).await.unwrap_err(),
                hasty.predict_stream().predict(&clear_input()).await.unwrap_err(),
                hasty
                    .certify_stream(&clear_input(), &CertifyOptions::default())
                    .await
                    .unwrap_err(),
                hasty.info().await.unwrap_err(),
            ] {
                assert_eq!(fields(&error), ["deadline"]);
            }
        }
    }
}

/// A future that a task of a multi-threaded runtime can run.
#[tokio::test]
async fn calls_can_be_spawned() {
    let server = start();
    let client = patient(&server.unix()).connect().await.unwrap();
    let calls = (0..4).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            let stream = client.predict_stream();
            let first = client.predict(&clear_input()).await?;
            let second = stream.predict(&clear_input()).await?;
            let mut third = client
                .certify_stream(&clear_input(), &CertifyOptions::default())
                .await?;
            third.next().await?;
            client.info().await?;
            Ok::<_, Error>((first.best_guess(), second.best_guess()))
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap(), (0, 0));
    }
}
