"""An ONNX graph as a differentiable torch module, for the plain operators of this project's models.

The package onnx2torch does not serve: it has no SpaceToDepth and imports torchvision. An operator
that is not in the table is rejected by name.
"""

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional


class OnnxModule(nn.Module):
    """Runs the graph node by node. The float weights are frozen parameters, so a backward pass
    computes only gradients of inputs.
    """

    def __init__(self, content: bytes):
        super().__init__()
        graph = onnx.load_from_string(content).graph
        unsupported = sorted({node.op_type for node in graph.node} - OPERATORS.keys() - {"Constant"})
        if unsupported:
            raise SystemExit(f"cannot convert the ONNX operators {', '.join(unsupported)} to torch")
        self.slots = {}  # the name in the graph -> the name of the tensor in this module
        for initializer in graph.initializer:
            self._keep(initializer.name, numpy_helper.to_array(initializer))
        self.nodes = []
        for node in graph.node:
            attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
            if node.op_type == "Constant":
                (value,) = attributes.values()
                self._keep(node.output[0], numpy_helper.to_array(value))
            else:
                self.nodes.append((OPERATORS[node.op_type], list(node.input), list(node.output), attributes))
        (self.input_name,) = {value.name for value in graph.input} - self.slots.keys()
        self.output_name = graph.output[0].name
        self.requires_grad_(False).eval()

    def _keep(self, name: str, array) -> None:
        slot = self.slots[name] = f"tensor{len(self.slots)}"
        value = torch.from_numpy(array.copy())
        if value.is_floating_point():
            self.register_parameter(slot, nn.Parameter(value, requires_grad=False))
        else:
            self.register_buffer(slot, value)

    def forward(self, x: Tensor) -> Tensor:
        values = {name: getattr(self, slot) for name, slot in self.slots.items()}
        values[self.input_name] = x
        for operator, inputs, outputs, attributes in self.nodes:
            results = operator(attributes, [values[name] if name else None for name in inputs])
            results = results if isinstance(results, (list, tuple)) else [results]
            values.update(zip(outputs, results, strict=True))
        return values[self.output_name]


def _padded(x: Tensor, attributes: dict, value: float) -> Tensor:
    """ONNX lists all beginnings, then all ends; torch lists pairs from the last axis."""
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise SystemExit("can convert explicit padding only")
    pads = attributes.get("pads", [])
    if not any(pads):
        return x
    half = len(pads) // 2
    return functional.pad(x, [pads[axis + end] for axis in reversed(range(half)) for end in (0, half)], value=value)


def _conv(attributes: dict, inputs: list) -> Tensor:
    x, kernel, bias = [*inputs, None][:3]
    spatial = kernel.dim() - 2
    convolve = {1: functional.conv1d, 2: functional.conv2d}[spatial]
    # The convolution itself applies symmetric padding, which saves a copy.
    pads = attributes.get("pads", [0] * 2 * spatial)
    padding = pads[:spatial] if pads[:spatial] == pads[spatial:] else [0] * spatial
    x = x if any(padding) else _padded(x, attributes, 0.0)
    return convolve(
        x,
        kernel,
        bias,
        attributes.get("strides", 1),
        padding,
        attributes.get("dilations", 1),
        attributes.get("group", 1),
    )


def _max_pool(attributes: dict, inputs: list) -> Tensor:
    x = _padded(inputs[0], attributes, float("-inf"))
    return functional.max_pool2d(
        x, attributes["kernel_shape"], attributes.get("strides", [1, 1]), ceil_mode=bool(attributes.get("ceil_mode", 0))
    )


def _average_pool(attributes: dict, inputs: list) -> Tensor:
    if any(attributes.get("pads", [])) and not attributes.get("count_include_pad", 0):
        raise SystemExit("can convert an AveragePool only if it counts its padding")
    x = _padded(inputs[0], attributes, 0.0)
    return functional.avg_pool2d(
        x, attributes["kernel_shape"], attributes.get("strides", [1, 1]), ceil_mode=bool(attributes.get("ceil_mode", 0))
    )


def _gemm(attributes: dict, inputs: list) -> Tensor:
    x, weight, bias = [*inputs, None][:3]
    x = x.t() if attributes.get("transA") else x
    product = attributes.get("alpha", 1.0) * (x @ (weight.t() if attributes.get("transB") else weight))
    return product if bias is None else product + attributes.get("beta", 1.0) * bias


def _flatten(attributes: dict, inputs: list) -> Tensor:
    x, axis = inputs[0], attributes.get("axis", 1)
    if axis == 1:
        return x.flatten(1)
    raise SystemExit("can convert a Flatten behind the batch axis only")


