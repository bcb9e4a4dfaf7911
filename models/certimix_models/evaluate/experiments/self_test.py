"""Checks the tools behind the experiments against slower or simpler ways to the same numbers, in
half a minute.
"""

import argparse

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from scipy.stats import binom

from certimix_models.evaluate.attacks.margin_functions import GatedMargin
from certimix_models.evaluate.attacks.pgd import DEFAULT_EPSILON, pgd_attack
from certimix_models.evaluate.mathematics import certificate_formulas
from certimix_models.evaluate.mathematics.accuracy_interval import accuracy_columns
from certimix_models.evaluate.networks.bundled_model import BundledModel, load_model
from certimix_models.evaluate.networks.mixture import (
    DUAL,
    R_CHOICES,
    RATIO_OF_LARGEST,
    SCALES,
    AlphaMixture,
    GammaMixture,
    GatedMixture,
    log_mixture,
    mix_with_weight,
)
from certimix_models.evaluate.networks.nearest_neighbour import NearestNeighbour
from certimix_models.evaluate.networks.onnx_to_torch import OnnxModule
from certimix_models.repository import BUNDLED_MODELS

GENERATOR = np.random.default_rng(1)


def check_close(result, expected, tolerance: float, name: str) -> None:
    """Exits if a number differs by more than the tolerance."""
    difference = np.abs(np.asarray(result, dtype=np.float64) - np.asarray(expected, dtype=np.float64)).max()
    if not difference <= tolerance:
        raise SystemExit(f"{name}: off by {difference:g}")
    print(f"{name}: within {difference:.1e}")


