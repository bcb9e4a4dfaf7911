"""The proof holds for batches: a graph that mixes rows is rejected, even if it is 1-Lipschitz for
one row.
"""

import unittest

import numpy as np
from onnx.reference import ReferenceEvaluator
from sample_networks import NetworkBuilder

from certimix_models.prove.graph_node import NotProvable
from certimix_models.prove.network_proof import prove_network


class BatchIndependenceTest(unittest.TestCase):
    def build(self, add_layers):
        net = NetworkBuilder((4, 2, 2), opset=17)
        return net.model(net.node("Flatten", add_layers(net), axis=1))

    def assert_rejected(self, add_layers, message="rows|batch"):
        with self.assertRaisesRegex(NotProvable, message):
            prove_network(self.build(add_layers).SerializeToString(), [4, 2, 2], 0.0, 1.0)

    def test_rejects_a_shuffle_that_is_the_identity_for_one_row(self):
        def shuffle(net: NetworkBuilder) -> str:
            flat = net.node("Flatten", "input", axis=1)
            transposed = net.node("Transpose", net.node("Reshape", flat, net.integers([16, -1])), perm=[1, 0])
            return net.node("Reshape", transposed, net.integers([-1, 16]))

        model = self.build(shuffle)
        inputs = np.random.default_rng(0).random((2, 4, 2, 2)).astype(np.float32)
        evaluate = ReferenceEvaluator(model)
        one_row, two_rows = (evaluate.run(None, {"input": rows})[0] for rows in (inputs[:1], inputs))
        np.testing.assert_array_equal(one_row, inputs[:1].reshape(1, -1))
        self.assertFalse(np.array_equal(two_rows[:1], one_row))
        self.assert_rejected(shuffle)

    def test_rejects_operators_that_mix_rows(self):
        cases = {
            "Reshape to one row": lambda net: net.node("Reshape", "input", net.integers([1, -1])),
            "Reshape to several": lambda net: net.node("Reshape", "input", net.integers([4, -1, 2, 2])),
            "Transpose": lambda net: net.node("Transpose", "input", perm=[1, 0, 2, 3]),
            "Concat": lambda net: net.node("Concat", "input", "input", axis=0),
            "Concat from the end": lambda net: net.node("Concat", "input", "input", axis=-4),
            "Slice": lambda net: net.node("Slice", "input", *(net.integers([v]) for v in (0, 1, 0))),
            "Slice backwards": lambda net: net.node(
                "Slice", "input", *(net.integers([v]) for v in (-1, -(2**62), 0, -1))
            ),
            "Split": lambda net: net.node("Split", "input", net.integers([1]), outputs=1, axis=0),
            "Squeeze": lambda net: net.node(
                "Unsqueeze", net.node("Squeeze", "input", net.integers([0])), net.integers([0])
            ),
            "Pad": lambda net: net.node("Pad", "input", net.integers([1, 0, 0, 0, 0, 0, 0, 0])),
            "Flatten": lambda net: net.node("Flatten", "input", axis=0),
            "a matrix on the left": lambda net: net.node(
                "MatMul", net.gaussian(1, 1), net.node("Flatten", "input", axis=1)
            ),
            "a constant for each row": lambda net: net.node("Add", "input", net.weight(np.ones((2, 4, 2, 2)))),
        }
        for name, add_layers in cases.items():
            with self.subTest(name):
                self.assert_rejected(add_layers, "")

    def test_accepts_operators_that_keep_rows_apart(self):
        cases = {
            "by the rest": lambda net: net.node("Reshape", "input", net.integers([-1, 2, 8])),
            "by copying": lambda net: net.node("Reshape", "input", net.integers([0, -1])),
            "within the row": lambda net: net.node("Transpose", "input", perm=[0, 3, 1, 2]),
            "all rows": lambda net: net.node("Slice", "input", *(net.integers([v]) for v in (0, 2**62, 0))),
            "a constant for all": lambda net: net.node("Add", "input", net.weight(np.ones((1, 4, 1, 1)))),
        }
        for name, add_layers in cases.items():
            with self.subTest(name):
                proved = prove_network(self.build(add_layers).SerializeToString(), [4, 2, 2], 0.0, 1.0)
                self.assertAlmostEqual(proved.lipschitz, 1.0, delta=1e-12)


if __name__ == "__main__":
    unittest.main()
