"""The trained networks as ONNX graphs of plain operators.

Built node by node rather than by PyTorch's exporter: the file then depends on nothing but the weights, and each batch
normalisation is folded into its convolution, in float64, and rounded to float32 once.
"""

import copy

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from lipschitz_network import LipschitzNet, MaxMin, OrthogonalConv3x3, OrthogonalLinear
from network import CLASSES, Conv3x3, ConvNet, Norm

OPSET = 17
IR_VERSION = 8  # the one that came with opset 17


class Graph:
    """Nodes and weights in the order in which they are added."""

    def __init__(self):
        self.nodes = []
        self.weights = []

    def weight(self, name: str, value: np.ndarray, dtype=np.float32) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=dtype), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def conv(self, x: str, kernel: np.ndarray, bias: np.ndarray, name: str, **attributes) -> str:
        inputs = [x, self.weight(f"{name}.weight", kernel), self.weight(f"{name}.bias", bias)]
        return self.node("Conv", inputs, name, kernel_shape=list(kernel.shape[2:]), **attributes)

    def gemm(self, x: str, weight: np.ndarray, bias: np.ndarray, name: str) -> str:
        inputs = [x, self.weight(f"{name}.weight", weight), self.weight(f"{name}.bias", bias)]
        return self.node("Gemm", inputs, name, transB=1)

    def relu(self, x: str) -> str:
        return self.node("Relu", [x], f"{x}.relu")

    def max_pool(self, x: str, size: int) -> str:
        return self.node("MaxPool", [x], f"{x}.pooled", kernel_shape=[size, size], strides=[size, size])

    def max_min(self, x: str, channels: int) -> str:
        halves = [f"{x}.first", f"{x}.second"]
        sizes = self.weight(f"{x}.sizes", np.array([channels // 2] * 2), np.int64)
        self.nodes.append(helper.make_node("Split", [x, sizes], halves, name=f"{x}.halves", axis=1))
        both = [self.node("Max", halves, f"{x}.max"), self.node("Min", halves, f"{x}.min")]
        return self.node("Concat", both, f"{x}.sorted", axis=1)


def build(network: ConvNet | LipschitzNet, name: str) -> onnx.ModelProto:
    """Input `input` float32 [N, 3, 32, 32] in [0, 1], output `logits` float32 [N, 10]."""
    graph = Graph()
    if isinstance(network, ConvNet):
        add_convnet(graph, network)
    else:
        add_lipschitz(graph, network)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 32, 32])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="certimix models/train",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def add_convnet(graph: Graph, network: ConvNet) -> None:
    shape = network.shape
    centred = graph.node("Sub", ["input", graph.weight("mean", network.mean.numpy())], "centred")
    x = graph.node("Mul", [centred, graph.weight("scale", network.scale.numpy())], "normalised")
    stem = dict(strides=[shape.stem_stride] * 2, pads=[shape.stem_padding] * 4)
    x = graph.relu(graph.conv(x, exact(network.stem.weight), exact(network.stem.bias), "stem", **stem))
    for index, group in enumerate(network.groups):
        x = graph.conv(x, *folded(group.first, group.first_norm), f"group{index}.first", pads=[1] * 4)
        x = graph.relu(graph.max_pool(x, 2))
        x = graph.relu(graph.conv(x, *folded(group.second, group.second_norm), f"group{index}.second", pads=[1] * 4))
    x = graph.node("GlobalMaxPool", [x], "pooled")
    x = graph.node("Flatten", [x], "features", axis=1)
    graph.gemm(x, exact(network.head.weight) / shape.widths[-1], np.zeros(CLASSES), "logits")


def folded(conv: Conv3x3, norm: Norm) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the one convolution that does what the convolution and its normalisation do; a positive
    factor, so that a max-pooling between the two may come after both."""
    factor = 1 / np.sqrt(exact(norm.running_var) + norm.eps)
    return exact(conv.kernel()) * factor[:, None, None, None], exact(norm.bias) - exact(norm.running_mean) * factor


def add_lipschitz(graph: Graph, network: LipschitzNet) -> None:
    network = copy.deepcopy(network).double()
    network.constrain()  # as orthogonal as float64 can say, before the weights are rounded once
    x = graph.node("Sub", ["input", graph.weight("mean", network.mean.numpy())], "centred")
    channels, flat, order = 3, False, slice(None)
    for index, layer in enumerate(network.layers):
        name = "logits" if index == len(network.layers) - 1 else f"layer{index}"
        match layer:
            case nn.PixelUnshuffle(downscale_factor=factor):
                x = graph.node("SpaceToDepth", [x], name, blocksize=factor)
                # ONNX numbers the channels by the place in the block first, PyTorch by the old channel first.
                order = np.arange(channels * factor**2).reshape(channels, factor**2).T.ravel()
                channels *= factor**2
            case MaxMin():
                x = graph.max_min(x, channels)
            case nn.Flatten():
                x, flat = graph.node("Flatten", [x], name, axis=1), True
            case OrthogonalConv3x3():
                x = graph.conv(x, exact(layer.kernel())[:, order], exact(layer.bias), name, pads=[1] * 4)
                channels, order = layer.outputs, slice(None)
            case OrthogonalLinear() if flat:
                x = graph.gemm(x, exact(layer.kernel()), exact(layer.bias), name)
                channels = len(layer.bias)
            case OrthogonalLinear():
                x = graph.conv(x, exact(layer.kernel())[:, order, None, None], exact(layer.bias), name)
                channels, order = len(layer.bias), slice(None)


def exact(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()
