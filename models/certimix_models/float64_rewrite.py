"""Rewrites a network so that it computes in float64 between its float32 input and its float32
output.

A Lipschitz certificate pays for the rounding of the logits, at any input that an attacker may
choose. The provable error of float32 sums over hundreds of products, in any order, is not small
against the margins. The error of float64 sums is negligible; what remains is one rounding of each
logit to float32. The weights stay the same float32 numbers.

ONNX Runtime has no float64 convolution on a CPU. A convolution becomes a matrix product with the
shifted copies of its input.
"""

import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference


def run(options: argparse.Namespace) -> None:
    model = rewrite_to_float64(onnx.load(options.network))
    options.rewritten.write_bytes(model.SerializeToString(deterministic=True))


def rewrite_to_float64(model: onnx.ModelProto) -> onnx.ModelProto:
    return _Float64Rewriter(model).rewritten_model()


class _Float64Rewriter:
    def __init__(self, model: onnx.ModelProto):
        self.model = model
        inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
        infos = [*inferred.input, *inferred.value_info, *inferred.output]
        self.shapes = {info.name: [axis.dim_value for axis in info.type.tensor_type.shape.dim] for info in infos}
        self.weights = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
        self.renamed: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, np.ndarray] = {}

    def add_node(self, operator: str, inputs: list[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def add_integers(self, values: list[int]) -> str:
        name = "integers." + ".".join(map(str, values))
        self.initializers[name] = np.array(values, dtype=np.int64)
        return name

    def widened(self, name: str, value: np.ndarray) -> str:
        """The same numbers as float64. The runtime casts them once, when it loads the model."""
        if value.dtype != np.float32:
            self.initializers[name] = value
            return name
        if name not in self.initializers:
            self.initializers[name] = value
            self.add_node("Cast", [name], f"{name}.float64", to=TensorProto.DOUBLE)
        return f"{name}.float64"

    def input_of(self, name: str) -> str:
        if name in self.weights:
            return self.widened(name, self.weights[name])
        return self.renamed.get(name, name)

    def add_convolution(self, node: onnx.NodeProto) -> None:
        """Adds the matrix product that replaces a convolution."""
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if attributes.get("group", 1) != 1 or set(attributes.get("dilations", [1])) != {1} or "auto_pad" in attributes:
            raise SystemExit(f"{node.name}: only plain convolutions are rewritten")
        kernel, name, x = self.weights[node.input[1]], node.output[0], self.input_of(node.input[0])
        outputs, inputs, height, width = kernel.shape
        down, right = attributes.get("strides", [1, 1])
        rows, columns = self.shapes[name][2:]
        if any(attributes.get("pads", [0])):
            top, left, bottom, end = attributes["pads"]
            x = self.add_node("Pad", [x, self.add_integers([0, 0, top, left, 0, 0, bottom, end])], f"{name}.padded")
        taps = []
        for i in range(height):
            for j in range(width):
                starts, ends = [i, j], [i + down * (rows - 1) + 1, j + right * (columns - 1) + 1]
                picked = [self.add_integers(values) for values in (starts, ends, [2, 3], [down, right])]
                taps.append(self.add_node("Slice", [x, *picked], f"{name}.tap{i}{j}"))
        shifted = self.add_node("Concat", taps, f"{name}.taps", axis=1) if len(taps) > 1 else taps[0]
        flat = self.add_node(
            "Reshape", [shifted, self.add_integers([0, inputs * height * width, rows * columns])], f"{name}.columns"
        )
        matrix = np.ascontiguousarray(kernel.transpose(0, 2, 3, 1).reshape(outputs, -1))
        result = self.add_node("MatMul", [self.widened(node.input[1], matrix), flat], f"{name}.product")
        if len(node.input) > 2:
            bias = self.weights[node.input[2]].reshape(outputs, 1)
            result = self.add_node("Add", [result, self.widened(node.input[2], bias)], f"{name}.biased")
        self.add_node("Reshape", [result, self.add_integers([0, outputs, rows, columns])], name)

    def rewritten_model(self) -> onnx.ModelProto:
        graph = self.model.graph
        (input_name,) = [value.name for value in graph.input if value.name not in self.weights]
        (output,) = [value.name for value in graph.output]
        self.renamed[input_name] = self.add_node("Cast", [input_name], f"{input_name}.float64", to=TensorProto.DOUBLE)
        for node in graph.node:
            if node.op_type == "Conv":
                self.add_convolution(node)
                continue
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.input[:] = [self.input_of(name) for name in node.input]
            self.nodes.append(copy)
        for node in self.nodes:
            node.output[:] = [f"{output}.float64" if name == output else name for name in node.output]
        # the last node has the name `output`
        narrowed = {"name": f"{output}.float32", "to": TensorProto.FLOAT}
        self.nodes.append(helper.make_node("Cast", [f"{output}.float64"], [output], **narrowed))
        initializers = [numpy_helper.from_array(value, name) for name, value in self.initializers.items()]
        rewritten = helper.make_graph(self.nodes, graph.name, graph.input, graph.output, initializers)
        opsets = list(self.model.opset_import)
        model = helper.make_model(rewritten, opset_imports=opsets, ir_version=self.model.ir_version)
        model.producer_name = self.model.producer_name
        onnx.checker.check_model(model, full_check=True)
        return model
