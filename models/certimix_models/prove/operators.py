"""The rule of each ONNX operator that computes: how it changes the bounds of a tensor.

An operator, or a use of one, without a rule is rejected. `layer_bounds` has the rounding error of a linear layer. A
runtime may sum an Add (or Sub) that follows the layer, also through factors, casts and other Adds, together with it:
then b is the addend and costs gamma_(n + 1) again. A runtime may fold a factor that follows the layer into the weights,
so that its rounding is relative to || |W| || ||a|| + ||b||, however small the sum is.

`Relu`, `Max`, `Min` and `MaxPool` are 1-Lipschitz and round nothing. The centre of the box follows the same rules in
float64.
"""

import math
from collections.abc import Callable

import numpy as np
from onnx import NodeProto, helper

from certimix_models.prove.directed_rounding import (
    FLOAT64_UNIT,
    SMALLEST_NORMAL,
    UNIT_ROUNDOFF,
    gamma,
    l2_norm_up,
    product_up,
    sqrt_up,
    sum_up,
)
from certimix_models.prove.graph_node import Tensor, node_attributes, require
from certimix_models.prove.layer_bounds import linear_layer, nonexpansive_layer
from certimix_models.prove.onnx_reference import run_node
from certimix_models.prove.summation_error import WeightNorms, matrix_norms
from certimix_models.prove.tensor_bounds import TensorBounds, TensorView, full_view
from certimix_models.prove.window_products import convolution_product, window_product


def conv(node: NodeProto, inputs: list[Tensor], opset: int) -> TensorView:
    view, kernel, *bias = inputs
    settings = node_attributes(node)
    require(
        isinstance(view, TensorView) and all(isinstance(value, np.ndarray) for value in (kernel, *bias)),
        "weights that are computed",
    )
    require(kernel.ndim == 4 and view.index.ndim == 4, "a convolution that is not of images")
    require(len(view.index) == 1, "a tensor without a batch axis")
    require(settings.get("group", 1) == 1, "a convolution in groups")
    require(set(settings.get("dilations", [1])) == {1}, "a dilated convolution")
    require(settings.get("auto_pad", b"NOTSET") == b"NOTSET", "auto_pad")
    stride = tuple(settings.get("strides", [1, 1]))
    result = run_node(node, [view.centre, *(value.astype(np.float64) for value in (kernel, *bias))], opset)
    source, norms = convolution_product(view, kernel, stride, result.shape[2:], settings.get("pads", [0] * 4))
    # copies of each bias: one for each pixel, and for each image if a Reshape made several of one
    bias_copies = result.size // kernel.shape[0]
    bias_norm = product_up(sqrt_up(float(bias_copies)), l2_norm_up(bias[0])) if bias else 0.0
    return linear_layer(source, result, norms, math.prod(kernel.shape[1:]), bias_norm)


def gemm(node: NodeProto, inputs: list[Tensor], opset: int) -> TensorView:
    view, weight, *bias = inputs
    settings = node_attributes(node)
    require(
        isinstance(view, TensorView) and all(isinstance(value, np.ndarray) for value in (weight, *bias)),
        "weights that are computed",
    )
    require(not settings.get("transA", 0), "Gemm of a transposed input")
    alpha, beta = abs(settings.get("alpha", 1.0)), abs(settings.get("beta", 1.0))
    result = run_node(node, [view.centre, *(value.astype(np.float64) for value in (weight, *bias))], opset)
    size = product_up(beta, l2_norm_up(np.broadcast_to(bias[0], result.shape))) if bias else 0.0
    # Gemm's weight is [inputs, outputs] unless transB is set.
    norms = matrix_norms(weight if settings.get("transB", 0) else weight.T).scaled(alpha)
    return linear_layer(view.materialise(), result, norms, view.index.shape[-1], size, scale=max(1.0, alpha, beta))


