#!/usr/bin/env python3
"""Checks of the tools behind the experiments, against slower or simpler ways to the same numbers; half a minute.

    python models/evaluate/paper/selftest.py
"""

import accuracy
import attacks
import models
import numpy as np
import onnx
import onnxruntime
import torch
from mixture import CHOICES, DUAL, RATIO_OF_LARGEST, SCALES, AlphaMixture, Mixture, log_mixture, mix
from nearest import Nearest
from onnx import TensorProto, helper, numpy_helper
from onnx_torch import OnnxModule
from runs import BUNDLED
from scipy.stats import binom

RANDOM = np.random.default_rng(1)


def close(found, expected, tolerance: float, what: str) -> None:
    difference = np.abs(np.asarray(found, dtype=np.float64) - np.asarray(expected, dtype=np.float64)).max()
    if not difference <= tolerance:
        raise SystemExit(f"{what}: off by {difference:g}")
    print(f"{what}: within {difference:.1e}")


def operators() -> None:
    """Each operator that needs more than a line, in a graph of its own, against ONNX Runtime."""
    kernel, bias = RANDOM.standard_normal((6, 4, 3, 3)), RANDOM.standard_normal(6)
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
        "Max": ("Max", [RANDOM.standard_normal((1, 4, 1, 1)), np.array(0.1)], {}),
    }
    x = RANDOM.standard_normal((2, 4, 8, 8)).astype(np.float32)
    for name, (operator, weights, attributes) in cases.items():
        arrays = [w.astype(np.float32 if w.dtype == np.float64 else np.int64) for w in weights]
        tensors = [numpy_helper.from_array(array, f"w{i}") for i, array in enumerate(arrays)]
        node = helper.make_node(operator, ["x", *(tensor.name for tensor in tensors)], ["y"], **attributes)
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4, 8, 8])
        graph = helper.make_graph([node], "case", [given], [helper.make_empty_tensor_value_info("y")], tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        model = onnx.shape_inference.infer_shapes(model)
        content = model.SerializeToString()
        expected = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        close(OnnxModule(content)(torch.from_numpy(x)), expected, 1e-4, name)


def mixtures() -> None:
    """The log domain against the plain formula, and both ends of Eq. 4."""
    g, h = (torch.from_numpy(RANDOM.standard_normal((3, 10)) * 5).log_softmax(dim=1) for _ in range(2))
    for alpha in (0.0, 0.3, 0.99, 1.0):
        direct = ((1 - alpha) * g.exp() + alpha * h.exp()).log()
        close(log_mixture(g, h, alpha), direct, 1e-12, f"Eq. 4 at alpha {alpha:g}")
        if alpha < 1:
            weight = torch.full((3, 1), alpha / (1 - alpha), dtype=torch.float64)
            close(mix(g, h, weight, "probabilities"), direct, 1e-12, f"Eq. 3 with R = 1 at alpha {alpha:g}")


def gradients(g: models.Model, h: models.Model) -> None:
    """End to end, R_i included, against differentiating twice."""
    x = torch.from_numpy(RANDOM.random((2, 3, 32, 32)).astype(np.float32) * 0.2 + 0.4)
    labels = torch.tensor([3, 5])
    for scale in SCALES:
        for choice in (*CHOICES, RATIO_OF_LARGEST):
            for norm in DUAL:
                mixture = Mixture(g.torch, h.torch, 0.7, choice, scale, norm)
                found = _gradient(mixture, x, labels)
                expected = _gradient(lambda x, m=mixture: _twice(m, x), x, labels)
                unit = np.abs(expected).max()
                close(found / unit, expected / unit, 2e-3, f"gradient, R = {choice} on {scale}, {norm}")


def _gradient(function, x: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(torch.nn.functional.cross_entropy(function(x), labels), x)[0].numpy()


def _twice(mixture: Mixture, x: torch.Tensor) -> torch.Tensor:
    """The mixture written down plainly, with gradients that autograd itself can differentiate."""

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


def attack(g: models.Model, h: models.Model) -> None:
    """It stays in its ball (attacks.py refuses otherwise) and raises the loss of what it is aimed at."""
    images = torch.from_numpy(RANDOM.random((4, 3, 32, 32)).astype(np.float32))
    mixture = AlphaMixture(g.torch, h.torch, 0.6)
    labels = mixture(images).argmax(dim=1)
    for norm, epsilon in attacks.EPSILON.items():
        found = attacks.pgd(mixture, images, labels, norm, epsilon, steps=5)
        before, after = (torch.nn.functional.cross_entropy(mixture(x), labels).item() for x in (images, found))
        if not after > before:
            raise SystemExit(f"PGD in {norm} did not raise the loss: {before} to {after}")
        print(f"PGD in {norm}: loss from {before:.3f} to {after:.3f}")


def intervals() -> None:
    """Clopper-Pearson's ends are where the tails of the binomial distribution have half of 5 %."""
    found = accuracy.row(np.arange(40) < 11)
    low, high = float(found["low"]) / 100, float(found["high"]) / 100
    close([binom.sf(10, 40, low), binom.cdf(11, 40, high)], [0.025, 0.025], 2e-4, "Clopper-Pearson")


def neighbours() -> None:
    """Against all distances in float64, with near copies among them that float32 cannot tell apart."""
    train = RANDOM.integers(0, 256, (300, 3, 32, 32), dtype=np.uint8)
    train[100:200] = train[:100]
    train[100:200, 0, 0, 0] ^= 1
    queries = (train[:40] / 255 + RANDOM.normal(0, 0.02, (40, 3, 32, 32))).astype(np.float32)
    pixels = (train / 255).astype(np.float32).astype(np.float64).reshape(300, -1)
    expected = [((pixels - query.astype(np.float64).ravel()) ** 2).sum(axis=1).argmin() for query in queries]
    close(Nearest(train, np.zeros(300)).indices(queries), expected, 0, "nearest neighbour")


def main() -> None:
    torch.set_num_threads(1)
    operators()
    mixtures()
    intervals()
    neighbours()
    g = models.load(BUNDLED / "standard.toml")
    robust = [
        path for name in ("adversarial", "lipschitz", "smoothed-025") if (path := BUNDLED / f"{name}.toml").exists()
    ]
    for path in robust:
        print(path.name)
        h = models.load(path)
        gradients(g, h)
        attack(g, h)
    print("all agree")


if __name__ == "__main__":
    main()
