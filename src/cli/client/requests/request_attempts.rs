//! Sends the inputs of one request until each is answered or reported: again after a delay, or in
//! smaller requests, as the retry policy decides.

use std::future::Future;
use std::time::{Duration, Instant};

use tonic::Status;

use super::inference_response::InferenceResponse;
use super::input_batcher::BatchLimit;
use super::retry_policy::{FailedAttempt, NextStep, backoff};
use super::tensor::stack_inputs;
use crate::cli::client::input::ModelInput;
use crate::rpc::proto::Tensor;

/// The result for some inputs of a request.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every answer is a response, so a box saves nothing"
)]
pub(super) enum Answer {
    /// The response, and the time from the request to it.
    Response {
        /// The inputs.
        inputs: Vec<ModelInput>,
        /// Their predictions.
        response: InferenceResponse,
        /// The time of the attempt that succeeded.
        elapsed: Duration,
    },
    /// The inputs have no result, and other inputs may have one.
    Failed {
        /// The inputs.
        inputs: Vec<ModelInput>,
        /// The error.
        status: Status,
    },
    /// No other input can have a result.
    Aborted(Status),
}

/// Sends `inputs`, and returns the answers in their order. `send` sends one request with a timeout.
/// `deadline` is the time for each request with its retries. The requests are at most a few times
/// as many as the inputs.
pub(super) async fn answer_inputs<F>(
    inputs: Vec<ModelInput>,
    deadline: Duration,
    limit: &BatchLimit,
    send: &impl Fn(Tensor, Duration) -> F,
) -> Vec<Answer>
where
    F: Future<Output = Result<InferenceResponse, Status>>,
{
    let mut answers = Vec::new();
    // The parts that are not answered, the first on top.
    let mut parts = vec![inputs];
    while let Some(mut part) = parts.pop() {
        // Another request may have lowered the limit.
        if part.len() > limit.get() {
            parts.push(part.split_off(limit.get()));
        }
        let send_part = |timeout| send(stack_inputs(&part), timeout);
        match send_until(part.len(), deadline, send_part).await {
            Attempted::Answered(response, elapsed) => answers.push(Answer::Response {
                inputs: part,
                response,
                elapsed,
            }),
            Attempted::Failed(step, status) => match step {
                NextStep::Halve(wait) => {
                    limit.lower_to(part.len() / 2);
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                    tokio::time::sleep(wait).await;
                }
                NextStep::Isolate => {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                NextStep::Retry(_) | NextStep::Report => answers.push(Answer::Failed { inputs: part, status }),
                NextStep::Abort => {
                    answers.push(Answer::Aborted(status));
                    return answers;
                }
            },
        }
    }
    answers
}

/// The end of the attempts to send one request.
pub(in crate::cli::client) enum Attempted<T> {
    /// The response, and the time of the attempt that succeeded.
    Answered(T, Duration),
    /// The step that follows, which is no retry.
    Failed(NextStep, Status),
}

/// Sends one request of `inputs` inputs, again and again while the policy says so. `send` sends it
/// once, with a timeout.
pub(in crate::cli::client) async fn send_until<T, F>(
    inputs: usize,
    deadline: Duration,
    send: impl Fn(Duration) -> F,
) -> Attempted<T>
where
    F: Future<Output = Result<T, Status>>,
{
    let first_sent = Instant::now();
    let mut delays = backoff();
    let mut retries = 0;
    loop {
        let sent = Instant::now();
        let time_left = deadline.saturating_sub(sent.duration_since(first_sent));
        let status = match send(time_left).await {
            Ok(response) => return Attempted::Answered(response, sent.elapsed()),
            Err(status) => status,
        };
        let attempt = FailedAttempt {
            inputs,
            retries,
            time_left: deadline.saturating_sub(first_sent.elapsed()),
            delay: delays.next(),
        };
        retries += 1;
        match NextStep::after(&status, attempt) {
            NextStep::Retry(delay) => tokio::time::sleep(delay).await,
            step => return Attempted::Failed(step, status),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tonic::Code;
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;
    use crate::cli::client::input::Conversions;
    use crate::rpc::proto::{DataType, Prediction};

    /// Inputs with the values 0, 1, ...
    fn inputs(count: u8) -> Vec<ModelInput> {
        let input = |value| ModelInput {
            name: format!("{value}.png"),
            dtype: DataType::Uint8,
            shape: vec![1],
            data: vec![value],
            conversions: Conversions::default(),
        };
        (0..count).map(input).collect()
    }

    fn response(tensor: &Tensor) -> InferenceResponse {
        InferenceResponse {
            predictions: tensor.data.iter().map(|_| Prediction::default()).collect(),
            provenance: None,
        }
    }

    fn busy() -> Status {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(1)));
        Status::with_error_details(Code::ResourceExhausted, "the queue is full", details)
    }

    /// The answers as text, and the sizes of the requests. `serve` answers each request.
    async fn run(
        count: u8,
        deadline: Duration,
        serve: impl Fn(&Tensor, usize) -> Result<InferenceResponse, Status>,
    ) -> (Vec<String>, Vec<usize>) {
        let sizes = Mutex::new(Vec::new());
        let limit = BatchLimit::new(usize::from(count));
        let send = |tensor: Tensor, _| {
            let mut sizes = sizes.lock().unwrap();
            sizes.push(tensor.data.len());
            std::future::ready(serve(&tensor, sizes.len()))
        };
        let answers = answer_inputs(inputs(count), deadline, &limit, &send).await;
        let names = |inputs: &[ModelInput]| {
            inputs
                .iter()
                .map(|input| input.name.clone())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let texts = answers.iter().map(|answer| match answer {
            Answer::Response { inputs, response, .. } => {
                assert_eq!(inputs.len(), response.predictions.len());
                format!("ok {}", names(inputs))
            }
            Answer::Failed { inputs, status } => format!("{:?} {}", status.code(), names(inputs)),
            Answer::Aborted(status) => format!("aborted {:?}", status.code()),
        });
        (texts.collect(), sizes.into_inner().unwrap())
    }

    const TEN_SECONDS: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_batch_shrinks_until_the_server_has_room() {
        let (answers, sizes) = run(8, TEN_SECONDS, |tensor, _| match tensor.data.len() {
            3.. => Err(busy()),
            _ => Ok(response(tensor)),
        })
        .await;
        assert_eq!(
            answers,
            ["ok 0.png 1.png", "ok 2.png 3.png", "ok 4.png 5.png", "ok 6.png 7.png"]
        );
        assert_eq!(sizes, [8, 4, 2, 2, 2, 2]);
    }

    #[tokio::test]
    async fn one_input_is_sent_again_until_it_is_admitted() {
        let (answers, sizes) = run(1, TEN_SECONDS, |tensor, attempt| match attempt {
            1 | 2 => Err(busy()),
            _ => Ok(response(tensor)),
        })
        .await;
        assert_eq!(answers, ["ok 0.png"]);
        assert_eq!(sizes, [1, 1, 1]);
    }

    #[tokio::test]
    async fn an_input_is_reported_without_time_for_another_attempt() {
        let (answers, sizes) = run(1, Duration::ZERO, |_, _| Err(busy())).await;
        assert_eq!((answers, sizes), (vec!["ResourceExhausted 0.png".to_owned()], vec![1]));
    }

    #[tokio::test]
    async fn a_wrong_input_is_found_and_the_others_are_answered() {
        let (answers, sizes) = run(8, TEN_SECONDS, |tensor, _| {
            if tensor.data.contains(&5) {
                let details = ErrorDetails::with_bad_request_violation("inputs.data", "out of range");
                return Err(Status::with_error_details(Code::InvalidArgument, "no", details));
            }
            Ok(response(tensor))
        })
        .await;
        assert_eq!(
            answers,
            [
                "ok 0.png 1.png 2.png 3.png",
                "ok 4.png",
                "InvalidArgument 5.png",
                "ok 6.png 7.png"
            ]
        );
        assert_eq!(sizes, [8, 4, 4, 2, 1, 1, 2]);
    }

    #[tokio::test]
    async fn an_error_that_every_request_would_have_ends_the_command() {
        let (answers, sizes) = run(4, TEN_SECONDS, |_, _| Err(Status::unauthenticated("no"))).await;
        assert_eq!((answers, sizes), (vec!["aborted Unauthenticated".to_owned()], vec![4]));
    }
}
