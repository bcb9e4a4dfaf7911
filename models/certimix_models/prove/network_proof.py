"""Walks an ONNX graph from its input to its output with what is proven of each tensor."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .operators import COMPUTING, KNOWN_ATTRIBUTES, PICKING, Refused, Sorting, Tensor, attributes, pick
from .proven import Values, View, whole
from .reference import run
from .rows import refuse_mixing
from .rounding import product, root

EXACT_ON_CONSTANTS = PICKING | {"Constant"}


@dataclass(frozen=True)
class Step:
    """One row of the report: a node that computes."""

    operator: str
    name: str
    shape: tuple[int, ...]
    lipschitz: float  # from the network's input to here
    factor: float  # by how much this node multiplied it
    error: float  # l2, of the whole tensor


@dataclass(frozen=True)
class Proof:
    """Of a network's output: the vector is `lipschitz`-Lipschitz in l2, each element is computed to within `error`."""

    lipschitz: float
    error: float
    classes: int
    steps: list[Step]


def prove(content: bytes, shape: list[int], low: float, high: float) -> Proof:
    """Of the network with one input of `shape` (without the batch axis), whose values are from `low` to `high`.

    Refused: raised for whatever is not understood. The Lipschitz constant holds on all of R^n, the error in the box.
    """
    model = onnx.load_from_string(content)
    # Before anything reads a weight: the proof speaks of the file with one SHA-256, which says nothing of weights beside it.
    if any(tensor.data_location == TensorProto.EXTERNAL or tensor.external_data for tensor in _tensors(model.graph)):
        raise Refused("weights outside the ONNX file")
    onnx.checker.check_model(model)
    graph = model.graph
    domains = {opset.domain: opset.version for opset in model.opset_import}
    if set(domains) != {""} or model.functions:
        raise Refused("operators that are not ONNX's own")
    opset = domains[""]
    known: dict[str, Tensor | None] = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    (given,) = [value for value in graph.input if value.name not in known]
    if given.type.tensor_type.elem_type != onnx.TensorProto.FLOAT or len(graph.output) != 1:
        raise Refused("one float32 input and one output are expected")
    known[given.name] = _box(tuple(shape), low, high)
    known[""] = None
    steps, seen, sorting = [], [known[given.name].values], Sorting()
    for node in graph.node:
        inputs = [known[name] for name in node.input]
        try:
            results = _apply(node, inputs, opset, sorting)
            if any(isinstance(value, View) for value in inputs):
                refuse_mixing(node, inputs, results)
        except ValueError as error:
            raise Refused(f"node '{node.name or node.output[0]}' ({node.op_type}): {error}") from error
        known.update({name: result for name, result in zip(node.output, results) if name})
        # Max and Min of the same two are two views of one sorted tensor: one step.
        if isinstance(results[0], View) and results[0].values not in seen:
            seen.append(results[0].values)
            steps.append(_step(node, inputs, results[0]))
    output = known[graph.output[0].name]
    if not isinstance(output, View) or output.index.ndim != 2 or len(output.index) != 1:
        raise Refused("the output is not one vector for each input")
    values = output.picked()
    if not math.isfinite(values.lipschitz + values.error):
        raise Refused("the bounds are not finite")
    return Proof(values.lipschitz, values.error, output.index.shape[1], steps)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Of a graph without graphs in it: others are refused."""
    sparse = [*graph.sparse_initializer]
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    for tensor in sparse:
        yield from (tensor.values, tensor.indices)


def _apply(node: onnx.NodeProto, inputs: list, opset: int, sorting: Sorting) -> list:
    if any(attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for attribute in node.attribute):
        raise Refused("a graph within the graph")
    if not any(isinstance(value, View) for value in inputs):
        return _constant(node, inputs, opset)
    if node.op_type in PICKING:
        return pick(node, inputs, opset)
    if node.op_type in ("Max", "Min"):
        return [sorting(node, inputs, opset)]
    if node.op_type not in COMPUTING:
        raise Refused("nothing is known of this operator")
    unknown = set(attributes(node)) - KNOWN_ATTRIBUTES.get(node.op_type, set())
    if unknown:
        raise Refused(f"nothing is known of the attribute {', '.join(sorted(unknown))}")
    return [COMPUTING[node.op_type](node, inputs, opset)]


def _constant(node: onnx.NodeProto, inputs: list, opset: int) -> list[np.ndarray]:
    """Weights may be stored in another shape or as float32 where float64 is used: what rounds nothing is done here."""
    if node.op_type == "Cast":
        dtype = helper.tensor_dtype_to_np_dtype(attributes(node)["to"])
        if not np.can_cast(inputs[0].dtype, dtype, "safe"):
            raise Refused("weights that are rounded")
        return [inputs[0].astype(dtype)]
    if node.op_type not in EXACT_ON_CONSTANTS:
        raise Refused("weights that are computed")
    return run(node, inputs, opset, every=True)


def _box(shape: tuple[int, ...], low: float, high: float) -> View:
    size = math.prod(shape)
    middle = (low + high) / 2
    half = max(high - middle, middle - low)
    reach = product(root(float(size)), half * (1 + 2**-50))
    values = Values(np.full(size, middle), 0.0, 1.0, reach, 0.0, np.dtype(np.float32))
    return whole(values, (1, *shape))


def _step(node: onnx.NodeProto, inputs: list, result: View) -> Step:
    before = max(value.values.lipschitz for value in inputs if isinstance(value, View))
    after = result.values.lipschitz
    return Step(node.op_type, node.name or node.output[0], result.index.shape, after, after / before, result.values.error)