def matmul(node: NodeProto, inputs: list[Tensor], opset: int) -> TensorView:
    left, right = inputs
    weight, view = (left, right) if isinstance(left, np.ndarray) else (right, left)
    require(
        isinstance(weight, np.ndarray) and isinstance(view, TensorView),
        "a product of two tensors that are both computed",
    )
    require(weight.ndim == 2 and view.index.ndim >= 2, "MatMul of a vector, or of a stack of matrices with one another")
    result = run_node(
        node, [value.centre if isinstance(value, TensorView) else value.astype(np.float64) for value in inputs], opset
    )
    terms = weight.shape[1] if weight is left else weight.shape[0]
    if weight is left:
        source, norms = window_product(view, weight)
    else:
        source, norms = view.materialise(), matrix_norms(weight.T)
    return linear_layer(source, result, norms, terms, 0.0)


def arithmetic(node: NodeProto, inputs: list[Tensor], opset: int) -> TensorView:
    """Add, Sub, Mul or Div with a constant, for each element or each channel; Add or Sub of two
    tensors.
    """
    operator = node.op_type
    views = [value for value in inputs if isinstance(value, TensorView)]
    result = run_node(
        node, [value.centre if isinstance(value, TensorView) else value.astype(np.float64) for value in inputs], opset
    )
    require(
        all(view.index.shape == result.shape for view in views), "a tensor that is repeated to the shape of another"
    )
    require(len({view.bounds.dtype for view in views}) == 1, "tensors of different types")
    sources = [view.materialise() for view in views]
    if operator in ("Add", "Sub"):
        factor = 1.0
    else:
        require(
            len(views) == 1 and (operator == "Mul" or isinstance(inputs[0], TensorView)), f"{operator} of two tensors"
        )
        constant = next(np.abs(value.astype(np.float64)) for value in inputs if isinstance(value, np.ndarray))
        with np.errstate(divide="ignore"):
            factor = sum_up(float(np.max(constant if operator == "Mul" else 1 / constant)))
    require(math.isfinite(factor), "a division by zero")
    # For two tensors the triangle inequality holds. 3 u covers a division, and a factor that the
    # runtime folds into another layer.
    lipschitz = product_up(factor, sum_up(*(source.lipschitz for source in sources)))
    centre_error = product_up(factor, sum_up(*(source.centre_error for source in sources)))
    input_error = product_up(factor, sum_up(*(source.error for source in sources)))
    input_radius, dtype = sources[0].input_radius, sources[0].dtype
    centre_error = sum_up(
        centre_error, product_up(gamma(3, FLOAT64_UNIT), 2.0, sum_up(l2_norm_up(result), centre_error))
    )
    exact = TensorBounds(result.ravel(), centre_error, lipschitz, input_radius, 0.0, dtype)
    constants = [l2_norm_up(np.broadcast_to(value, result.shape)) for value in inputs if isinstance(value, np.ndarray)]
    terms, magnitude = sum(source.open_terms for source in sources), 0.0
    if terms:
        magnitude = product_up(
            factor, sum_up(*(max(source.open_magnitude, source.computed_norm) for source in sources))
        )
        magnitude = sum_up(magnitude, *constants) if operator in ("Add", "Sub") else magnitude
    rounding = product_up(gamma(3, UNIT_ROUNDOFF[dtype]), max(sum_up(exact.exact_norm, input_error), magnitude))
    # A runtime that fuses a linear layer and an Add sums the products onto the addend. Each of
    # those roundings may then be relative to a number as large as the addend. The rule charges this
    # wherever a runtime may do so.
    fused = 0.0
    if operator in ("Add", "Sub"):
        for source in sources:
            if source.open_terms:
                addends = sum_up(*constants, *(other.computed_norm for other in sources if other is not source))
                fused = sum_up(fused, product_up(gamma(source.open_terms + 1, UNIT_ROUNDOFF[dtype]), addends))
    pending_factors = 0 if operator in ("Add", "Sub") else sources[0].pending_factors + 1
    error = sum_up(input_error, rounding, fused, 3 * math.sqrt(result.size) * SMALLEST_NORMAL)
    values = TensorBounds(
        result.ravel(),
        centre_error,
        lipschitz,
        input_radius,
        error,
        dtype,
        terms + 1 if terms else 0,
        magnitude,
        pending_factors,
    )
    return full_view(values, result.shape)


