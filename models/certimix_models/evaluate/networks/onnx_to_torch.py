"""An ONNX graph as a differentiable torch module, for the plain operators that this project's models are made of.

Not onnx2torch: it has no SpaceToDepth and needs torchvision to import. An operator that is not in the table is
refused by name.
"""

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional


class OnnxModule(nn.Module):
    """Runs the graph node by node. The float weights are frozen parameters, so a backward pass computes gradients of
    inputs alone."""

    def __init__(self, content: bytes):
        super().__init__()
        graph = onnx.load_from_string(content).graph
        unknown = sorted({node.op_type for node in graph.node} - OPERATORS.keys() - {"Constant"})
        if unknown:
            raise SystemExit(f"onnx_torch.py knows no {', '.join(unknown)}")
        self.slots = {}  # the name in the graph -> the name of the tensor in this module
        for initializer in graph.initializer:
            self._keep(initializer.name, numpy_helper.to_array(initializer))
        self.nodes = []
        for node in graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
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
            found = operator(attributes, [values[name] if name else None for name in inputs])
            found = found if isinstance(found, (list, tuple)) else [found]
            values.update(zip(outputs, found, strict=True))
        return values[self.output_name]


def _padded(x: Tensor, a: dict, value: float) -> Tensor:
    """ONNX lists all beginnings and then all ends; torch lists pairs from the last axis."""
    if a.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise SystemExit("onnx_torch.py knows explicit padding only")
    pads = a.get("pads", [])
    if not any(pads):
        return x
    half = len(pads) // 2
    return functional.pad(x, [pads[axis + end] for axis in reversed(range(half)) for end in (0, half)], value=value)


def _conv(a: dict, inputs: list) -> Tensor:
    x, kernel, bias = [*inputs, None][:3]
    spatial = kernel.dim() - 2
    convolve = {1: functional.conv1d, 2: functional.conv2d}[spatial]
    # Symmetric padding goes to the convolution itself, which spares a copy.
    pads = a.get("pads", [0] * 2 * spatial)
    padding = pads[:spatial] if pads[:spatial] == pads[spatial:] else [0] * spatial
    x = x if any(padding) else _padded(x, a, 0.0)
    return convolve(x, kernel, bias, a.get("strides", 1), padding, a.get("dilations", 1), a.get("group", 1))


def _max_pool(a: dict, inputs: list) -> Tensor:
    x = _padded(inputs[0], a, float("-inf"))
    return functional.max_pool2d(x, a["kernel_shape"], a.get("strides", [1, 1]), ceil_mode=bool(a.get("ceil_mode", 0)))


def _average_pool(a: dict, inputs: list) -> Tensor:
    if any(a.get("pads", [])) and not a.get("count_include_pad", 0):
        raise SystemExit("onnx_torch.py counts the padding of an AveragePool")
    x = _padded(inputs[0], a, 0.0)
    return functional.avg_pool2d(x, a["kernel_shape"], a.get("strides", [1, 1]), ceil_mode=bool(a.get("ceil_mode", 0)))


def _gemm(a: dict, inputs: list) -> Tensor:
    x, weight, bias = [*inputs, None][:3]
    x = x.t() if a.get("transA") else x
    product = a.get("alpha", 1.0) * (x @ (weight.t() if a.get("transB") else weight))
    return product if bias is None else product + a.get("beta", 1.0) * bias


def _flatten(a: dict, inputs: list) -> Tensor:
    x, axis = inputs[0], a.get("axis", 1)
    if axis == 1:
        return x.flatten(1)
    raise SystemExit("onnx_torch.py flattens behind the batch axis only")


def _reshape(a: dict, inputs: list) -> Tensor:
    x, shape = inputs
    # 0 keeps an axis. A first axis of -1 or 0 is the batch.
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape.tolist())])


def _split(a: dict, inputs: list) -> tuple:
    x, axis = inputs[0], a.get("axis", 0)
    if len(inputs) > 1 and inputs[1] is not None:
        return torch.split(x, inputs[1].tolist(), axis)
    if "split" in a:
        return torch.split(x, list(a["split"]), axis)
    return torch.chunk(x, a.get("num_outputs", 2), axis)


def _slice(a: dict, inputs: list) -> Tensor:
    x, starts, ends = inputs[0], inputs[1].tolist(), inputs[2].tolist()
    axes = inputs[3].tolist() if len(inputs) > 3 and inputs[3] is not None else range(len(starts))
    steps = inputs[4].tolist() if len(inputs) > 4 else [1] * len(starts)
    selection = [slice(None)] * x.dim()
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        selection[axis] = slice(start, end, step)
    return x[tuple(selection)]


def _pad(a: dict, inputs: list) -> Tensor:
    pads, mode = inputs[1].tolist(), a.get("mode", b"constant").decode()
    value = float(inputs[2]) if len(inputs) > 2 and inputs[2] is not None else 0.0
    if mode == "constant":
        return _padded(inputs[0], {"pads": pads}, value)
    axes = len(pads) // 2  # torch's other modes pad the last two axes of images
    if any(pads[: axes - 2]) or any(pads[axes : 2 * axes - 2]):
        raise SystemExit("onnx_torch.py reflects, repeats and wraps the last two axes only")
    sides = [pads[axes - 1], pads[2 * axes - 1], pads[axes - 2], pads[2 * axes - 2]]
    return functional.pad(inputs[0], sides, mode={"reflect": "reflect", "edge": "replicate", "wrap": "circular"}[mode])


def _space_to_depth(a: dict, inputs: list) -> Tensor:
    x, b = inputs[0], a["blocksize"]
    n, c, h, w = x.shape
    # ONNX puts the place within a block before the channel; torch's pixel_unshuffle the other way round.
    return x.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


def _folded(function):
    """Max, Min and Sum take any number of inputs."""

    def operator(a: dict, inputs: list) -> Tensor:
        result = inputs[0]
        for value in inputs[1:]:
            result = function(result, value)
        return result

    return operator


OPERATORS = {
    "Abs": lambda a, i: i[0].abs(),
    "Add": lambda a, i: i[0] + i[1],
    "AveragePool": _average_pool,
    "Cast": lambda a, i: i[0],  # a network that computes in float64 is attacked in float32, which is close enough
    "Concat": lambda a, i: torch.cat(i, a["axis"]),
    "Conv": _conv,
    "Div": lambda a, i: i[0] / i[1],
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda a, i: i[0].mean(dim=tuple(range(2, i[0].dim())), keepdim=True),
    "GlobalMaxPool": lambda a, i: i[0].amax(dim=tuple(range(2, i[0].dim())), keepdim=True),
    "Identity": lambda a, i: i[0],
    "MatMul": lambda a, i: i[0] @ i[1],
    "Max": _folded(torch.maximum),
    "MaxPool": _max_pool,
    "Min": _folded(torch.minimum),
    "Mul": lambda a, i: i[0] * i[1],
    "Neg": lambda a, i: -i[0],
    "Pad": _pad,
    "Relu": lambda a, i: torch.relu(i[0]),
    "Reshape": _reshape,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Sub": lambda a, i: i[0] - i[1],
    "Sum": _folded(torch.add),
    "Transpose": lambda a, i: i[0].permute(*a["perm"]),
}
