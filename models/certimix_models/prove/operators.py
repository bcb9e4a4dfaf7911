"""What each ONNX operator does to what is proven. An operator, or a use of one, that is not here is refused.

Rounding: a linear layer W computes, from values that are off by e, W a + b off by at most

    ||W|| e + gamma_n (|| |W| || (||a|| + e) + ||b||),     n = the products that one output sums, and four more,

four for the bias, for Gemm's factor, and for a factor that the runtime may fold into the weights; every factor before it is one more. An Add
(or Sub) that follows it, through factors, casts and other Adds too, may be summed with it: then b is the addend, and pays gamma_(n + 1) again.
A factor that follows it may be folded into the weights, so that what it rounds is relative to || |W| || ||a|| + ||b||, however small the sum is.
`Relu`, `Max`, `Min` and `MaxPool` are 1-Lipschitz and round nothing. The centre of the box is followed in float64 by the same rules.
"""

import math
from collections.abc import Callable

import numpy as np
from onnx import NodeProto, helper

from .convolution import absolute_norm, convolution_norm
from .patterns import same_convolution, torus
from .proven import Values, View, side_by_side, whole
from .reference import run
from .rounding import DOUBLE, SMALLEST_NORMAL, UNIT, gamma, length, product, root, total
from .spectral import norm

Tensor = View | np.ndarray  # a constant of the graph is an array


class Refused(ValueError):
    """The graph does something of which nothing is proven here."""


def attributes(node: NodeProto) -> dict:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def require(holds: bool, why: str) -> None:
    if not holds:
        raise Refused(why)


def linear(source: Values, result: np.ndarray, weight: tuple[float, float], terms: int, bias: float) -> View:
    """`weight`: at least the norms of W and |W|; `bias`: at least the length of b; `result`: W centre + b in float64."""
    own, absolute = weight
    terms += 4 + source.factors

    def error(before: float, at_most: float, unit: float) -> float:
        rounded = product(gamma(terms, unit), total(product(absolute, at_most), bias))
        return total(product(own, before), rounded, terms * math.sqrt(result.size) * SMALLEST_NORMAL)

    centre_length = total(length(source.centre), source.centre_error)
    values = Values(
        centre=result.ravel(),
        centre_error=error(source.centre_error, centre_length, DOUBLE),
        lipschitz=product(own, source.lipschitz),
        reach=source.reach,
        error=error(source.error, source.computed_length, UNIT[source.dtype]),
        dtype=source.dtype,
        terms=terms,
        mass=total(product(absolute, source.computed_length), bias),
    )
    return whole(values, result.shape)


def same_length(source: Values, result: np.ndarray) -> View:
    """Of a 1-Lipschitz operator that rounds nothing."""
    values = Values(result.ravel(), source.centre_error, source.lipschitz, source.reach, source.error, source.dtype)
    return whole(values, result.shape)


def conv(node: NodeProto, inputs: list[Tensor], opset: int) -> View:
    view, kernel, *bias = inputs
    given = attributes(node)
    require(isinstance(view, View) and all(isinstance(value, np.ndarray) for value in (kernel, *bias)), "weights that are computed")
    require(kernel.ndim == 4 and view.index.ndim == 4, "a convolution that is not of images")
    require(given.get("group", 1) == 1, "a convolution in groups")
    require(set(given.get("dilations", [1])) == {1}, "a dilated convolution")
    require(given.get("auto_pad", b"NOTSET") == b"NOTSET", "auto_pad")
    stride = tuple(given.get("strides", [1, 1]))
    result = run(node, [view.centre, *(value.astype(np.float64) for value in (kernel, *bias))], opset)
    output = result.shape[2:]
    wraps = not any(given.get("pads", [0])) and torus(view.index, kernel.shape[2:], stride, output)
    source = view.values if wraps else view.picked()
    own = convolution_norm(kernel, stride, output, wraps)
    copies = result.size // kernel.shape[0]  # of each bias: a pixel's, and an image's where a Reshape made several of one
    return linear(
        source,
        result,
        (own, absolute_norm(kernel, stride)),
        math.prod(kernel.shape[1:]),
        product(root(float(copies)), length(bias[0])) if bias else 0.0,
    )


def gemm(node: NodeProto, inputs: list[Tensor], opset: int) -> View:
    view, weight, *bias = inputs
    given = attributes(node)
    require(isinstance(view, View) and all(isinstance(value, np.ndarray) for value in (weight, *bias)), "weights that are computed")
    require(not given.get("transA", 0), "Gemm of a transposed input")
    alpha, beta = abs(given.get("alpha", 1.0)), abs(given.get("beta", 1.0))
    result = run(node, [view.centre, *(value.astype(np.float64) for value in (weight, *bias))], opset)
    own, absolute = (product(alpha, norm(matrix.astype(np.float64))) for matrix in (weight, np.abs(weight)))
    size = product(beta, length(np.broadcast_to(bias[0], result.shape))) if bias else 0.0
    return linear(view.picked(), result, (own, absolute), view.index.shape[-1], size)


