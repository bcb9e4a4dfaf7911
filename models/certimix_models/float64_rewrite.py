"""Rewrites a network so that it computes in float64 between its float32 input and its float32
output.

A Lipschitz certificate pays for the rounding of the logits, at any input that an attacker may
choose. The provable error of float32 sums over hundreds of products, in any order, is not small
against the margins (`prove` computes it). The error of float64 sums is negligible; what remains is
one rounding of each logit to float32. The weights stay the same float32 numbers.

ONNX Runtime has no float64 convolution and no float64 average pooling on a CPU. A convolution
becomes a matrix product with the shifted copies of its input. An average becomes a matrix product
with the elements of each window.
"""

import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference


class NotRewritable(ValueError):
    """The graph holds something that this module cannot rewrite."""


def run(options: argparse.Namespace) -> None:
    try:
        model = rewrite_to_float64(onnx.load(options.network))
    except NotRewritable as reason:
        raise SystemExit(f"{options.network}: {reason}") from reason
    options.rewritten.write_bytes(model.SerializeToString(deterministic=True))
    print(f"wrote {options.rewritten}; `certimix_models prove {options.rewritten} --range LOW HIGH --write` proves it")


def rewrite_to_float64(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network in float64. Raises `NotRewritable` if a layer has no rewrite."""
    return _Float64Rewriter(model).rewritten_model()


class _Float64Rewriter:
    def __init__(self, model: onnx.ModelProto):
        self.model = model
        inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
        infos = [*inferred.input, *inferred.value_info, *inferred.output]
        self.shapes = {info.name: [axis.dim_value for axis in info.type.tensor_type.shape.dim] for info in infos}
        self.weights = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
        for node in model.graph.node:  # exporters store weights in nodes too, or give them second names
            if node.op_type == "Constant" and [attribute.name for attribute in node.attribute] == ["value"]:
                self.weights[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            elif node.op_type == "Identity" and node.input[0] in self.weights:
                self.weights[node.output[0]] = self.weights[node.input[0]]
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
        stored = self.initializers.get(name)
        if stored is not None and stored.shape != value.shape:  # another layer uses it in another shape
            name = f"{name}.{'x'.join(map(str, value.shape))}"
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

    def require(self, node: onnx.NodeProto, holds: bool, why: str) -> None:
        if not holds:
            raise NotRewritable(f"node '{node.name or node.output[0]}' ({node.op_type}): {why}")

    def attributes_of(self, node: onnx.NodeProto) -> dict:
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        self.require(node, attributes.get("auto_pad", b"NOTSET") == b"NOTSET", "auto_pad; state the padding as pads")
        return attributes

    def image_size(self, node: onnx.NodeProto, name: str) -> list[int]:
        """The height and width of a tensor [N, C, H, W]."""
        size = self.shapes.get(name, [])[2:]
        self.require(node, len(size) == 2 and all(size), "the size of its images does not follow from the graph")
        return size

    def add_average(self, node: onnx.NodeProto) -> None:
        """Adds the matrix product that replaces AveragePool (windows side by side, without padding)
        or GlobalAveragePool.
        """
        attributes, name, x = self.attributes_of(node), node.output[0], self.input_of(node.input[0])
        height, width = self.image_size(node, node.input[0])
        channels = self.shapes[node.input[0]][1]
        window = attributes.get("kernel_shape", [height, width])
        side_by_side = attributes.get("strides", [1, 1]) == window or node.op_type == "GlobalAveragePool"
        self.require(node, side_by_side and len(window) == 2, "windows that overlap or leave gaps")
        self.require(node, not any(attributes.get("pads", [0])), "padding")
        self.require(node, not attributes.get("ceil_mode", 0), "ceil_mode")
        self.require(node, set(attributes.get("dilations", [1])) == {1}, "a dilated window")
        rows, columns = height // window[0], width // window[1]
        if [rows * window[0], columns * window[1]] != [height, width]:
            ends = [rows * window[0], columns * window[1]]
            limits = [self.add_integers(values) for values in ([0, 0], ends, [2, 3])]
            x = self.add_node("Slice", [x, *limits], f"{name}.covered")
        blocks = [0, channels, rows, window[0], columns, window[1]]
        x = self.add_node("Reshape", [x, self.add_integers(blocks)], f"{name}.blocks")
        x = self.add_node("Transpose", [x], f"{name}.windows", perm=[0, 1, 2, 4, 3, 5])
        size = window[0] * window[1]
        x = self.add_node(
            "Reshape", [x, self.add_integers([0, channels * rows * columns, size])], f"{name}.flat_windows"
        )
        weight = f"average.{size}"
        self.initializers[weight] = np.full((size, 1), 1 / size)
        x = self.add_node("MatMul", [x, weight], f"{name}.averages")
        self.add_node("Reshape", [x, self.add_integers([0, channels, rows, columns])], name)

    def add_convolution(self, node: onnx.NodeProto) -> None:
        """Adds the matrix product that replaces a convolution."""
        attributes = self.attributes_of(node)
        self.require(node, attributes.get("group", 1) == 1, "a convolution in groups")
        self.require(node, set(attributes.get("dilations", [1])) == {1}, "a dilated convolution")
        self.require(node, all(name in self.weights for name in node.input[1:]), "weights that are computed")
        self.require(node, self.weights[node.input[1]].ndim == 4, "a convolution that is not of images")
        kernel, name, x = self.weights[node.input[1]], node.output[0], self.input_of(node.input[0])
        outputs, inputs, height, width = kernel.shape
        down, right = attributes.get("strides", [1, 1])
        rows, columns = self.image_size(node, name)
        if any(attributes.get("pads", [0])):
            top, left, bottom, end = attributes["pads"]
            x = self.add_node("Pad", [x, self.add_integers([0, 0, top, left, 0, 0, bottom, end])], f"{name}.padded")
        taps = []
        for i in range(height):
            for j in range(width):
                starts, ends = [i, j], [i + down * (rows - 1) + 1, j + right * (columns - 1) + 1]
                picked = [self.add_integers(values) for values in (starts, ends, [2, 3], [down, right])]
                tap = f"tap{i}{j}" if max(height, width) <= 10 else f"tap{i}.{j}"
                taps.append(self.add_node("Slice", [x, *picked], f"{name}.{tap}"))
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

    def add_copy(self, node: onnx.NodeProto) -> None:
        """Adds the node as it is. A cast to float32 becomes one to float64."""
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [self.input_of(name) for name in node.input]
        for attribute in copy.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
        self.nodes.append(copy)

    def rewritten_model(self) -> onnx.ModelProto:
        graph = self.model.graph
        inputs = [value.name for value in graph.input if value.name not in self.weights]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise NotRewritable("one input and one output are expected")
        (input_name,), (output,) = inputs, [value.name for value in graph.output]
        self.renamed[input_name] = self.add_node("Cast", [input_name], f"{input_name}.float64", to=TensorProto.DOUBLE)
        for node in graph.node:
            if node.op_type == "Conv":
                self.add_convolution(node)
            elif node.op_type in ("AveragePool", "GlobalAveragePool"):
                self.add_average(node)
            elif node.output[0] not in self.weights:
                self.add_copy(node)
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [f"{output}.float64" if name == output else name for name in names]
        # the last node has the name `output`
        narrowed = {"name": f"{output}.float32", "to": TensorProto.FLOAT}
        self.nodes.append(helper.make_node("Cast", [f"{output}.float64"], [output], **narrowed))
        initializers = [numpy_helper.from_array(value, name) for name, value in self.initializers.items()]
        rewritten = helper.make_graph(self.nodes, graph.name, graph.input, graph.output, initializers)
        opsets = list(self.model.opset_import)
        model = helper.make_model(rewritten, opset_imports=opsets, ir_version=self.model.ir_version)
        model.producer_name = self.model.producer_name
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, shape_inference.InferenceError) as error:
            raise NotRewritable(f"the rewritten network is not valid ONNX: {error}") from error
        return model
