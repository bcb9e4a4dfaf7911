"""The rewrite to float64 keeps what a network computes and what is proved about it, for every layer
that the prover knows.
"""

import unittest

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from sample_networks import NetworkBuilder

from certimix_models.float64_rewrite import NotRewritable, rewrite_to_float64
from certimix_models.prove.network_proof import Proof, prove_network
from certimix_models.prove.operators import OPERATOR_RULES
from certimix_models.prove.rearrangement import REARRANGING_OPERATORS

DRAWS = 12  # random layers of each kind
# Proved norms exceed the true ones by up to one step of `RELATIVE_STEPS`, which may differ between
# two forms of one matrix.
ROUNDING = 1e-5

# Each kind draws a layer on an image [C, H, W] at random and returns its result. The operators of
# all kinds together are those of the prover.


def draw_convolution(net: NetworkBuilder, random: np.random.Generator) -> str:
    """Any kernel, stride and padding, different along the two axes."""
    channels, height, width = net.shape
    kernel = [int(random.integers(1, min(6, size) + 1)) for size in (height, width)]
    stride = [int(random.integers(1, 4)) for _ in kernel]
    pads = [int(random.integers(0, 3)) for _ in range(4)]
    outputs = int(random.integers(1, 6))
    weights = net.gaussian(outputs, channels, *kernel)
    bias = [net.gaussian(outputs)] if random.random() < 0.5 else []
    return net.node("Conv", "input", weights, *bias, kernel_shape=kernel, strides=stride, pads=pads)


def draw_torus_convolution(net: NetworkBuilder, random: np.random.Generator) -> str:
    kernel = int(random.choice([3, 5]))
    return net.conv("input", net.shape[0], 4, kernel, 1, kernel // 2, wrap=True)


def draw_halving_cell(net: NetworkBuilder, random: np.random.Generator) -> str:
    """Kernels that overlap by half: 2 s wide with stride s."""
    stride = int(random.choice([1, 2]))
    return net.conv("input", net.shape[0], 4, 2 * stride, stride, int(random.integers(0, 2)))


def draw_convolution_of_repeated_channels(net: NetworkBuilder, random: np.random.Generator) -> str:
    twice = net.node("Concat", "input", "input", axis=1)
    return net.conv(twice, 2 * net.shape[0], 4, 3, int(random.integers(1, 3)), 1)


def draw_dense(net: NetworkBuilder, random: np.random.Generator) -> str:
    flat, size = net.node("Flatten", "input", axis=1), int(np.prod(net.shape))
    if random.random() < 0.5:
        return net.gemm(flat, size, 7)
    return net.node("Add", net.node("MatMul", flat, net.gaussian(size, 7)), net.gaussian(7))


def draw_average(net: NetworkBuilder, random: np.random.Generator) -> str:
    if random.random() < 0.3:
        return net.node("GlobalAveragePool", "input")
    window = [int(random.integers(1, size + 1)) for size in net.shape[1:]]
    return net.node("AveragePool", "input", kernel_shape=window, strides=window)


def draw_pool(net: NetworkBuilder, random: np.random.Generator) -> str:
    window = [int(random.integers(1, 4)) for _ in range(2)]
    return net.node("MaxPool", net.node("Relu", "input"), kernel_shape=window, strides=window)


def draw_sort(net: NetworkBuilder, random: np.random.Generator) -> str:
    return net.max_min("input")


def draw_arithmetic(net: NetworkBuilder, random: np.random.Generator) -> str:
    channels = (1, net.shape[0], 1, 1)
    scaled = net.node("Div", "input", net.weight(random.uniform(0.5, 2, channels)))
    scaled = net.node("Mul", scaled, net.weight(random.uniform(0.5, 2, channels)))
    shifted = net.node("Sub", scaled, net.weight(random.standard_normal(channels)))
    return net.node("Add", shifted, net.node("Cast", "input", to=onnx.TensorProto.FLOAT))


def draw_rearrangement(net: NetworkBuilder, random: np.random.Generator) -> str:
    x = net.node("Pad", "input", net.integers([0, 0, *random.integers(0, 3, 2), 0, 0, *random.integers(0, 3, 2)]))
    x = net.node("Transpose", x, perm=[0, 2, 3, 1])
    x = net.node("Slice", x, *(net.integers([value]) for value in (1, 4, 1)))
    x = net.node("Squeeze", net.node("Unsqueeze", x, net.integers([2])), net.integers([2]))
    x = net.node("Reshape", net.node("Transpose", x, perm=[0, 3, 1, 2]), net.integers([0, net.shape[0], -1]))
    return net.node("Identity", x)


def draw_blocks(net: NetworkBuilder, random: np.random.Generator) -> str:
    blocks = net.node("SpaceToDepth", net.node("DepthToSpace", "input", blocksize=2), blocksize=2)
    return net.node("Identity", blocks)


KINDS = {
    draw: shape
    for draw, shape in [
        (draw_convolution, (2, 7, 6)),
        (draw_torus_convolution, (2, 6, 6)),
        (draw_halving_cell, (3, 8, 8)),
        (draw_convolution_of_repeated_channels, (2, 6, 6)),
        (draw_dense, (2, 3, 4)),
        (draw_average, (3, 6, 5)),
        (draw_pool, (3, 6, 5)),
        (draw_sort, (4, 3, 3)),
        (draw_arithmetic, (3, 4, 4)),
        (draw_rearrangement, (3, 5, 4)),
        (draw_blocks, (4, 4, 4)),
    ]
}


def flat_model(net: NetworkBuilder, result: str) -> onnx.ModelProto:
    return onnx.shape_inference.infer_shapes(net.model(net.node("Flatten", result, axis=1)))


def prove_both(model: onnx.ModelProto, shape: tuple[int, ...]) -> tuple[Proof, Proof]:
    """The proofs of the network and of its rewrite, after a check that both compute the same."""
    rewritten = rewrite_to_float64(model)
    inputs = np.random.default_rng(1).random((2, *shape)).astype(np.float32)
    before, after = (ReferenceEvaluator(graph).run(None, {"input": inputs})[0] for graph in (model, rewritten))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)
    return tuple(prove_network(graph.SerializeToString(), list(shape), 0.0, 1.0) for graph in (model, rewritten))


