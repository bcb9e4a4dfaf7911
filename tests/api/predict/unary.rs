//! Predict mixes the two models by the formula, keeps the order of the inputs and reports its
//! provenance.

use certimix::rpc::proto::{PredictRequest, PredictResponse, Provenance};

use crate::support::reference_formulas::{argmax, assert_close, g_logits, h_logits, mixed_logits, softmax};
use crate::support::{Setup, TestServer, fixture, messages, reference_formulas};

const INPUTS: [[f32; 4]; 5] = [
    [0.75, -0.5, 0.125, 0.3],
    [-0.2, 0.9, -0.7, 1.0],
    [0.1, 0.1, 0.1, 0.1],
    [-1.0, -1.0, 1.0, -1.0],
    [0.333, -0.25, 0.3, 0.777],
];

async fn predict(server: &TestServer, inputs: &[[f32; 4]]) -> PredictResponse {
    let request = messages::predict_request(messages::floats(inputs));
    server.client().await.predict(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn mixed_logits_match_float64() {
    for alpha in [0.5, 0.76, 0.3, 1.0] {
        let server = TestServer::start(Setup::pair("linear_g", "linear_h").with("mixture.alpha", alpha)).await;
        let response = predict(&server, &INPUTS).await;
        assert_eq!(response.predictions.len(), INPUTS.len());
        for (prediction, x) in response.predictions.iter().zip(INPUTS) {
            let (g, h) = (softmax(&g_logits(x)), softmax(&h_logits(x)));
            let f = mixed_logits(alpha, &g, &h);
            assert_close(&prediction.mixed_logits, &f, 1e-5);
            assert_close(&prediction.standard_probabilities, &g, 1e-6);
            assert_close(&prediction.robust_probabilities, &h, 1e-6);
            assert_eq!(prediction.class_index as usize, argmax(&f), "{x:?}");
            assert_eq!(prediction.label, ["left", "middle", "right"][argmax(&f)]);
            assert_eq!(prediction.standard_class_index as usize, argmax(&g));
            assert_eq!(prediction.robust_class_index as usize, argmax(&h));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_timings_of_a_response_fit_into_the_total() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let begun = std::time::Instant::now();
    let timings = predict(&server, &INPUTS).await.timings.unwrap();
    let elapsed = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let slower = timings.standard_model_us.max(timings.robust_model_us);
    assert!(slower > 0 && timings.total_us <= elapsed, "{timings:?} of {elapsed}");
    // Each stage is rounded down to whole microseconds. The queue is that of the model that finished
    // last, which need not be the slower one.
    let faster = timings.standard_model_us.min(timings.robust_model_us);
    assert!(
        timings.queue_us + faster + timings.mixing_us <= timings.total_us,
        "{timings:?}"
    );
    assert!(slower <= timings.total_us, "{timings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_temperature_sharpens_only_the_robust_model() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.robust_temperature", 0.5)
        .with("mixture.alpha", 0.6);
    let server = TestServer::start(setup).await;
    let response = predict(&server, &INPUTS).await;
    for (prediction, x) in response.predictions.iter().zip(INPUTS) {
        let sharp: Vec<f64> = h_logits(x).iter().map(|z| z / 0.5).collect();
        assert_close(
            &prediction.mixed_logits,
            &mixed_logits(0.6, &softmax(&g_logits(x)), &softmax(&sharp)),
            1e-5,
        );
    }
    assert_eq!(response.provenance.unwrap().robust_temperature, 0.5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_model_may_output_probabilities() {
    let server = TestServer::start(Setup::pair("linear_g", "softmax_h").with("mixture.alpha", 0.8)).await;
    let response = predict(&server, &INPUTS).await;
    for (prediction, x) in response.predictions.iter().zip(INPUTS) {
        let f = mixed_logits(0.8, &softmax(&g_logits(x)), &softmax(&h_logits(x)));
        assert_close(&prediction.mixed_logits, &f, 1e-5);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bytes_and_floats_of_an_image_give_equal_responses() {
    let server = TestServer::start(Setup::pair("image_g", "image_h")).await;
    let pixels: Vec<u8> = (0..2 * 192u32)
        .map(|index| u8::try_from((index * 37) % 256).unwrap())
        .collect();
    let values: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    let mut client = server.client().await;
    let shape = [2, 3, 8, 8];
    let of_bytes = client
        .predict(messages::predict_request(messages::bytes(&shape, &pixels)))
        .await
        .unwrap()
        .into_inner();
    let of_floats = client
        .predict(messages::predict_request(messages::raw_floats(&shape, &values)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(of_bytes.predictions, of_floats.predictions);
    assert_eq!(of_bytes.provenance, of_floats.provenance);
    // image_h sums a quarter of each value of a channel.
    for (prediction, image) in of_bytes.predictions.iter().zip(pixels.chunks(192)) {
        let channel = |part: &[u8]| part.iter().map(|&pixel| f64::from(pixel) / 255.0 / 4.0).sum::<f64>();
        let h = softmax(&image.chunks(64).map(channel).collect::<Vec<_>>());
        assert_close(&prediction.robust_probabilities, &h, 1e-5);
        let g: Vec<f64> = prediction
            .standard_probabilities
            .iter()
            .map(|&p| f64::from(p))
            .collect();
        assert_close(&prediction.mixed_logits, &mixed_logits(0.76, &g, &h), 1e-5);
    }
}

/// The executors split a request of 150 rows into batches. Each prediction keeps the place of its
/// input.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn large_requests_keep_their_order() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("server.max_inputs", 150)
        .batch_size(7)
        .with("runtime.executors", 2);
    let server = TestServer::start(setup).await;
    let inputs: Vec<[f32; 4]> = (0..150u8).map(|row| [f32::from(row) / 150.0, 0.0, -0.5, 0.5]).collect();
    let response = predict(&server, &inputs).await;
    for (prediction, &x) in response.predictions.iter().zip(&inputs) {
        let f = mixed_logits(0.76, &softmax(&g_logits(x)), &softmax(&h_logits(x)));
        assert_close(&prediction.mixed_logits, &f, 1e-5);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn components_are_sent_only_on_request() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let request = PredictRequest {
        include_components: false,
        ..messages::predict_request(messages::floats(&INPUTS))
    };
    let response = server.client().await.predict(request).await.unwrap().into_inner();
    for prediction in response.predictions {
        assert!(prediction.standard_probabilities.is_empty() && prediction.robust_probabilities.is_empty());
        assert_eq!(prediction.mixed_logits.len(), 3);
    }
}

async fn provenance(setup: Setup) -> Provenance {
    let server = TestServer::start(setup).await;
    let request = messages::predict_request(messages::floats(&[[0.0; 4]]));
    server
        .client()
        .await
        .predict(request)
        .await
        .unwrap()
        .into_inner()
        .provenance
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn provenance_identifies_the_config_and_the_models() {
    let setup = |alpha| Setup::pair("linear_g", "linear_h").with("mixture.alpha", alpha);
    let (one, same, other) = (
        provenance(setup(0.75)).await,
        provenance(setup(0.75)).await,
        provenance(setup(0.8)).await,
    );
    assert_eq!((one.alpha, one.robust_temperature), (0.75, 1.0));
    assert_eq!(one.config_revision.len(), 64);
    assert_eq!(one, same);
    assert_ne!(one.config_revision, other.config_revision);
    // Replicas of one configuration may differ in everything that decides no answer.
    let replica = setup(0.75)
        .copied("models.robust", "linear_h")
        .with("runtime.executors", 2)
        .with("server.max_inputs", 8)
        .with("mixture.shadow_alphas", "[0.6]")
        .text("log.filter", "warn");
    assert_eq!(provenance(replica).await.config_revision, one.config_revision);
    let votes = setup(0.75).with("certificate.predict_votes", 120);
    assert_ne!(provenance(votes).await.config_revision, one.config_revision);
    assert_eq!(one.server_version, env!("CARGO_PKG_VERSION"));
    for (found, name) in [
        (&one.standard_model_sha256, "linear_g"),
        (&one.robust_model_sha256, "linear_h"),
    ] {
        let manifest = std::fs::read_to_string(fixture(name)).unwrap();
        assert!(manifest.contains(&format!("sha256 = \"{found}\"")), "{name}: {found}");
    }
}

/// A NaN of the standard model counts as probability 0, and the mixture stays finite.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nan_of_the_standard_model_changes_no_certified_class() {
    let server = TestServer::start(Setup::pair("nan_g", "linear_h")).await;
    let x = [-0.5, -0.75, 0.75, 0.0];
    let response = predict(&server, &[x]).await;
    let prediction = &response.predictions[0];
    messages::certified(prediction);
    assert_eq!(prediction.class_index, 2);
    let f: Vec<f64> = reference_formulas::softmax(&h_logits(x))
        .iter()
        .map(|h| (0.76 * h).ln())
        .collect();
    assert_close(&prediction.mixed_logits, &f, 1e-5);
}
