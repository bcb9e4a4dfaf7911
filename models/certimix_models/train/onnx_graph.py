"""Exports the trained networks as ONNX graphs of plain operators.

The graph is built node by node, not by PyTorch's exporter. So the file depends on nothing but the
weights. Each batch normalisation is folded into its convolution, in float64, and rounded to float32
once.
"""

import copy

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from certimix_models.train.convolutional_network import CLASSES, Conv3x3, ConvNet, UnscaledBatchNorm
from certimix_models.train.lipschitz_network import (
    LipschitzNet,
    MaxMin,
    OrthogonalConv3x3,
    OrthogonalLinear,
    SpaceToDepth,
)

OPSET = 17
IR_VERSION = 8  # the one that was released with opset 17


class GraphBuilder:
    """Nodes and weights in the order in which they are added. Each method returns the name of its
    result.
    """

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
        sorted_halves = [self.node("Max", halves, f"{x}.max"), self.node("Min", halves, f"{x}.min")]
        return self.node("Concat", sorted_halves, f"{x}.sorted", axis=1)


def build_onnx_model(network: ConvNet | LipschitzNet, name: str) -> onnx.ModelProto:
    """The network with input `input` float32 [N, 3, 32, 32] in [0, 1] and output `logits` float32
    [N, 10].
    """
    graph = GraphBuilder()
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
        producer_name="certimix models/train",  # part of the exported bytes
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def add_convnet(graph: GraphBuilder, network: ConvNet) -> None:
    shape = network.shape
    centred = graph.node("Sub", ["input", graph.weight("mean", network.mean.numpy())], "centred")
    x = graph.node("Mul", [centred, graph.weight("scale", network.scale.numpy())], "normalised")
    stem = dict(strides=[shape.stem_stride] * 2, pads=[shape.stem_padding] * 4)
    x = graph.relu(graph.conv(x, to_float64(network.stem.weight), to_float64(network.stem.bias), "stem", **stem))
    for index, group in enumerate(network.groups):
        x = graph.conv(x, *fold_batch_norm(group.first, group.first_norm), f"group{index}.first", pads=[1] * 4)
        x = graph.relu(graph.max_pool(x, 2))
        x = graph.relu(
            graph.conv(x, *fold_batch_norm(group.second, group.second_norm), f"group{index}.second", pads=[1] * 4)
        )
    x = graph.node("GlobalMaxPool", [x], "pooled")
    x = graph.node("Flatten", [x], "features", axis=1)
    graph.gemm(x, to_float64(network.head.weight) / shape.widths[-1], np.zeros(CLASSES), "logits")


def fold_batch_norm(conv: Conv3x3, norm: UnscaledBatchNorm) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of one convolution that equals the convolution followed by its normalisation.
    Its factor is positive, so a max-pooling between the two may follow both.
    """
    factor = 1 / np.sqrt(to_float64(norm.running_var) + norm.eps)
    return to_float64(conv.kernel()) * factor[:, None, None, None], to_float64(norm.bias) - to_float64(
        norm.running_mean
    ) * factor


def add_lipschitz(graph: GraphBuilder, network: LipschitzNet) -> None:
    network = copy.deepcopy(network).double()
    network.project_weights(iterations=5)  # as orthogonal as float64 allows, before the weights are rounded once
    x = graph.node("Sub", ["input", graph.weight("mean", network.mean.numpy())], "centred")
    channels, is_flat = 3, False
    for index, layer in enumerate(network.layers):
        name = "logits" if index == len(network.layers) - 1 else f"layer{index}"
        match layer:
            case SpaceToDepth():
                x = graph.node("SpaceToDepth", [x], name, blocksize=2)
                channels *= 4
            case MaxMin():
                x = graph.max_min(x, channels)
            case nn.Flatten():
                x, is_flat = graph.node("Flatten", [x], name, axis=1), True
            case OrthogonalConv3x3():
                x = graph.conv(x, to_float64(layer.kernel()), to_float64(layer.bias), name, pads=[1] * 4)
                channels = layer.outputs
            case OrthogonalLinear() if is_flat:
                x = graph.gemm(x, to_float64(layer.kernel()), to_float64(layer.bias), name)
                channels = len(layer.bias)
            case OrthogonalLinear():
                x = graph.conv(x, to_float64(layer.kernel())[:, :, None, None], to_float64(layer.bias), name)
                channels = len(layer.bias)


def to_float64(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()