def cast(node: NodeProto, inputs: list[Tensor], opset: int) -> TensorView:
    (view,) = inputs
    dtype = helper.tensor_dtype_to_np_dtype(node_attributes(node)["to"])
    require(dtype in UNIT_ROUNDOFF, f"a cast to {dtype}")
    source = view.materialise()
    error = source.error
    if dtype != np.float64:
        rounded = product_up(UNIT_ROUNDOFF[dtype], source.computed_norm)
        error = sum_up(error, rounded, math.sqrt(view.index.size) * SMALLEST_NORMAL)
    # A runtime may remove a cast that changes nothing, and then sum the addend after it with the
    # products before it.
    open_sum = (source.open_terms, source.open_magnitude, source.pending_factors)
    values = TensorBounds(
        source.centre, source.centre_error, source.lipschitz, source.input_radius, error, dtype, *open_sum
    )
    return full_view(values, view.index.shape)


def relu(node: NodeProto, inputs: list[Tensor], opset: int) -> TensorView:
    (view,) = inputs
    return nonexpansive_layer(view.materialise(), run_node(node, [view.centre], opset))


def max_pool(node: NodeProto, inputs: list[Tensor], opset: int) -> TensorView:
    (view,) = inputs
    settings = node_attributes(node)
    window, stride = (settings["kernel_shape"], settings.get("strides", [1] * len(settings["kernel_shape"])))
    require(all(step >= size for step, size in zip(stride, window, strict=True)), "MaxPool with windows that overlap")
    require(set(settings.get("dilations", [1])) == {1}, "MaxPool with gaps")
    require(len(node.output) == 1, "the indices of MaxPool")
    return nonexpansive_layer(view.materialise(), run_node(node, [view.centre], opset))


def average_pool(node: NodeProto, inputs: list[Tensor], opset: int) -> TensorView:
    (view,) = inputs
    settings = node_attributes(node)
    if node.op_type == "AveragePool":
        window = settings["kernel_shape"]
        require(
            settings.get("strides", [1] * len(window)) == window, "AveragePool with windows that overlap or leave gaps"
        )
        require(not any(settings.get("pads", [0])) and not settings.get("ceil_mode", 0), "AveragePool with padding")
        require(set(settings.get("dilations", [1])) == {1}, "AveragePool with gaps")
        require(settings.get("auto_pad", b"NOTSET") == b"NOTSET", "auto_pad")
    else:
        window = view.index.shape[2:]
    size = math.prod(window)
    norm_bound = sqrt_up(1 / size + FLOAT64_UNIT)
    norms = WeightNorms(norm_bound, norm_bound, norm_bound)
    return linear_layer(view.materialise(), run_node(node, [view.centre], opset), norms, size, 0.0)


# Another attribute, also one that a later opset adds, may change what the node computes. Such a
# node is rejected.
ALLOWED_ATTRIBUTES: dict[str, set[str]] = {
    "Conv": {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"},
    "Gemm": {"alpha", "beta", "transA", "transB"},
    "Cast": {"to", "saturate"},
    "MaxPool": {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"},
    "AveragePool": {"auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"},
}


OPERATOR_RULES: dict[str, Callable[[NodeProto, list[Tensor], int], TensorView]] = {
    "Conv": conv,
    "Gemm": gemm,
    "MatMul": matmul,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), arithmetic),
    "Cast": cast,
    "Relu": relu,
    "MaxPool": max_pool,
    **dict.fromkeys(("AveragePool", "GlobalAveragePool"), average_pool),
}