def matmul(node: NodeProto, inputs: list[Tensor], opset: int) -> View:
    left, right = inputs
    weight, view = (left, right) if isinstance(left, np.ndarray) else (right, left)
    require(isinstance(weight, np.ndarray) and isinstance(view, View), "a product of two tensors that are both computed")
    require(weight.ndim == 2 and view.index.ndim >= 2, "MatMul of a vector, or of a stack of matrices with one another")
    result = run(node, [value.centre if isinstance(value, View) else value.astype(np.float64) for value in inputs], opset)
    terms = weight.shape[1] if weight is left else weight.shape[0]
    kernel, wraps = same_convolution(weight, view.index) if weight is left else (None, False)
    if kernel is None:
        pair = norm(weight.astype(np.float64)), norm(np.abs(weight).astype(np.float64))
        return linear(view.picked(), result, pair, terms, 0.0)
    side = math.isqrt(view.index.shape[-1])
    pair = convolution_norm(kernel, (1, 1), (side, side), wraps), absolute_norm(kernel, (1, 1))
    return linear(view.values, result, pair, terms, 0.0)


def arithmetic(node: NodeProto, inputs: list[Tensor], opset: int) -> View:
    """Add, Sub, Mul or Div with a constant, for each element or each channel; Add or Sub of two tensors."""
    kind = node.op_type
    views = [value for value in inputs if isinstance(value, View)]
    result = run(node, [value.centre if isinstance(value, View) else value.astype(np.float64) for value in inputs], opset)
    require(all(view.index.shape == result.shape for view in views), "a tensor that is repeated to the shape of another")
    require(len({view.values.dtype for view in views}) == 1, "tensors of different types")
    sources = [view.picked() for view in views]
    if kind in ("Add", "Sub"):
        factor = 1.0
    else:
        require(len(views) == 1 and (kind == "Mul" or isinstance(inputs[0], View)), f"{kind} of two tensors")
        constant = next(np.abs(value.astype(np.float64)) for value in inputs if isinstance(value, np.ndarray))
        with np.errstate(divide="ignore"):
            factor = total(float(np.max(constant if kind == "Mul" else 1 / constant)))
    require(math.isfinite(factor), "a division by zero")
    # Two tensors: the triangle inequality. 3 u covers a division, and a factor that is folded into another layer.
    lipschitz = product(factor, total(*(source.lipschitz for source in sources)))
    centre_error = product(factor, total(*(source.centre_error for source in sources)))
    before = product(factor, total(*(source.error for source in sources)))
    reach, dtype = sources[0].reach, sources[0].dtype
    centre_error = total(centre_error, product(gamma(3, DOUBLE), 2.0, total(length(result), centre_error)))
    exact = Values(result.ravel(), centre_error, lipschitz, reach, 0.0, dtype)
    constants = [length(np.broadcast_to(value, result.shape)) for value in inputs if isinstance(value, np.ndarray)]
    terms, mass = sum(source.terms for source in sources), 0.0
    if terms:
        mass = product(factor, total(*(max(source.mass, source.computed_length) for source in sources)))
        mass = total(mass, *constants) if kind in ("Add", "Sub") else mass
    lost = product(gamma(3, UNIT[dtype]), max(total(exact.length, before), mass))
    # A runtime that makes one operator of a linear layer and an Add sums the products onto the addend: each of those roundings is then one
    # of a number as large as the addend too. Whether it does is its own affair, so it is charged wherever it could.
    fused = 0.0
    if kind in ("Add", "Sub"):
        for source in sources:
            if source.terms:
                addends = total(*constants, *(other.computed_length for other in sources if other is not source))
                fused = total(fused, product(gamma(source.terms + 1, UNIT[dtype]), addends))
    factors = 0 if kind in ("Add", "Sub") else sources[0].factors + 1
    error = total(before, lost, fused, 3 * math.sqrt(result.size) * SMALLEST_NORMAL)
    values = Values(result.ravel(), centre_error, lipschitz, reach, error, dtype, terms + 1 if terms else 0, mass, factors)
    return whole(values, result.shape)


def cast(node: NodeProto, inputs: list[Tensor], opset: int) -> View:
    (view,) = inputs
    dtype = helper.tensor_dtype_to_np_dtype(attributes(node)["to"])
    require(dtype in UNIT, f"a cast to {dtype}")
    source = view.picked()
    error = source.error
    if dtype != np.float64:
        rounded = product(UNIT[dtype], source.computed_length)
        error = total(error, rounded, math.sqrt(view.index.size) * SMALLEST_NORMAL)
    # A runtime may leave out a cast that changes nothing, and then sum what follows it with what precedes it.
    open_sum = (source.terms, source.mass, source.factors)
    values = Values(source.centre, source.centre_error, source.lipschitz, source.reach, error, dtype, *open_sum)
    return whole(values, view.index.shape)


