"""Rewrites a network so that it computes in float64 between its float32 input and its float32 output.

    python models/train/float64.py network.onnx float64.onnx

Why: a Lipschitz certificate pays for the rounding of the logits, at whatever input an attacker may choose. What can be proved
of float32 sums over hundreds of products, in any order, is not small against the margins; of float64 it is next to nothing,
and what remains is one rounding of each logit to float32. The weights stay the same float32 numbers.

ONNX Runtime has no float64 convolution on a CPU. One becomes a matrix product with the shifted copies of its input.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference


def rewrite(model: onnx.ModelProto) -> onnx.ModelProto:
    return _Rewriting(model).result()


class _Rewriting:
    def __init__(self, model: onnx.ModelProto):
        self.model = model
        inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
        infos = [*inferred.input, *inferred.value_info, *inferred.output]
        self.shapes = {info.name: [axis.dim_value for axis in info.type.tensor_type.shape.dim] for info in infos}
        self.weights = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
        self.renamed: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.kept: dict[str, np.ndarray] = {}

    def node(self, operator: str, inputs: list[str], output: str, **given) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **given))
        return output

    def integers(self, values: list[int]) -> str:
        name = "integers." + ".".join(map(str, values))
        self.kept[name] = np.array(values, dtype=np.int64)
        return name

    def wide(self, name: str, value: np.ndarray) -> str:
        """The same numbers as float64; the runtime casts them once, when it loads the model."""
        if value.dtype != np.float32:
            self.kept[name] = value
            return name
        if name not in self.kept:
            self.kept[name] = value
            self.node("Cast", [name], f"{name}.float64", to=TensorProto.DOUBLE)
        return f"{name}.float64"

    def input_of(self, name: str) -> str:
        if name in self.weights:
            return self.wide(name, self.weights[name])
        return self.renamed.get(name, name)

    def conv(self, node: onnx.NodeProto) -> None:
        given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if given.get("group", 1) != 1 or set(given.get("dilations", [1])) != {1} or "auto_pad" in given:
            raise SystemExit(f"{node.name}: only plain convolutions are rewritten")
        kernel, name, x = self.weights[node.input[1]], node.output[0], self.input_of(node.input[0])
        outputs, inputs, height, width = kernel.shape
        down, right = given.get("strides", [1, 1])
        rows, columns = self.shapes[name][2:]
        if any(given.get("pads", [0])):
            top, left, bottom, end = given["pads"]
            x = self.node("Pad", [x, self.integers([0, 0, top, left, 0, 0, bottom, end])], f"{name}.padded")
        taps = []
        for i in range(height):
            for j in range(width):
                starts, ends = [i, j], [i + down * (rows - 1) + 1, j + right * (columns - 1) + 1]
                picked = [self.integers(values) for values in (starts, ends, [2, 3], [down, right])]
                taps.append(self.node("Slice", [x, *picked], f"{name}.tap{i}{j}"))
        shifted = self.node("Concat", taps, f"{name}.taps", axis=1) if len(taps) > 1 else taps[0]
        flat = self.node("Reshape", [shifted, self.integers([0, inputs * height * width, rows * columns])], f"{name}.columns")
        matrix = np.ascontiguousarray(kernel.transpose(0, 2, 3, 1).reshape(outputs, -1))
        result = self.node("MatMul", [self.wide(node.input[1], matrix), flat], f"{name}.product")
        if len(node.input) > 2:
            bias = self.weights[node.input[2]].reshape(outputs, 1)
            result = self.node("Add", [result, self.wide(node.input[2], bias)], f"{name}.biased")
        self.node("Reshape", [result, self.integers([0, outputs, rows, columns])], name)

    def result(self) -> onnx.ModelProto:
        graph = self.model.graph
        (given,) = [value.name for value in graph.input if value.name not in self.weights]
        (output,) = [value.name for value in graph.output]
        self.renamed[given] = self.node("Cast", [given], f"{given}.float64", to=TensorProto.DOUBLE)
        for node in graph.node:
            if node.op_type == "Conv":
                self.conv(node)
                continue
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.input[:] = [self.input_of(name) for name in node.input]
            self.nodes.append(copy)
        for node in self.nodes:
            node.output[:] = [f"{output}.float64" if name == output else name for name in node.output]
        narrowed = {"name": f"{output}.float32", "to": TensorProto.FLOAT}  # the name `output` is taken by the last node
        self.nodes.append(helper.make_node("Cast", [f"{output}.float64"], [output], **narrowed))
        initializers = [numpy_helper.from_array(value, name) for name, value in self.kept.items()]
        rewritten = helper.make_graph(self.nodes, graph.name, graph.input, graph.output, initializers)
        opsets = list(self.model.opset_import)
        model = helper.make_model(rewritten, opset_imports=opsets, ir_version=self.model.ir_version)
        model.producer_name = self.model.producer_name
        onnx.checker.check_model(model, full_check=True)
        return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("rewritten", type=Path)
    options = parser.parse_args()
    model = rewrite(onnx.load(options.network))
    options.rewritten.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
