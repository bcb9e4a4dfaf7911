"""Builds small networks for the tests, with random weights and each kind of layer that a bundled
network has or may have.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class NetworkBuilder:
    """A graph that grows node by node. Each method returns the name of its result."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0, opset: int = 19):
        self.random = np.random.default_rng(seed)
        self.shape, self.opset = shape, opset
        self.nodes, self.weights = [], []

    def weight(self, value, dtype=np.float32) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def integers(self, values) -> str:
        return self.weight(values, np.int64)

    def gaussian(self, *shape: int) -> str:
        return self.weight(self.random.standard_normal(shape) / np.sqrt(np.prod(shape[1:])))

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes):
        names = [f"t{len(self.nodes)}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=f"{operator}{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def conv(
        self, x: str, inputs: int, outputs: int, k: int = 3, stride: int = 1, padding: int = 1, wrap: bool = False
    ) -> str:
        if wrap:
            pads = self.integers([0, 0, padding, padding] * 2)
            x, padding = self.node("Pad", x, pads, mode="wrap"), 0
        kernel, bias = self.gaussian(outputs, inputs, k, k), self.gaussian(outputs)
        return self.node("Conv", x, kernel, bias, kernel_shape=[k, k], pads=[padding] * 4, strides=[stride] * 2)

    def gemm(self, x: str, inputs: int, outputs: int) -> str:
        return self.node("Gemm", x, self.gaussian(outputs, inputs), self.gaussian(outputs), transB=1)

    def max_min(self, x: str) -> str:
        first, second = self.node("Split", x, outputs=2, axis=1, num_outputs=2)
        return self.node("Concat", self.node("Max", first, second), self.node("Min", first, second), axis=1)

    def model(self, output: str) -> onnx.ModelProto:
        nodes = [*self.nodes, helper.make_node("Identity", [output], ["logits"])]
        network_input = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *self.shape])
        result = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", None])
        graph = helper.make_graph(nodes, "test", [network_input], [result], self.weights)
        opset = helper.make_opsetid("", self.opset)
        return helper.make_model(graph, opset_imports=[opset], ir_version=9)


def small_network(wrap: bool, size: int = 8, width: int = 8, opset: int = 19) -> onnx.ModelProto:
    """A small network with the layers of the bundled one: normalisation, convolutions, both ways of
    halving, two dense layers.
    """
    net = NetworkBuilder((3, size, size), opset=opset)
    x = net.node("Sub", "input", net.weight(np.full((1, 3, 1, 1), 0.47)))
    x = net.node("Mul", x, net.weight(np.reshape([4.0, 4.1, 3.9], (1, 3, 1, 1))))
    x = net.max_min(net.conv(x, 3, width, wrap=wrap))
    x = net.node("SpaceToDepth", x, blocksize=2)
    x = net.max_min(net.conv(x, 4 * width, 2 * width, wrap=wrap))
    x = net.max_min(net.conv(x, 2 * width, 2 * width, k=2, stride=2, padding=0))
    x = net.node("Flatten", x, axis=1)
    x = net.max_min(net.gemm(x, 2 * width * (size // 4) ** 2, 16))
    return net.model(net.gemm(x, 16, 10))