def relu(node: NodeProto, inputs: list[Tensor], opset: int) -> View:
    (view,) = inputs
    return same_length(view.picked(), run(node, [view.centre], opset))


def max_pool(node: NodeProto, inputs: list[Tensor], opset: int) -> View:
    (view,) = inputs
    given = attributes(node)
    window, stride = given["kernel_shape"], given.get("strides", [1] * len(given["kernel_shape"]))
    require(all(step >= size for step, size in zip(stride, window, strict=True)), "MaxPool with windows that overlap")
    require(set(given.get("dilations", [1])) == {1}, "MaxPool with gaps")
    require(len(node.output) == 1, "the indices of MaxPool")
    return same_length(view.picked(), run(node, [view.centre], opset))


def average_pool(node: NodeProto, inputs: list[Tensor], opset: int) -> View:
    (view,) = inputs
    given = attributes(node)
    if node.op_type == "AveragePool":
        window = given["kernel_shape"]
        require(given.get("strides", [1] * len(window)) == window, "AveragePool with windows that overlap or leave gaps")
        require(not any(given.get("pads", [0])) and not given.get("ceil_mode", 0), "AveragePool with padding")
        require(set(given.get("dilations", [1])) == {1}, "AveragePool with gaps")
        require(given.get("auto_pad", b"NOTSET") == b"NOTSET", "auto_pad")
    else:
        window = view.index.shape[2:]
    size = math.prod(window)
    own = root(1 / size + DOUBLE)
    return linear(view.picked(), run(node, [view.centre], opset), (own, own), size, 0.0)


class Sorting:
    """Max and Min of two parts of one tensor that do not overlap, as in group sort: max goes to the first, min to the second.

    That is a permutation of each pair, chosen by the pair itself, hence 1-Lipschitz; it rounds nothing. Both Max and Min of the
    same two parts pick from the one sorted tensor, so that their Concat is a permutation of it.
    """

    def __init__(self):
        self.done: dict[tuple, Values] = {}

    def __call__(self, node: NodeProto, inputs: list[Tensor], opset: int) -> View:
        require(len(inputs) == 2 and all(isinstance(value, View) for value in inputs), f"{node.op_type} other than of two tensors")
        first, second = inputs
        require(first.values is second.values, f"{node.op_type} of what are not parts of one tensor")
        both = View(first.values, np.concatenate([first.index.ravel(), second.index.ravel()]))
        require(first.index.shape == second.index.shape and both.is_injective, f"{node.op_type} of parts that overlap")
        if first.index.flat[0] > second.index.flat[0]:
            first, second = second, first
        key = (first.values, first.index.tobytes(), second.index.tobytes())
        if key not in self.done:
            source, centre = first.values, first.values.centre.copy()
            centre[first.index], centre[second.index] = np.maximum(first.centre, second.centre), np.minimum(first.centre, second.centre)
            self.done[key] = same_length(source, centre).values
        return View(self.done[key], (first if node.op_type == "Max" else second).index)


PICKING = {
    *("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"),
    *("Slice", "Split", "Concat", "Pad", "SpaceToDepth", "DepthToSpace"),
}


def pick(node: NodeProto, inputs: list[Tensor], opset: int) -> list[View]:
    """Runs the operator on the indices, one more than they are: zero then is the zero of a padding."""
    if node.op_type == "Pad" and attributes(node).get("mode", b"constant") == b"constant":
        value = inputs[2] if len(inputs) > 2 and inputs[2] is not None else attributes(node).get("value", 0.0)
        require(not np.any(value), "a padding that is not zero")
    of = inputs if node.op_type == "Concat" else inputs[:1]
    require(all(isinstance(view, View) for view in of), f"{node.op_type} of a constant and a tensor")
    views = side_by_side(of)
    picked = run(node, [*(view.index + 1 for view in views), *inputs[len(of) :]], opset, every=True)
    return [View(views[0].values, index.astype(np.int64) - 1) for index in picked]


# Whatever else a node says, or a later opset lets it say, might change what it computes: it is refused.
KNOWN_ATTRIBUTES: dict[str, set[str]] = {
    "Conv": {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"},
    "Gemm": {"alpha", "beta", "transA", "transB"},
    "Cast": {"to", "saturate"},
    "MaxPool": {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"},
    "AveragePool": {"auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"},
}

COMPUTING: dict[str, Callable[[NodeProto, list[Tensor], int], View]] = {
    "Conv": conv,
    "Gemm": gemm,
    "MatMul": matmul,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), arithmetic),
    "Cast": cast,
    "Relu": relu,
    "MaxPool": max_pool,
    **dict.fromkeys(("AveragePool", "GlobalAveragePool"), average_pool),
}
