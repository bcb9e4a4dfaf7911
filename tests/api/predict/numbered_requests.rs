//! Requests that differ by a number, and a check of their responses.

use certimix::rpc::proto::PredictRequest;
use certimix::rpc::proto::predict_stream_response::Outcome;
use tonic::Code;

use crate::support::messages::floats;
use crate::support::reference_formulas::{assert_close, g_logits, h_logits, mixed_logits, softmax};
use crate::support::server::Client;
use crate::support::{Setup, messages};

/// Returns a distinct input for each number.
fn input(number: u8) -> [f32; 4] {
    let x = f32::from(number) / 256.0;
    [x, -x, 0.5 - x, 0.25]
}

pub fn request(number: u8) -> PredictRequest {
    messages::predict_request(floats(&[input(number)]))
}

#[track_caller]
pub fn assert_response(outcome: Option<Outcome>, number: u8) {
    let Some(Outcome::Response(response)) = outcome else {
        panic!("request {number} has no answer: {outcome:?}");
    };
    let x = input(number);
    let f = mixed_logits(0.76, &softmax(&g_logits(x)), &softmax(&h_logits(x)));
    assert_eq!(response.predictions.len(), 1);
    assert_close(&response.predictions[0].mixed_logits, &f, 1e-4);
    assert_eq!(response.provenance.unwrap().config_revision.len(), 64);
}

/// Settings with a batch size of one row, which takes about 20 ms.
pub fn slow_setup() -> Setup {
    Setup::pair("slow_g", "slow_h").batch_size(1)
}

/// Returns the number of admitted rows. The server reports it when it refuses a request that
/// exceeds the rest of the queue.
pub async fn admitted_rows(client: &mut Client, capacity: usize) -> usize {
    let all = vec![[0.0; 4]; capacity];
    match client.predict(messages::predict_request(floats(&all))).await {
        Ok(_) => 0,
        Err(status) => {
            assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
            let (_, rest) = status.message().split_once("full: ").unwrap();
            rest.split(' ').next().unwrap().parse().unwrap()
        }
    }
}
