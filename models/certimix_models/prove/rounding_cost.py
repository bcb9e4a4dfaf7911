"""What the rounding error of the logits costs, as the network is and after a rewrite to float64."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from certimix_models.float64_rewrite import NotRewritable, rewrite_to_float64
from certimix_models.prove.graph_node import NotProvable
from certimix_models.prove.network_proof import Proof, prove_network
from certimix_models.prove.subject import Subject, SubjectError

BATCH = 50
MOST_INPUTS = 10_000


def margin_lost(error: float) -> float:
    """The margin between two logits that a certificate pays: two logits, at the input and at the
    perturbed input.
    """
    return 4 * error


def radius_lost(proof: Proof, error: float) -> float:
    """The radius that a certificate in l2 pays, in the units of the input."""
    return margin_lost(error) / (math.sqrt(2) * proof.lipschitz)


@dataclass(frozen=True)
class Float64Offer:
    """What a rewrite to float64 would prove, or why there is none."""

    error: float | None
    reason: str = ""


def computes_in_float32(content: bytes) -> bool:
    """Whether no node of the network casts to float64."""
    return not any(
        node.op_type == "Cast" and any(attribute.i == TensorProto.DOUBLE for attribute in node.attribute)
        for node in onnx.load_from_string(content).graph.node
    )


def offer_float64(subject: Subject) -> Float64Offer:
    """Rewrites the network in memory and proves the rounding error of the result."""
    model = onnx.load_from_string(subject.content)
    (graph_input,) = [value for value in model.graph.input if value.name == subject.input_name]
    sized = helper.make_tensor_value_info(subject.input_name, TensorProto.FLOAT, ["N", *subject.shape])
    graph_input.type.CopyFrom(sized.type)
    try:
        rewritten = rewrite_to_float64(model).SerializeToString()
        return Float64Offer(prove_network(rewritten, subject.shape, *subject.range).error)
    except (NotRewritable, NotProvable, onnx.shape_inference.InferenceError) as reason:
        return Float64Offer(None, str(reason))


def read_inputs(path: Path, subject: Subject) -> np.ndarray:
    """Inputs [N, ...] from a .npy file: float32 in the range, or uint8 pixels for the range [0, 1]."""
    try:
        inputs = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise SubjectError(f"--inputs {path}: cannot be read as a .npy file: {error}") from error
    if list(inputs.shape[1:]) != subject.shape or not 0 < len(inputs) <= MOST_INPUTS:
        raise SubjectError(
            f"--inputs {path}: the shape is {list(inputs.shape)}; [N, {', '.join(map(str, subject.shape))}] is expected, "
            f"with N from 1 to {MOST_INPUTS}"
        )
    if inputs.dtype == np.uint8 and subject.range == [0.0, 1.0]:
        inputs = inputs / np.float32(255)
    low, high = subject.range
    if inputs.dtype != np.float32 or not (inputs.min() >= low and inputs.max() <= high):
        raise SubjectError(
            f"--inputs {path}: float32 values from {low} to {high} are expected (or uint8 for a range of [0, 1])"
        )
    return inputs


def count_certified(subject: Subject, inputs: np.ndarray, errors: list[float]) -> list[int]:
    """For each error bound, the inputs whose two largest logits differ by more than it costs. No
    other input can have a certificate, whatever alpha is.
    """
    run = _evaluator(subject.content)
    margins = []
    for start in range(0, len(inputs), BATCH):
        logits = np.sort(run({subject.input_name: inputs[start : start + BATCH]}).astype(np.float64), axis=1)
        margins.append(logits[:, -1] - logits[:, -2])
    return [int(np.sum(np.concatenate(margins) > margin_lost(error))) for error in errors]


def _evaluator(content: bytes):
    """The network as a function: by ONNX Runtime if it is installed, otherwise by onnx's slow
    reference implementation.
    """
    try:
        import onnxruntime
    except ImportError:
        reference = ReferenceEvaluator(onnx.load_from_string(content))
        return lambda feeds: reference.run(None, feeds)[0]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds)[0]