class SameConstantTest(unittest.TestCase):
    def test_every_kind_of_layer_keeps_its_constant(self):
        for draw, shape in KINDS.items():
            for seed in range(DRAWS):
                with self.subTest(draw.__name__, seed=seed):
                    net = NetworkBuilder(shape, seed=seed)
                    model = flat_model(net, draw(net, np.random.default_rng(seed)))
                    before, after = prove_both(model, shape)
                    self.assertAlmostEqual(after.lipschitz / before.lipschitz, 1.0, delta=ROUNDING)
                    self.assertLess(after.error, before.error + 2.0**-24 * 100)

    def test_kinds_cover_every_operator_of_the_prover(self):
        drawn = set()
        for draw, shape in KINDS.items():
            for seed in range(DRAWS):
                net = NetworkBuilder(shape, seed=seed)
                draw(net, np.random.default_rng(seed))
                drawn |= {node.op_type for node in net.nodes}
        self.assertEqual(set(OPERATOR_RULES) | REARRANGING_OPERATORS | {"Max", "Min"}, drawn | {"Flatten"})

    def test_kernel_of_twice_its_stride_is_not_a_plain_matrix(self):
        """As a matrix on its windows, the layer has four times the constant: each pixel is in four."""
        net = NetworkBuilder((16, 16, 16))
        before, after = prove_both(flat_model(net, net.conv("input", 16, 16, 4, 2, 1)), net.shape)
        self.assertAlmostEqual(after.lipschitz, before.lipschitz, delta=ROUNDING * before.lipschitz)

    def test_layers_share_weights_in_different_shapes(self):
        net = NetworkBuilder((4, 2, 2))
        bias, kernel = net.gaussian(4), net.gaussian(4, 4, 1, 1)
        x = net.node("Conv", "input", kernel, bias, kernel_shape=[1, 1])
        x = net.node("Conv", x, kernel, bias, kernel_shape=[1, 1])
        x = net.node("Gemm", net.node("Flatten", x, axis=1), net.gaussian(4, 16), bias, transB=1)
        prove_both(flat_model(net, x), net.shape)

    def test_wide_kernels_have_taps_of_different_names(self):
        net = NetworkBuilder((1, 13, 13))
        prove_both(flat_model(net, net.conv("input", 1, 2, 12, 1, 0)), net.shape)

    def test_weights_in_nodes(self):
        net = NetworkBuilder((2, 3, 3))
        kernel = net.node("Constant", value=onnx.numpy_helper.from_array(np.ones((2, 2, 2, 2), np.float32)))
        kernel = net.node("Identity", kernel)
        prove_both(flat_model(net, net.node("Conv", "input", kernel, kernel_shape=[2, 2])), net.shape)


class RefusalTest(unittest.TestCase):
    def test_refuses_with_the_name_of_the_node(self):
        cases = {
            "in groups": lambda net: net.node("Conv", "input", net.gaussian(4, 1, 3, 3), group=4),
            "dilated": lambda net: net.node("Conv", "input", net.gaussian(4, 4, 2, 2), dilations=[2, 2]),
            "overlap": lambda net: net.node("AveragePool", "input", kernel_shape=[2, 2], strides=[1, 1]),
        }
        for why, build in cases.items():
            with self.subTest(why), self.assertRaisesRegex(NotRewritable, f"node '.*{why}"):
                net = NetworkBuilder((4, 6, 6))
                rewrite_to_float64(flat_model(net, build(net)))


if __name__ == "__main__":
    unittest.main()
