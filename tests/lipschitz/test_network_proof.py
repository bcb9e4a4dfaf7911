"""Proofs of whole networks, against dense matrices, random pairs of inputs, and the real rounding
errors of float32.
"""

import math
import unittest
from fractions import Fraction

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from sample_networks import NetworkBuilder, small_network

from certimix_models.float64_rewrite import rewrite_to_float64
from certimix_models.prove.graph_node import NotProvable
from certimix_models.prove.network_proof import prove_network


def prove_unit_box(model: onnx.ModelProto, shape: tuple[int, ...]):
    return prove_network(model.SerializeToString(), list(shape), 0.0, 1.0)


def reference_outputs(model: onnx.ModelProto, inputs: np.ndarray, dtype=np.float32) -> np.ndarray:
    """The outputs by the reference implementation. For float64 the weights become float64 too."""
    if dtype == np.float64:
        wide = onnx.ModelProto()
        wide.CopyFrom(model)
        for weight in wide.graph.initializer:
            value = onnx.numpy_helper.to_array(weight)
            if value.dtype == np.float32:
                weight.CopyFrom(onnx.numpy_helper.from_array(value.astype(np.float64), weight.name))
        model = wide
    return ReferenceEvaluator(model).run(None, {"input": inputs.astype(dtype)})[0]


def dense_matrix(model: onnx.ModelProto, shape: tuple[int, ...]) -> np.ndarray:
    """The matrix of an affine network."""
    size = int(np.prod(shape))
    at_zero = reference_outputs(model, np.zeros((1, *shape)), np.float64)
    columns = reference_outputs(model, np.eye(size).reshape(size, *shape), np.float64) - at_zero
    return columns.T


