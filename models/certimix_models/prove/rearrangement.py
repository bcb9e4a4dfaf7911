"""The rules of operators that only move elements: selections, and the sorting of pairs."""

import numpy as np
from onnx import NodeProto

from certimix_models.prove.graph_node import Tensor, node_attributes, require
from certimix_models.prove.layer_bounds import nonexpansive_layer
from certimix_models.prove.onnx_reference import run_node
from certimix_models.prove.tensor_bounds import TensorBounds, TensorView, views_of_joined_tensor


class GroupSort:
    """Max and Min of two parts of one tensor that do not overlap, as in group sort: the maximum
    replaces the first part, the minimum the second.

    This is a permutation of each pair, chosen by the pair itself. It is therefore 1-Lipschitz and
    rounds nothing. Max and Min of the same two parts are views of one sorted tensor, so that their
    Concat is a permutation of it.
    """

    def __init__(self):
        self.sorted_bounds: dict[tuple, TensorBounds] = {}

    def __call__(self, node: NodeProto, inputs: list[Tensor], opset: int) -> TensorView:
        require(
            len(inputs) == 2 and all(isinstance(value, TensorView) for value in inputs),
            f"{node.op_type} of operands other than two tensors",
        )
        first, second = inputs
        require(first.bounds is second.bounds, f"{node.op_type} of tensors that are not parts of one tensor")
        joined = TensorView(first.bounds, np.concatenate([first.index.ravel(), second.index.ravel()]))
        require(
            first.index.shape == second.index.shape and joined.is_injective, f"{node.op_type} of parts that overlap"
        )
        if first.index.flat[0] > second.index.flat[0]:
            first, second = second, first
        key = (first.bounds, first.index.tobytes(), second.index.tobytes())
        if key not in self.sorted_bounds:
            source, centre = first.bounds, first.bounds.centre.copy()
            centre[first.index], centre[second.index] = (
                np.maximum(first.centre, second.centre),
                np.minimum(first.centre, second.centre),
            )
            self.sorted_bounds[key] = nonexpansive_layer(source, centre).bounds
        return TensorView(self.sorted_bounds[key], (first if node.op_type == "Max" else second).index)


REARRANGING_OPERATORS = {
    *("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"),
    *("Slice", "Split", "Concat", "Pad", "SpaceToDepth", "DepthToSpace"),
}


def rearrange(node: NodeProto, inputs: list[Tensor], opset: int) -> list[TensorView]:
    """The result of an operator that only moves elements. Runs the operator on the indices plus
    one, so that zero is the zero of a padding.
    """
    if node.op_type == "Pad" and node_attributes(node).get("mode", b"constant") == b"constant":
        value = inputs[2] if len(inputs) > 2 and inputs[2] is not None else node_attributes(node).get("value", 0.0)
        require(not np.any(value), "a padding that is not zero")
    operands = inputs if node.op_type == "Concat" else inputs[:1]
    require(all(isinstance(view, TensorView) for view in operands), f"{node.op_type} of a constant and a tensor")
    views = views_of_joined_tensor(operands)
    picked = run_node(node, [*(view.index + 1 for view in views), *inputs[len(operands) :]], opset, all_outputs=True)
    return [TensorView(views[0].bounds, index.astype(np.int64) - 1) for index in picked]
