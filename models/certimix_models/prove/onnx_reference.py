"""Runs one ONNX operator by the reference implementation of the `onnx` package."""

import numpy as np
from onnx import NodeProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator


def run_node(node: NodeProto, inputs: list[np.ndarray | None], opset: int, all_outputs: bool = False):
    """The first result of the node for these inputs, of any type; with `all_outputs`, the list of
    its results.
    """
    feeds = dict(zip(node.input, inputs, strict=True))
    feeds.pop("", None)
    infos = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in feeds]
    results = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.output]
    graph = helper.make_graph([node], "one", infos, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    values = ReferenceEvaluator(model).run(None, feeds)
    return values if all_outputs else values[0]
