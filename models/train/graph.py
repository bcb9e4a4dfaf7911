"""The trained network as an ONNX graph of plain Sub, Mul, Conv, Relu, Add, GlobalAveragePool, Flatten and Gemm.

Built node by node rather than by PyTorch's exporter: the file then depends on nothing but the weights, and each batch
normalisation is folded into its convolution, in float64, and rounded to float32 once.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from network import CLASSES, Block, ConvBn, ResNet20

OPSET = 17
IR_VERSION = 8  # the one that came with opset 17


class Graph:
    """Nodes and weights in the order in which they are added."""

    def __init__(self):
        self.nodes = []
        self.weights = []

    def weight(self, name: str, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def conv(self, layer: ConvBn, x: str, name: str) -> str:
        kernel, bias = folded(layer)
        inputs = [x, self.weight(f"{name}.weight", kernel), self.weight(f"{name}.bias", bias)]
        (padding, _), (stride, _) = layer.conv.padding, layer.conv.stride
        return self.node(
            "Conv", inputs, name, kernel_shape=list(kernel.shape[2:]), pads=[padding] * 4, strides=[stride] * 2
        )

    def relu(self, x: str) -> str:
        return self.node("Relu", [x], f"{x}.relu")

    def block(self, block: Block, x: str, name: str) -> str:
        first = self.relu(self.conv(block.first, x, f"{name}.first"))
        second = self.conv(block.second, first, f"{name}.second")
        skip = x if block.shortcut is None else self.conv(block.shortcut, x, f"{name}.shortcut")
        return self.relu(self.node("Add", [second, skip], f"{name}.sum"))


def folded(layer: ConvBn) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the one convolution that does what the convolution and its normalisation do."""
    kernel, gain, shift, mean, variance = (
        tensor.detach().double().numpy()
        for tensor in (layer.conv.weight, layer.bn.weight, layer.bn.bias, layer.bn.running_mean, layer.bn.running_var)
    )
    factor = gain / np.sqrt(variance + layer.bn.eps)
    return kernel * factor[:, None, None, None], shift - mean * factor


def build(network: ResNet20, name: str) -> onnx.ModelProto:
    """Input `input` float32 [N, 3, 32, 32] in [0, 1], output `logits` float32 [N, 10]."""
    graph = Graph()
    centred = graph.node("Sub", ["input", graph.weight("mean", network.mean.numpy())], "centred")
    x = graph.node("Mul", [centred, graph.weight("scale", network.scale.numpy())], "normalised")
    x = graph.relu(graph.conv(network.stem, x, "stem"))
    for index, block in enumerate(network.blocks):
        x = graph.block(block, x, f"block{index}")
    x = graph.node("GlobalAveragePool", [x], "pooled")
    x = graph.node("Flatten", [x], "features", axis=1)
    head = [
        graph.weight("head.weight", network.head.weight.detach().numpy()),
        graph.weight("head.bias", network.head.bias.detach().numpy()),
    ]
    graph.node("Gemm", [x, *head], "logits", transB=1)

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
