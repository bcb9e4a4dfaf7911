"""The base of all operator rules: tensors, attributes, and the rejection of a node."""

import numpy as np
from onnx import NodeProto, helper

from certimix_models.prove.tensor_bounds import TensorView

Tensor = TensorView | np.ndarray  # a constant of the graph is an array


class NotProvable(ValueError):
    """The graph does something for which this package has no proof."""


def node_attributes(node: NodeProto) -> dict:
    """The attributes of the node, by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def require(holds: bool, why: str) -> None:
    """Raises `NotProvable` unless `holds`."""
    if not holds:
        raise NotProvable(why)
