//! No tensor, however odd, gets anything but an answer or an INVALID_ARGUMENT.

use certimix::rpc::proto::{CertifyRequest, Tensor};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tonic::Code;

use crate::support::messages::{certify_request, floats, violated_fields};
use crate::support::{Setup, TestServer, messages};

/// Lengths that a shape may go wrong with, the right ones among them.
fn lengths() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(2),
        Just(4),
        Just(5),
        Just(i64::MAX),
        Just(i64::MIN),
        Just(1 << 32),
        any::<i64>()
    ]
}

fn tensors() -> impl Strategy<Value = Tensor> {
    let shape = prop_oneof![
        prop::collection::vec(lengths(), 0..5),
        (1..4i64).prop_map(|rows| vec![rows, 4])
    ];
    let values = prop::collection::vec(prop_oneof![-1.0f32..1.0, any::<f32>()], 0..16);
    let data = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        values.prop_map(|values| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()),
    ];
    let dtype = prop_oneof![0..4i32, any::<i32>()];
    (dtype, shape, data).prop_map(|(dtype, shape, data)| Tensor {
        dtype,
        shape,
        data: data.into(),
    })
}

/// Well-formed floats, so that the fuzz also gets through.
fn fitting() -> impl Strategy<Value = Tensor> {
    prop::collection::vec(prop::array::uniform4(-1.0f32..=1.0), 1..4).prop_map(|rows| floats(&rows))
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: 256,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn any_tensor_is_answered_or_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let setup = Setup::pair("linear_g", "linear_h").with("server.max_inputs", 3);
    let server = runtime.block_on(TestServer::start(setup));
    let client = runtime.block_on(server.client());
    let strategy = prop_oneof![3 => tensors(), 1 => fitting()];
    let (answered, refused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    runner()
        .run(&strategy, |tensor| {
            let rows = tensor.shape.first().copied();
            match runtime.block_on(client.clone().predict(messages::predict_request(tensor))) {
                Ok(answer) => {
                    answered.set(answered.get() + 1);
                    let predictions = answer.into_inner().predictions;
                    prop_assert_eq!(i64::try_from(predictions.len()).ok(), rows);
                    prop_assert!(
                        predictions
                            .iter()
                            .flat_map(|found| &found.mixed_logits)
                            .all(|f| f.is_finite() && *f <= 1e-6)
                    );
                }
                Err(status) => {
                    refused.set(refused.get() + 1);
                    prop_assert_eq!(status.code(), Code::InvalidArgument, "{}", status);
                    prop_assert!(violated_fields(&status).iter().all(|field| field.starts_with("inputs")));
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(
        answered.get() > 20 && refused.get() > 20,
        "{answered:?} answered, {refused:?} refused"
    );
    drop(client);
}

#[test]
fn any_order_is_carried_out_or_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let setup = Setup::pair("steep_g", "half_space")
        .with("certificate.max_votes", 300)
        .with("certificate.certify_votes", 50);
    let server = runtime.block_on(TestServer::start(setup.with("certificate.predict_votes", 50)));
    let client = runtime.block_on(server.client());
    let orders = (
        prop::array::uniform4(-1.0f32..=1.0),
        prop::option::of(prop_oneof![0.0..2.0, any::<f64>()]),
        prop::option::of(prop_oneof![0..400u64, any::<u64>()]),
        prop::option::of(prop_oneof![0.0..1.0, any::<f64>()]),
        prop_oneof![0..4i32, any::<i32>()],
    );
    runner()
        .run(
            &orders,
            |(x, target_radius, vote_budget, failure_probability, bound)| {
                let order = CertifyRequest {
                    target_radius,
                    vote_budget,
                    failure_probability,
                    bound,
                    ..certify_request(floats(&[x]))
                };
                match runtime.block_on(client.clone().certify(order)) {
                    Ok(answer) => {
                        let prediction = &answer.into_inner().predictions[0];
                        let certificate = messages::certificate(prediction);
                        prop_assert!(certificate.votes <= vote_budget.unwrap_or(50));
                        crate::support::recompute::assert_certificate(certificate, 0.76);
                    }
                    Err(status) => prop_assert_eq!(status.code(), Code::InvalidArgument, "{}", status),
                }
                Ok(())
            },
        )
        .unwrap();
    drop(client);
}