class LinearNetworkTest(unittest.TestCase):
    def assert_close_to_dense_norm(self, net: NetworkBuilder, result: str, tolerance: float):
        """The proved constant is at least the dense matrix's norm, and exceeds it by at most
        `tolerance`, relatively.
        """
        model = net.model(net.node("Flatten", result, axis=1))
        true = float(np.linalg.svd(dense_matrix(model, net.shape), compute_uv=False)[0])
        proved = prove_unit_box(model, net.shape).lipschitz
        self.assertGreaterEqual(proved, true * (1 - 1e-12))
        self.assertLessEqual(proved, true * (1 + tolerance))
        return model, proved

    def test_convolutions_with_zero_padding(self):
        for k, stride, padding, size in [
            (1, 1, 0, 5),
            (3, 1, 1, 8),
            (3, 1, 0, 8),
            (3, 2, 1, 8),
            (4, 2, 1, 8),
            (5, 1, 2, 7),
            (3, 1, 1, 3),
        ]:
            with self.subTest(k=k, stride=stride, padding=padding, size=size):
                net = NetworkBuilder((3, size, size), seed=k)
                self.assert_close_to_dense_norm(net, net.conv("input", 3, 4, k, stride, padding), 0.3)

    def test_convolutions_on_a_torus_are_exact(self):
        for k, stride, size in [(3, 1, 8), (3, 1, 5), (5, 1, 6), (3, 1, 2)]:
            with self.subTest(k=k, stride=stride, size=size):
                net = NetworkBuilder((3, size, size), seed=k)
                model, proved = self.assert_close_to_dense_norm(
                    net, net.conv("input", 3, 4, k, stride, k // 2, wrap=True), 1e-5
                )
                rewritten = prove_unit_box(rewrite_to_float64(onnx.shape_inference.infer_shapes(model)), net.shape)
                self.assertAlmostEqual(rewritten.lipschitz, proved, delta=1e-6 * proved)

    def test_kernel_as_wide_as_its_stride_is_exact(self):
        for k in (2, 4):
            net = NetworkBuilder((3, 8, 8), seed=k)
            model, proved = self.assert_close_to_dense_norm(net, net.conv("input", 3, 7, k, k, 0), 1e-5)
            rewritten = prove_unit_box(rewrite_to_float64(onnx.shape_inference.infer_shapes(model)), net.shape)
            self.assertAlmostEqual(rewritten.lipschitz, proved, delta=1e-6 * proved)

    def test_pooling_scaling_and_rearranging(self):
        for name in ("pool", "global", "depth", "slice", "repeat", "scale"):
            with self.subTest(name):
                net = NetworkBuilder((4, 4, 4))
                result = {
                    "pool": lambda: net.node("AveragePool", "input", kernel_shape=[2, 2], strides=[2, 2]),
                    "global": lambda: net.node("GlobalAveragePool", "input"),
                    "depth": lambda: net.node(
                        "DepthToSpace", net.node("SpaceToDepth", "input", blocksize=2), blocksize=2
                    ),
                    "slice": lambda: net.node("Slice", "input", *(net.integers([value]) for value in (1, 4, 2, 2))),
                    "repeat": lambda: net.node(
                        "Concat", "input", "input", net.node("Transpose", "input", perm=[0, 1, 3, 2]), axis=1
                    ),
                    "scale": lambda: net.node("Div", "input", net.weight(np.reshape([1, 2, 4, -0.5], (1, 4, 1, 1)))),
                }[name]()
                self.assert_close_to_dense_norm(net, result, 1e-5)

    def test_residual_branches_add_up(self):
        net = NetworkBuilder((3, 6, 6))
        half = net.node("Mul", "input", net.weight(0.5))
        both = net.node("Add", half, net.node("Mul", net.conv("input", 3, 3), net.weight(0.5)))
        self.assert_close_to_dense_norm(net, both, 0.6)


class WholeNetworkTest(unittest.TestCase):
    def test_random_pairs_respect_the_proved_constant(self):
        random = np.random.default_rng(4)
        for wrap in (False, True):
            model = small_network(wrap)
            proved = prove_unit_box(model, (3, 8, 8))
            one = random.random((40, 3, 8, 8))
            for step in (1e-3, 1.0):
                other = one + step * random.standard_normal(one.shape)
                moved = np.linalg.norm(
                    reference_outputs(model, other, np.float64) - reference_outputs(model, one, np.float64), axis=1
                )
                ratio = moved / np.linalg.norm((other - one).reshape(len(one), -1), axis=1)
                self.assertLess(ratio.max(), proved.lipschitz)

    def test_rounding_is_within_its_bound_and_small_in_float64(self):
        random = np.random.default_rng(5)
        inputs = random.integers(0, 256, (40, 3, 8, 8)).astype(np.float32) / np.float32(255)
        model = small_network(wrap=True)
        rewritten = rewrite_to_float64(model)
        exact = reference_outputs(model, inputs, np.float64)
        float64_proof, proved = (prove_unit_box(rewritten, (3, 8, 8)), prove_unit_box(model, (3, 8, 8)))
        self.assertAlmostEqual(float64_proof.lipschitz, proved.lipschitz, delta=1e-6 * proved.lipschitz)
        self.assertLess(np.abs(reference_outputs(model, inputs) - exact).max(), proved.error)
        rounding_error = np.abs(reference_outputs(rewritten, inputs) - exact).max()
        self.assertLess(rounding_error, float64_proof.error)
        self.assertLess(float64_proof.error, 1e-5 * float64_proof.lipschitz)
        self.assertLess(100 * float64_proof.error, proved.error)

    def test_bound_covers_a_sum_that_starts_at_the_addend(self):
        """ONNX Runtime fuses MatMul + Add into one Gemm and Conv + Add into one FusedConv. Both may
        sum onto the addend, product by product.
        """
        terms = 16384
        small = 0.49 * 2.0**-23 / 256
        for form in ("MatMul", "Gemm", "tensor", "scaled", "cast", "Conv"):
            with self.subTest(form):
                net = NetworkBuilder((terms,), opset=17)
                weights = np.full((terms, 1), small, dtype=np.float32)
                addend = net.weight(np.ones(1))
                if form == "Gemm":
                    product = net.node("Gemm", "input", net.weight(weights))
                elif form == "Conv":
                    pixels = net.node("Reshape", "input", net.integers([0, terms, 1, 1]))
                    product = net.node(
                        "Conv", pixels, net.weight(weights.T.reshape(1, terms, 1, 1)), kernel_shape=[1, 1]
                    )
                    addend = net.weight(np.ones((1, 1, 1)))
                else:
                    product = net.node("MatMul", "input", net.weight(weights))
                if form == "scaled":
                    product = net.node("Mul", product, net.weight(np.ones(1)))
                if form == "cast":
                    # A cast to the type that the tensor has: ONNX Runtime removes it and still
                    # fuses one Gemm.
                    product = net.node("Cast", product, to=onnx.TensorProto.FLOAT)
                if form == "tensor":
                    first = net.node("Slice", "input", *(net.integers([v]) for v in (0, 1, 1)))
                    addend = net.node("Add", net.node("Mul", first, net.weight(np.zeros(1))), addend)
                summed = net.node("Flatten", net.node("Add", product, addend), axis=1)
                proved = prove_unit_box(net.model(summed), net.shape).error
                # The float32 sum that starts at the addend, as the fused operator computes it. No
                # product changes it.
                total = np.float32(1.0)
                for weight in weights.ravel():
                    total = np.float32(total + weight)
                rounding_error = 1.0 + float(np.sum(weights.astype(np.float64))) - float(total)
                self.assertGreater(rounding_error, 3.7e-6)
                self.assertGreater(proved, rounding_error)

    def test_bound_covers_factors_folded_into_weights(self):
        """ONNX Runtime folds nine factors into a Conv's weights. It rounds the weights nine times,
        although their sum is nearly zero.
        """
        weights = np.array([1.0009765, -1.0001], dtype=np.float32)
        random = np.random.default_rng(1)
        folded, factors = weights, []
        for _ in range(9):
            # Of many factors, take the one whose rounding moves the two weights furthest apart.
            choice = random.uniform(0.8, 1.25, 60000).astype(np.float32)
            choice = choice[(folded[0] * choice > 1.0) & (folded[0] * choice < 1.3)]
            drift = sum(
                (weight * choice).astype(np.float64) - np.float64(weight) * choice.astype(np.float64)
                for weight in folded
            )
            factors.append(choice[np.argmax(drift)])
            folded = folded * factors[-1]
        exact = math.prod(Fraction(float(factor)) for factor in factors) * sum(
            Fraction(float(weight)) for weight in weights
        )
        rounding_error = abs(float(sum(Fraction(float(weight)) for weight in folded) - exact))
        self.assertGreater(rounding_error, 9e-7)
        net = NetworkBuilder((2, 1, 1), opset=17)
        scaled = net.node("Conv", "input", net.weight(weights.reshape(1, 2, 1, 1)), kernel_shape=[1, 1])
        for factor in factors:
            scaled = net.node("Mul", scaled, net.weight(np.full((1, 1, 1), factor)))
        model = net.model(net.node("Flatten", scaled, axis=1))
        self.assertGreater(prove_network(model.SerializeToString(), [2, 1, 1], 1 - 2.0**-12, 1.0).error, rounding_error)

    def test_group_sort_in_other_forms(self):
        """Pairs of neighbours instead of halves, Min first, Slice instead of Split, and Max alone."""
        for form in ("pairs", "max"):
            net = NetworkBuilder((4, 3, 3))
            pairs = net.node("Reshape", "input", net.integers([-1, 2, 2, 3, 3]))
            first, second = (net.node("Slice", pairs, *(net.integers([v]) for v in (i, i + 1, 2))) for i in (0, 1))
            result = net.node("Max", second, first)
            if form == "pairs":
                result = net.node("Concat", net.node("Min", first, second), result, axis=2)
            model = net.model(net.node("Flatten", result, axis=1))
            self.assertEqual(prove_unit_box(model, net.shape).lipschitz, 1.0)
            inputs = np.random.default_rng(6).standard_normal((2, *net.shape))
            split = inputs.reshape(2, 2, 2, 3, 3)
            expected = [split.min(axis=2), split.max(axis=2)][(0 if form == "pairs" else 1) :]
            np.testing.assert_array_equal(
                reference_outputs(model, inputs, np.float64), np.stack(expected, axis=2).reshape(2, -1)
            )


class RejectionTest(unittest.TestCase):
    def assert_rejected(self, net: NetworkBuilder, result: str, why: str):
        with self.assertRaisesRegex(NotProvable, why):
            prove_unit_box(net.model(net.node("Flatten", result, axis=1)), net.shape)

    def test_unsupported_operators_and_attributes(self):
        net = NetworkBuilder((4, 6, 6))
        cases = {
            "unsupported operator": lambda: net.node("Sigmoid", "input"),
            "overlap": lambda: net.node("MaxPool", "input", kernel_shape=[3, 3], strides=[2, 2]),
            "AveragePool with windows": lambda: net.node("AveragePool", "input", kernel_shape=[2, 2], strides=[1, 1]),
            "AveragePool with gaps": lambda: net.node(
                "AveragePool", "input", kernel_shape=[2, 2], strides=[2, 2], dilations=[2, 2]
            ),
            "other than two": lambda: net.node("Max", "input", net.weight(0.0)),
            "parts of one tensor": lambda: net.node("Max", "input", net.node("Relu", "input")),
            "in groups": lambda: net.node("Conv", "input", net.gaussian(4, 1, 3, 3), group=4),
            "not zero": lambda: net.node("Pad", "input", net.integers([0, 0, 1, 1] * 2), net.weight(1.0)),
            "Mul of two": lambda: net.node("Mul", "input", "input"),
            "weights that are computed": lambda: net.node(
                "Conv", "input", net.node("Mul", net.gaussian(4, 4, 3, 3), net.weight(2.0)), kernel_shape=[3, 3]
            ),
            "not finite": lambda: net.node(
                "Conv", "input", net.weight(np.full((4, 4, 3, 3), np.nan)), kernel_shape=[3, 3]
            ),
        }
        for why, build in cases.items():
            with self.subTest(why):
                net = NetworkBuilder((4, 6, 6))
                self.assert_rejected(net, build(), why)

    def test_attribute_of_another_opset(self):
        net = NetworkBuilder((4, 6, 6), opset=6)
        self.assert_rejected(
            net, net.node("Add", "input", net.weight(np.ones(4)), broadcast=1, axis=1), "attribute: axis, broadcast"
        )

    def test_weights_in_another_file(self):
        """The proof is about a file with one SHA-256. Another file may be exchanged."""
        net = NetworkBuilder((4, 6, 6))
        model = net.model(net.node("Flatten", net.node("Add", "input", net.weight(np.ones((4, 1, 1)))), axis=1))
        (weight,) = model.graph.initializer
        onnx.external_data_helper.set_external_data(weight, location="weights.bin")
        with self.assertRaisesRegex(NotProvable, "outside the ONNX file"):
            prove_unit_box(model, net.shape)

    def test_overlapping_parts(self):
        net = NetworkBuilder((4, 6, 6))
        first, second = (net.node("Slice", "input", *(net.integers([v]) for v in (i, i + 2, 1))) for i in (0, 1))
        self.assert_rejected(net, net.node("Max", first, second), "overlap")


if __name__ == "__main__":
    unittest.main()
