"""Checks that a graph keeps the rows of a batch independent: the proof is made for a batch of one,
and the server runs batches.

By induction each computed tensor has the batch as its first axis, here of length one, and slice i
of it is the proven function of row i. `require_independent_rows` applies to each operator that this
package supports a rule under which this holds for every number of rows. No operator may move a
value along the first axis, sum over it, or have a constant for each row.
"""

import numpy as np
from onnx import NodeProto

from certimix_models.prove.graph_node import node_attributes
from certimix_models.prove.tensor_bounds import TensorView

SLICE_TO_END = 2**31 - 1  # exporters write this, or a larger number, for a slice without an end


def require_independent_rows(node: NodeProto, inputs: list, results: list) -> None:
    """Raises ValueError if `node` may mix the rows of a batch, although it does not for one row."""
    views = [value for value in inputs if isinstance(value, TensorView)]
    if any(view.index.ndim == 0 or view.index.shape[0] != 1 for view in views):
        raise ValueError("a tensor without a batch axis")
    if any(isinstance(value, TensorView) and (value.index.ndim == 0 or value.index.shape[0] != 1) for value in results):
        raise ValueError("the output has no batch axis, so it mixes rows")
    rule = INDEPENDENCE_RULES.get(node.op_type)
    if rule is None and node.op_type not in ROW_WISE_OPERATORS:
        raise ValueError("an unknown effect on the rows of a batch")
    if rule is not None and not rule(node, inputs):
        raise ValueError("the node may mix the rows of a batch, although it does not for one row")


def _argument(node: NodeProto, name: str, inputs: list, position: int | None, default=None):
    """An attribute, or the constant input that replaces it in newer versions."""
    settings = node_attributes(node)
    if name in settings:
        return settings[name]
    if position is not None and len(inputs) > position and inputs[position] is not None:
        return np.asarray(inputs[position]).ravel().tolist()
    return default


def _is_not_batch_axis(axis: int, rank: int) -> bool:
    """Whether the axis, which may be negative, is a valid axis other than the first."""
    return axis % rank != 0 if -rank <= axis < rank else False


def _axis_is_not_batch(default: int):
    return lambda node, inputs: _is_not_batch_axis(_argument(node, "axis", inputs, None, default), inputs[0].index.ndim)


def _flatten(node, inputs) -> bool:
    axis = _argument(node, "axis", inputs, None, 1)
    return axis == 1 or (axis < 0 and axis + inputs[0].index.ndim == 1)


def _reshape(node, inputs) -> bool:
    """The first length is copied, or follows from the others. For one row it is 1, so the others
    describe one row.
    """
    shape = _argument(node, "shape", inputs, 1)
    copies = not _argument(node, "allowzero", inputs, None, 0)
    return bool(shape) and (shape[0] == -1 or (shape[0] == 0 and copies))


def _transpose(node, inputs) -> bool:
    order = _argument(node, "perm", inputs, None)
    return order[0] == 0 if order else inputs[0].index.ndim == 1


def _squeeze(node, inputs) -> bool:
    axes = _argument(node, "axes", inputs, 1)
    return bool(axes) and all(_is_not_batch_axis(axis, inputs[0].index.ndim) for axis in axes)


def _unsqueeze(node, inputs) -> bool:
    axes = _argument(node, "axes", inputs, 1) or []
    return all(_is_not_batch_axis(axis, inputs[0].index.ndim + len(axes)) for axis in axes)


def _slice(node, inputs) -> bool:
    rank = inputs[0].index.ndim
    starts, ends = _argument(node, "starts", inputs, 1), _argument(node, "ends", inputs, 2)
    axes = _argument(node, "axes", inputs, 3) or list(range(len(starts)))
    steps = _argument(node, "steps", inputs, 4) or [1] * len(starts)
    takes_all = [
        start == 0 and end >= SLICE_TO_END and step == 1 for start, end, step in zip(starts, ends, steps, strict=True)
    ]
    return all(
        _is_not_batch_axis(axis, rank) or takes_all_rows for axis, takes_all_rows in zip(axes, takes_all, strict=True)
    )


def _pad(node, inputs) -> bool:
    rank, pads = inputs[0].index.ndim, _argument(node, "pads", inputs, 1)
    axes = _argument(node, "axes", inputs, 3) or list(range(rank))
    half = len(pads) // 2
    return all(
        _is_not_batch_axis(axis, rank) or before == after == 0
        for axis, before, after in zip(axes, pads[:half], pads[half:], strict=True)
    )


def _constants_for_all_rows(node, inputs) -> bool:
    rank = max(value.index.ndim for value in inputs if isinstance(value, TensorView))
    constants = [np.shape(value) for value in inputs if isinstance(value, np.ndarray)]
    return all(len(shape) < rank or (len(shape) == rank and shape[0] == 1) for shape in constants)


def _matmul(node, inputs) -> bool:
    """A matrix on the left sums over the last axis but one, which is the batch in a tensor of two
    axes.
    """
    left, right = inputs
    return isinstance(left, TensorView) or right.index.ndim > 2


def _gemm(node, inputs) -> bool:
    bias = inputs[2] if len(inputs) > 2 else None
    return not _argument(node, "transA", inputs, None, 0) and (
        bias is None or np.ndim(bias) < 2 or np.shape(bias)[0] == 1
    )


# Each of these treats every row independently, for all of its attributes.
ROW_WISE_OPERATORS = {
    *("AveragePool", "Cast", "Conv", "DepthToSpace", "GlobalAveragePool", "Identity", "Max", "MaxPool", "Min", "Relu"),
    "SpaceToDepth",
}

INDEPENDENCE_RULES = {
    **dict.fromkeys(("Add", "Div", "Mul", "Sub"), _constants_for_all_rows),
    "Concat": _axis_is_not_batch(0),
    "Flatten": _flatten,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _axis_is_not_batch(0),
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
