"""Follows an ONNX graph from its input to its output with proven bounds of each tensor."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from certimix_models.prove.batch_independence import require_independent_rows
from certimix_models.prove.directed_rounding import product_up, sqrt_up
from certimix_models.prove.graph_node import NotProvable, Tensor, node_attributes
from certimix_models.prove.onnx_reference import run_node
from certimix_models.prove.operators import ALLOWED_ATTRIBUTES, OPERATOR_RULES
from certimix_models.prove.rearrangement import REARRANGING_OPERATORS, GroupSort, rearrange
from certimix_models.prove.tensor_bounds import TensorBounds, TensorView, full_view

EXACT_ON_CONSTANTS = REARRANGING_OPERATORS | {"Constant"}


@dataclass(frozen=True)
class ProofStep:
    """One row of the report: a node that computes."""

    operator: str
    name: str
    shape: tuple[int, ...]
    lipschitz: float  # from the network's input to this node
    factor: float  # the factor by which this node multiplied the constant
    error: float  # rounding error of the whole tensor, in l2


@dataclass(frozen=True)
class Proof:
    """The proof about a network's output: the vector is `lipschitz`-Lipschitz in l2, and each
    element is computed to within `error`.
    """

    lipschitz: float
    error: float
    classes: int
    steps: list[ProofStep]


def prove_network(content: bytes, shape: list[int], low: float, high: float) -> Proof:
    """Proves the bounds of a network with one input of `shape` (without the batch axis), whose
    values are from `low` to `high`.

    The Lipschitz constant holds on all of R^n, the error in the box. Raises `NotProvable` if the
    graph holds anything that this package does not support.
    """
    model = onnx.load_from_string(content)
    # This check comes before anything reads a weight. The proof is about the file with one SHA-256,
    # which does not cover weights in other files.
    if any(
        tensor.data_location == TensorProto.EXTERNAL or tensor.external_data for tensor in _stored_tensors(model.graph)
    ):
        raise NotProvable("weights outside the ONNX file")
    onnx.checker.check_model(model)
    graph = model.graph
    domains = {opset.domain: opset.version for opset in model.opset_import}
    if set(domains) != {""} or model.functions:
        raise NotProvable("operators that are not ONNX's own")
    opset = domains[""]
    tensors: dict[str, Tensor | None] = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    (graph_input,) = [value for value in graph.input if value.name not in tensors]
    if graph_input.type.tensor_type.elem_type != onnx.TensorProto.FLOAT or len(graph.output) != 1:
        raise NotProvable("one float32 input and one output are expected")
    tensors[graph_input.name] = _input_box(tuple(shape), low, high)
    tensors[""] = None
    steps, reported, group_sort = [], [tensors[graph_input.name].bounds], GroupSort()
    for node in graph.node:
        inputs = [tensors[name] for name in node.input]
        try:
            results = _apply_node(node, inputs, opset, group_sort)
            if any(isinstance(value, TensorView) for value in inputs):
                require_independent_rows(node, inputs, results)
        except ValueError as error:
            raise NotProvable(f"node '{node.name or node.output[0]}' ({node.op_type}): {error}") from error
        tensors.update({name: result for name, result in zip(node.output, results) if name})
        # Max and Min of the same two parts are two views of one sorted tensor: one step.
        if isinstance(results[0], TensorView) and results[0].bounds not in reported:
            reported.append(results[0].bounds)
            steps.append(_proof_step(node, inputs, results[0]))
    output = tensors[graph.output[0].name]
    if not isinstance(output, TensorView) or output.index.ndim != 2 or len(output.index) != 1:
        raise NotProvable("the output is not one vector for each input")
    values = output.materialise()
    if not math.isfinite(values.lipschitz + values.error):
        raise NotProvable("the bounds are not finite")
    return Proof(values.lipschitz, values.error, output.index.shape[1], steps)


def _stored_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """All tensors that the graph stores. Graphs within the graph are rejected elsewhere."""
    sparse = [*graph.sparse_initializer]
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    for tensor in sparse:
        yield from (tensor.values, tensor.indices)


def _apply_node(node: onnx.NodeProto, inputs: list, opset: int, group_sort: GroupSort) -> list:
    """The results of the node: views of bounds, or arrays if all inputs are constants."""
    if any(attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for attribute in node.attribute):
        raise NotProvable("a graph within the graph")
    if not any(isinstance(value, TensorView) for value in inputs):
        return _evaluate_constant(node, inputs, opset)
    if node.op_type in REARRANGING_OPERATORS:
        return rearrange(node, inputs, opset)
    if node.op_type in ("Max", "Min"):
        return [group_sort(node, inputs, opset)]
    if node.op_type not in OPERATOR_RULES:
        raise NotProvable("an unsupported operator")
    unknown = set(node_attributes(node)) - ALLOWED_ATTRIBUTES.get(node.op_type, set())
    if unknown:
        raise NotProvable(f"an unsupported attribute: {', '.join(sorted(unknown))}")
    return [OPERATOR_RULES[node.op_type](node, inputs, opset)]


def _evaluate_constant(node: onnx.NodeProto, inputs: list, opset: int) -> list[np.ndarray]:
    """Evaluates a node of constants. Weights may be stored in another shape, or as float32 where
    float64 is used. Only nodes that round nothing are allowed.
    """
    if node.op_type == "Cast":
        dtype = helper.tensor_dtype_to_np_dtype(node_attributes(node)["to"])
        if not np.can_cast(inputs[0].dtype, dtype, "safe"):
            raise NotProvable("weights that are rounded")
        return [inputs[0].astype(dtype)]
    if node.op_type not in EXACT_ON_CONSTANTS:
        raise NotProvable("weights that are computed")
    return run_node(node, inputs, opset, all_outputs=True)


def _input_box(shape: tuple[int, ...], low: float, high: float) -> TensorView:
    """The bounds of the input: a box with all values from `low` to `high`."""
    size = math.prod(shape)
    centre = (low + high) / 2
    half_width = max(high - centre, centre - low)
    input_radius = product_up(sqrt_up(float(size)), half_width * (1 + 2**-50))
    values = TensorBounds(np.full(size, centre), 0.0, 1.0, input_radius, 0.0, np.dtype(np.float32))
    return full_view(values, (1, *shape))


def _proof_step(node: onnx.NodeProto, inputs: list, result: TensorView) -> ProofStep:
    before = max(value.bounds.lipschitz for value in inputs if isinstance(value, TensorView))
    after = result.bounds.lipschitz
    return ProofStep(
        node.op_type, node.name or node.output[0], result.index.shape, after, after / before, result.bounds.error
    )