def check_operators() -> None:
    """Each operator that needs more than one line, in a graph of its own, against ONNX Runtime."""
    kernel, bias = GENERATOR.standard_normal((6, 4, 3, 3)), GENERATOR.standard_normal(6)
    cases = {
        "Conv, uneven padding": ("Conv", [kernel, bias], {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
        "Conv, groups": ("Conv", [kernel[:4, :2], bias[:4]], {"pads": [1, 1, 1, 1], "group": 2}),
        "MaxPool": ("MaxPool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}),
        "AveragePool": ("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        "Pad, reflected": ("Pad", [np.array([0, 0, 1, 2, 0, 0, 2, 1])], {"mode": "reflect"}),
        "Pad, constant": ("Pad", [np.array([0, 0, 1, 2, 0, 0, 2, 1]), np.array(0.5)], {}),
        "Slice": ("Slice", [np.array([1, 0]), np.array([4, 7]), np.array([1, 3]), np.array([2, 3])], {}),
        "SpaceToDepth": ("SpaceToDepth", [], {"blocksize": 2}),
        "Reshape": ("Reshape", [np.array([0, 2, -1])], {}),
        "Transpose": ("Transpose", [], {"perm": [0, 2, 3, 1]}),
        "Max": ("Max", [GENERATOR.standard_normal((1, 4, 1, 1)), np.array(0.1)], {}),
    }
    x = GENERATOR.standard_normal((2, 4, 8, 8)).astype(np.float32)
    for name, (operator, weights, attributes) in cases.items():
        arrays = [w.astype(np.float32 if w.dtype == np.float64 else np.int64) for w in weights]
        tensors = [numpy_helper.from_array(array, f"w{i}") for i, array in enumerate(arrays)]
        node = helper.make_node(operator, ["x", *(tensor.name for tensor in tensors)], ["y"], **attributes)
        graph_input = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4, 8, 8])
        graph = helper.make_graph([node], "case", [graph_input], [helper.make_empty_tensor_value_info("y")], tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        model = onnx.shape_inference.infer_shapes(model)
        content = model.SerializeToString()
        expected = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        check_close(OnnxModule(content)(torch.from_numpy(x)), expected, 1e-4, name)


def check_mixtures() -> None:
    """The log domain against the plain formula, and both ends of Eq. 4."""
    g, h = (torch.from_numpy(GENERATOR.standard_normal((3, 10)) * 5).log_softmax(dim=1) for _ in range(2))
    for alpha in (0.0, 0.3, 0.99, 1.0):
        direct = ((1 - alpha) * g.exp() + alpha * h.exp()).log()
        check_close(log_mixture(g, h, alpha), direct, 1e-12, f"Eq. 4 at alpha {alpha:g}")
        if alpha < 1:
            weight = torch.full((3, 1), alpha / (1 - alpha), dtype=torch.float64)
            check_close(
                mix_with_weight(g, h, weight, "probabilities"), direct, 1e-12, f"Eq. 3 with R = 1 at alpha {alpha:g}"
            )


def check_gated_mixtures() -> None:
    """The gated mixture in torch and in numpy against its rule, image by image; its margin's sign
    against its class; and the radius in logit space against the margin at the worst logits.
    """
    alpha, temperature, count = 0.7, 0.5, 400
    logits_g, logits_h = (GENERATOR.standard_normal((count, 10)) * scale for scale in (2, 1))
    log_g = certificate_formulas.log_probabilities(logits_g)
    log_h = certificate_formulas.log_probabilities(logits_h, temperature)
    g, h = (torch.from_numpy(values) for values in (log_g, log_h))
    x = torch.arange(count)
    for fallback_alpha in (0.0, 0.3, alpha):
        is_open = []
        for row in np.exp(log_h):
            first, second = sorted(row)[:-3:-1]
            is_open.append(first - second >= (1 - alpha) / alpha)
        if len(set(is_open)) == 1:
            raise SystemExit("the gate is open for all cases or for none")
        weight = np.where(is_open, alpha, fallback_alpha)[:, None]
        expected = (1 - weight) * np.exp(log_g) + weight * np.exp(log_h)
        result = certificate_formulas.log_gated_mixture(alpha, fallback_alpha, log_g, log_h)
        check_close(np.exp(result), expected, 1e-12, f"gated mixture, fallback {fallback_alpha:g}")
        network = GatedMixture(lambda x: g[x], lambda x: h[x], alpha, fallback_alpha)
        check_close(network(x).exp(), expected, 1e-12, f"gated mixture in torch, fallback {fallback_alpha:g}")
        classes = torch.from_numpy(GENERATOR.integers(0, 10, count))
        margin = GatedMargin(lambda x: g[x], lambda x: h[x], alpha, fallback_alpha, classes)(x).numpy()
        is_open_for_another = np.array(is_open) & (log_h.argmax(axis=1) != classes.numpy())
        is_changed = expected.argmax(axis=1) != classes.numpy()
        name = f"sign of the gated margin, fallback {fallback_alpha:g}"
        check_close((margin < 0) | is_open_for_another, is_changed, 0, name)
    guarantee = {"constant": 1.0, "constant_of": "logit_vector", "logit_error_bound": 0.0}
    radii = certificate_formulas.logit_radius(alpha, logits_h, temperature, guarantee)
    rows, y = np.arange(count), logits_h.argmax(axis=1)
    worst = logits_h.copy()
    worst[rows, y] -= np.sqrt(2) * radii  # every difference falls by as much as the ball allows
    at_radius = certificate_formulas.smallest_margin(
        np.exp(certificate_formulas.log_probabilities(worst, temperature)), y
    )
    check_close(at_radius, np.full(count, (1 - alpha) / alpha), 1e-12, "margin at the radius in logit space")
    columns = certificate_formulas.logit_radius(np.array([[0.6], [alpha]]), logits_h, temperature, guarantee)
    check_close(columns[1], radii, 1e-12, "radii of several alphas at once")


def check_gradients(g: BundledModel, h: BundledModel) -> None:
    """The end-to-end gradient, including that of R_i, against second derivatives."""
    x = torch.from_numpy(GENERATOR.random((2, 3, 32, 32)).astype(np.float32) * 0.2 + 0.4)
    labels = torch.tensor([3, 5])
    for scale in SCALES:
        for choice in (*R_CHOICES, RATIO_OF_LARGEST):
            for norm in DUAL:
                mixture = GammaMixture(g.torch_module, h.torch_module, 0.7, choice, scale, norm)
                result = _gradient(mixture, x, labels)
                expected = _gradient(lambda x, m=mixture: _mixture_by_second_derivatives(m, x), x, labels)
                unit = np.abs(expected).max()
                check_close(result / unit, expected / unit, 2e-3, f"gradient, R = {choice} on {scale}, {norm}")


def _gradient(function, x: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(torch.nn.functional.cross_entropy(function(x), labels), x)[0].numpy()


def _mixture_by_second_derivatives(mixture: GammaMixture, x: torch.Tensor) -> torch.Tensor:
    """The mixture by its plain formula, with gradients that autograd can differentiate."""

    def outputs(network):
        logits = network(x)
        return logits if mixture.scale == "logits" else logits.softmax(dim=1)

    def norm_of(value):
        slope = torch.autograd.grad(value.sum(), x, create_graph=True)[0]
        return torch.linalg.vector_norm(slope.flatten(1), ord=DUAL[mixture.norm], dim=1)

    g, h = outputs(mixture.g), outputs(mixture.h)
    r = torch.ones_like(g)
    if mixture.choice in ("largest", RATIO_OF_LARGEST):
        r = norm_of(g.max(dim=1).values).unsqueeze(1)
        if mixture.choice == RATIO_OF_LARGEST:
            r = r / norm_of(h.max(dim=1).values).unsqueeze(1)
    elif mixture.choice != "one":
        r = torch.stack([norm_of(g[:, i]) for i in range(g.shape[1])], dim=1)
        if mixture.choice == "ratio":
            r = r / torch.stack([norm_of(h[:, i]) for i in range(h.shape[1])], dim=1)
    f = (g + mixture.gamma * r * h) / (1 + mixture.gamma * r)
    return f if mixture.scale == "logits" else f.log()


def check_attack(g: BundledModel, h: BundledModel) -> None:
    """The attack stays in its ball (`pgd_attack` raises otherwise) and raises the loss of its
    target.
    """
    images = torch.from_numpy(GENERATOR.random((4, 3, 32, 32)).astype(np.float32))
    mixture = AlphaMixture(g.torch_module, h.torch_module, 0.6)
    labels = mixture(images).argmax(dim=1)
    for norm, epsilon in DEFAULT_EPSILON.items():
        result = pgd_attack(mixture, images, labels, norm, epsilon, steps=5)
        before, after = (torch.nn.functional.cross_entropy(mixture(x), labels).item() for x in (images, result))
        if not after > before:
            raise SystemExit(f"PGD in {norm} did not raise the loss: {before} to {after}")
        print(f"PGD in {norm}: loss from {before:.3f} to {after:.3f}")


def check_intervals() -> None:
    """The ends of Clopper-Pearson's interval are where the tails of the binomial distribution have
    half of 5 %.
    """
    result = accuracy_columns(np.arange(40) < 11)
    low, high = float(result["low"]) / 100, float(result["high"]) / 100
    check_close([binom.sf(10, 40, low), binom.cdf(11, 40, high)], [0.025, 0.025], 2e-4, "Clopper-Pearson")


def check_nearest_neighbour() -> None:
    """Against all distances in float64, with near copies that float32 cannot distinguish."""
    train = GENERATOR.integers(0, 256, (300, 3, 32, 32), dtype=np.uint8)
    train[100:200] = train[:100]
    train[100:200, 0, 0, 0] ^= 1
    queries = (train[:40] / 255 + GENERATOR.normal(0, 0.02, (40, 3, 32, 32))).astype(np.float32)
    pixels = (train / 255).astype(np.float32).astype(np.float64).reshape(300, -1)
    expected = [((pixels - query.astype(np.float64).ravel()) ** 2).sum(axis=1).argmin() for query in queries]
    check_close(NearestNeighbour(train, np.zeros(300)).indices(queries), expected, 0, "nearest neighbour")


def run(options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    check_operators()
    check_mixtures()
    check_gated_mixtures()
    check_intervals()
    check_nearest_neighbour()
    g = load_model(BUNDLED_MODELS / "standard.toml")
    robust = [
        path
        for name in ("adversarial", "lipschitz", "smoothed-025")
        if (path := BUNDLED_MODELS / f"{name}.toml").exists()
    ]
    for path in robust:
        print(path.name)
        h = load_model(path)
        check_gradients(g, h)
        check_attack(g, h)
    print("all agree")
