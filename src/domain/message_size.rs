//! The sizes of request and response messages, in bytes. Each size is an upper bound, so that a
//! message that is accepted fits.

use super::{InputSpec, ValueEncoding};

/// The smallest limit on a response. Responses are small, so a low limit on requests does not block
/// them, and it is the default limit of gRPC clients.
const MIN_RESPONSE_LIMIT: usize = 4 << 20;

/// Everything in a request beside the values of its inputs: names, shape and parameters.
const REQUEST_OVERHEAD: usize = 256;

/// Everything in a response that does not grow with its inputs: the provenance, and in the Open
/// Inference Protocol the listed reasons.
const RESPONSE_OVERHEAD: usize = 16 << 10;

/// The fields of one prediction and its certificate, without vectors and texts. A test of the
/// encoder measures it.
const PREDICTION_FIELDS: usize = 384;

/// The tags and lengths of the outputs of both models.
const MODEL_OUTPUTS_FIELDS: usize = 40;

/// The longest reason in a response. A longer one is cut.
pub const MAX_REASON_BYTES: usize = 512;

/// The longest caveat in a response. A longer one is cut.
pub const MAX_CAVEAT_BYTES: usize = 1024;

/// The width of a float32.
const FLOAT_BYTES: usize = 4;

/// The limits on the messages of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLimits {
    /// The most bytes in a request.
    pub request: usize,
    /// The most bytes in a response.
    pub response: usize,
}

impl MessageLimits {
    /// The limits for requests of at most `request` bytes.
    #[must_use]
    pub fn new(request: usize) -> Self {
        Self {
            request,
            response: request.max(MIN_RESPONSE_LIMIT),
        }
    }

    /// The most inputs of `spec` that one request can hold.
    #[must_use]
    pub fn inputs_in_request(self, spec: &InputSpec, encoding: ValueEncoding) -> usize {
        let input = spec.dimension().saturating_mul(encoding.width()).max(1);
        self.request.saturating_sub(REQUEST_OVERHEAD) / input
    }

    /// The most inputs whose answers fit one response.
    #[must_use]
    pub fn inputs_in_response(self, answer: AnswerSize) -> usize {
        self.response.saturating_sub(RESPONSE_OVERHEAD) / answer.0.max(1)
    }
}

/// The size of a request with one input of `spec`.
#[must_use]
pub fn one_input_request(spec: &InputSpec, encoding: ValueEncoding) -> usize {
    let values = spec.dimension().saturating_mul(encoding.width());
    values.saturating_add(REQUEST_OVERHEAD)
}

/// The most bytes that a response holds for one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerSize(usize);

impl AnswerSize {
    /// A prediction of `certimix.v1` for a model with these labels. `with_components` adds the
    /// probabilities of both models, `with_caveat` the caveat of an inexact runtime.
    #[must_use]
    pub fn of_prediction(labels: &[String], with_components: bool, with_caveat: bool) -> Self {
        let vectors = if with_components { 3 } else { 1 };
        let floats = labels.len().saturating_mul(vectors * FLOAT_BYTES);
        let label = labels.iter().map(String::len).max().unwrap_or(0);
        let caveat = if with_caveat { MAX_CAVEAT_BYTES } else { 0 };
        Self(floats.saturating_add(label + caveat + PREDICTION_FIELDS + MAX_REASON_BYTES))
    }

    /// The same prediction with the outputs of both models: a row of each for `classes` classes, or a
    /// row and `votes` votes.
    #[must_use]
    pub fn with_model_outputs(self, classes: usize, votes: usize) -> Self {
        let rows = classes.saturating_mul(2 * FLOAT_BYTES);
        // A vote is the varint of a number up to `classes`.
        let vote = (usize::BITS - classes.leading_zeros()).div_ceil(7) as usize;
        let votes = votes.saturating_mul(vote.max(1));
        Self(
            self.0
                .saturating_add(rows)
                .saturating_add(votes)
                .saturating_add(MODEL_OUTPUTS_FIELDS),
        )
    }

    /// Tensors of the Open Inference Protocol with this many bytes for each input.
    #[must_use]
    pub fn of_tensors(bytes: usize) -> Self {
        Self(bytes)
    }

    /// The most bytes of a response to `inputs` inputs.
    #[must_use]
    pub fn response(self, inputs: usize) -> usize {
        self.0.saturating_mul(inputs).saturating_add(RESPONSE_OVERHEAD)
    }
}

/// The start of `text`, of at most `max` bytes.
#[must_use]
pub fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(shape: &[usize]) -> InputSpec {
        InputSpec {
            name: "input".to_owned(),
            shape: shape.to_vec(),
            low: 0.0,
            high: 1.0,
            levels: None,
        }
    }

    #[test]
    fn a_request_holds_as_many_inputs_as_its_limit_allows() {
        let limits = MessageLimits::new(4 << 20);
        let images = spec(&[3, 224, 224]);
        assert_eq!(limits.inputs_in_request(&images, ValueEncoding::Float32), 6);
        assert_eq!(limits.inputs_in_request(&images, ValueEncoding::UInt8), 27);
        assert_eq!(
            limits.inputs_in_request(&spec(&[3, 640, 640]), ValueEncoding::Float32),
            0
        );
        for encoding in [ValueEncoding::Float32, ValueEncoding::UInt8] {
            let exact = MessageLimits::new(one_input_request(&images, encoding));
            assert_eq!(exact.inputs_in_request(&images, encoding), 1);
            let less = MessageLimits::new(exact.request - 1);
            assert_eq!(less.inputs_in_request(&images, encoding), 0);
        }
    }

    #[test]
    fn a_response_holds_as_many_answers_as_its_limit_allows() {
        let labels = vec!["cat".to_owned(); 1000];
        let answer = AnswerSize::of_prediction(&labels, true, false);
        let limits = MessageLimits::new(8 << 20);
        let most = limits.inputs_in_response(answer);
        assert!(answer.response(most) <= limits.response && answer.response(most + 1) > limits.response);
        assert_eq!(MessageLimits::new(1024).response, 4 << 20);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aä", 2), "a");
        assert_eq!(cut("aä", 3), "aä");
        assert_eq!(cut("a", 100), "a");
    }
}
