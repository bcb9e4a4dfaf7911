"""One ONNX operator, by the reference implementation that comes with the format's own package."""

import numpy as np
from onnx import NodeProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator


def run(node: NodeProto, inputs: list[np.ndarray | None], opset: int, every: bool = False):
    """Its result for these inputs, whatever their type; with `every`, the list of its results."""
    given = dict(zip(node.input, inputs, strict=True))
    given.pop("", None)
    infos = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in given]
    results = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.output]
    graph = helper.make_graph([node], "one", infos, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    values = ReferenceEvaluator(model).run(None, given)
    return values if every else values[0]
