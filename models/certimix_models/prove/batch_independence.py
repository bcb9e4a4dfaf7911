"""What keeps rows apart: the proof is made for a batch of one, and is served in batches.

By induction each computed tensor has the batch as its first axis, of length one here, and slice i of it is the function of row i that
is proven. `refuse_mixing` holds every operator that this package knows to a rule under which that stays true for every
number of rows: none may move a value along the first axis, sum over it, or have a constant for each row.
"""

import numpy as np
from onnx import NodeProto

from .operators import attributes
from .proven import View

EVERYTHING = 2**31 - 1  # exporters write the end of a slice of all that there is so, or larger


def refuse_mixing(node: NodeProto, inputs: list, results: list) -> None:
    """Raises ValueError if `node` may mix the rows of a batch, though it does not for one row."""
    views = [value for value in inputs if isinstance(value, View)]
    if any(view.index.ndim == 0 or view.index.shape[0] != 1 for view in views):
        raise ValueError("a tensor without a batch axis")
    if any(isinstance(value, View) and (value.index.ndim == 0 or value.index.shape[0] != 1) for value in results):
        raise ValueError("its output has no batch axis: rows would be mixed")
    rule = RULES.get(node.op_type)
    if rule is None and node.op_type not in APART:
        raise ValueError("nothing is known of what it does to the rows of a batch")
    if rule is not None and not rule(node, inputs):
        raise ValueError("it may mix the rows of a batch, though it does not for one row")


def _given(node: NodeProto, name: str, inputs: list, place: int | None, default=None):
    """An attribute, or the constant input that takes its place in newer versions."""
    given = attributes(node)
    if name in given:
        return given[name]
    if place is not None and len(inputs) > place and inputs[place] is not None:
        return np.asarray(inputs[place]).ravel().tolist()
    return default


def _other_axis(axis: int, rank: int) -> bool:
    return axis % rank != 0 if -rank <= axis < rank else False


def _along(default: int):
    return lambda node, inputs: _other_axis(_given(node, "axis", inputs, None, default), inputs[0].index.ndim)


def _flatten(node, inputs) -> bool:
    axis = _given(node, "axis", inputs, None, 1)
    return axis == 1 or (axis < 0 and axis + inputs[0].index.ndim == 1)


def _reshape(node, inputs) -> bool:
    """The first length is copied, or is what the others leave: for one row that is 1, so that they are one row."""
    shape = _given(node, "shape", inputs, 1)
    copies = not _given(node, "allowzero", inputs, None, 0)
    return bool(shape) and (shape[0] == -1 or (shape[0] == 0 and copies))


def _transpose(node, inputs) -> bool:
    order = _given(node, "perm", inputs, None)
    return order[0] == 0 if order else inputs[0].index.ndim == 1


def _squeeze(node, inputs) -> bool:
    axes = _given(node, "axes", inputs, 1)
    return bool(axes) and all(_other_axis(axis, inputs[0].index.ndim) for axis in axes)


def _unsqueeze(node, inputs) -> bool:
    axes = _given(node, "axes", inputs, 1) or []
    return all(_other_axis(axis, inputs[0].index.ndim + len(axes)) for axis in axes)


def _slice(node, inputs) -> bool:
    rank = inputs[0].index.ndim
    starts, ends = _given(node, "starts", inputs, 1), _given(node, "ends", inputs, 2)
    axes = _given(node, "axes", inputs, 3) or list(range(len(starts)))
    steps = _given(node, "steps", inputs, 4) or [1] * len(starts)
    whole = [start == 0 and end >= EVERYTHING and step == 1 for start, end, step in zip(starts, ends, steps, strict=True)]
    return all(_other_axis(axis, rank) or all_rows for axis, all_rows in zip(axes, whole, strict=True))


def _pad(node, inputs) -> bool:
    rank, pads = inputs[0].index.ndim, _given(node, "pads", inputs, 1)
    axes = _given(node, "axes", inputs, 3) or list(range(rank))
    half = len(pads) // 2
    return all(_other_axis(axis, rank) or before == after == 0 for axis, before, after in zip(axes, pads[:half], pads[half:], strict=True))


def _constants_for_all_rows(node, inputs) -> bool:
    rank = max(value.index.ndim for value in inputs if isinstance(value, View))
    constants = [np.shape(value) for value in inputs if isinstance(value, np.ndarray)]
    return all(len(shape) < rank or (len(shape) == rank and shape[0] == 1) for shape in constants)


def _matmul(node, inputs) -> bool:
    """A matrix on the left sums over the last axis but one, which of two is the batch."""
    left, right = inputs
    return isinstance(left, View) or right.index.ndim > 2


def _gemm(node, inputs) -> bool:
    bias = inputs[2] if len(inputs) > 2 else None
    return not _given(node, "transA", inputs, None, 0) and (bias is None or np.ndim(bias) < 2 or np.shape(bias)[0] == 1)


# Each of these looks at every row by itself, whatever its attributes.
APART = {
    *("AveragePool", "Cast", "Conv", "DepthToSpace", "GlobalAveragePool", "Identity", "Max", "MaxPool", "Min", "Relu"),
    "SpaceToDepth",
}

RULES = {
    **dict.fromkeys(("Add", "Div", "Mul", "Sub"), _constants_for_all_rows),
    "Concat": _along(0),
    "Flatten": _flatten,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _along(0),
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