def _reshape(attributes: dict, inputs: list) -> Tensor:
    x, shape = inputs
    # 0 keeps an axis. A first axis of -1 or 0 is the batch.
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape.tolist())])


def _split(attributes: dict, inputs: list) -> tuple:
    x, axis = inputs[0], attributes.get("axis", 0)
    if len(inputs) > 1 and inputs[1] is not None:
        return torch.split(x, inputs[1].tolist(), axis)
    if "split" in attributes:
        return torch.split(x, list(attributes["split"]), axis)
    return torch.chunk(x, attributes.get("num_outputs", 2), axis)


def _slice(attributes: dict, inputs: list) -> Tensor:
    x, starts, ends = inputs[0], inputs[1].tolist(), inputs[2].tolist()
    axes = inputs[3].tolist() if len(inputs) > 3 and inputs[3] is not None else range(len(starts))
    steps = inputs[4].tolist() if len(inputs) > 4 else [1] * len(starts)
    selection = [slice(None)] * x.dim()
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        selection[axis] = slice(start, end, step)
    return x[tuple(selection)]


def _pad(attributes: dict, inputs: list) -> Tensor:
    pads, mode = inputs[1].tolist(), attributes.get("mode", b"constant").decode()
    value = float(inputs[2]) if len(inputs) > 2 and inputs[2] is not None else 0.0
    if mode == "constant":
        return _padded(inputs[0], {"pads": pads}, value)
    axes = len(pads) // 2  # torch's other modes pad the last two axes of images
    if any(pads[: axes - 2]) or any(pads[axes : 2 * axes - 2]):
        raise SystemExit("can reflect, repeat and wrap the last two axes only")
    sides = [pads[axes - 1], pads[2 * axes - 1], pads[axes - 2], pads[2 * axes - 2]]
    return functional.pad(inputs[0], sides, mode={"reflect": "reflect", "edge": "replicate", "wrap": "circular"}[mode])


def _space_to_depth(attributes: dict, inputs: list) -> Tensor:
    x, block = inputs[0], attributes["blocksize"]
    n, c, h, w = x.shape
    # ONNX orders by the position in the block before the channel, torch's pixel_unshuffle the other
    # way round.
    return (
        x.reshape(n, c, h // block, block, w // block, block)
        .permute(0, 3, 5, 1, 2, 4)
        .reshape(n, c * block * block, h // block, w // block)
    )


def _matmul(attributes: dict, inputs: list) -> Tensor:
    left, right = inputs
    if left.dim() != 2 or right.dim() != 3:
        return left @ right
    # One product for the whole batch is a quarter faster than one for each row.
    rows, inner, columns = right.shape
    product = left @ right.transpose(0, 1).reshape(inner, rows * columns)
    return product.reshape(-1, rows, columns).transpose(0, 1)


def _reduce_inputs(function):
    """Max, Min and Sum take any number of inputs."""

    def operator(attributes: dict, inputs: list) -> Tensor:
        result = inputs[0]
        for value in inputs[1:]:
            result = function(result, value)
        return result

    return operator


OPERATORS = {
    "Abs": lambda attributes, inputs: inputs[0].abs(),
    "Add": lambda attributes, inputs: inputs[0] + inputs[1],
    "AveragePool": _average_pool,
    # a float64 network is attacked in float32, which is close enough
    "Cast": lambda attributes, inputs: inputs[0],
    "Concat": lambda attributes, inputs: torch.cat(inputs, attributes["axis"]),
    "Conv": _conv,
    "Div": lambda attributes, inputs: inputs[0] / inputs[1],
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda attributes, inputs: inputs[0].mean(dim=tuple(range(2, inputs[0].dim())), keepdim=True),
    "GlobalMaxPool": lambda attributes, inputs: inputs[0].amax(dim=tuple(range(2, inputs[0].dim())), keepdim=True),
    "Identity": lambda attributes, inputs: inputs[0],
    "MatMul": _matmul,
    "Max": _reduce_inputs(torch.maximum),
    "MaxPool": _max_pool,
    "Min": _reduce_inputs(torch.minimum),
    "Mul": lambda attributes, inputs: inputs[0] * inputs[1],
    "Neg": lambda attributes, inputs: -inputs[0],
    "Pad": _pad,
    "Relu": lambda attributes, inputs: torch.relu(inputs[0]),
    "Reshape": _reshape,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Sub": lambda attributes, inputs: inputs[0] - inputs[1],
    "Sum": _reduce_inputs(torch.add),
    "Transpose": lambda attributes, inputs: inputs[0].permute(*attributes["perm"]),
}
