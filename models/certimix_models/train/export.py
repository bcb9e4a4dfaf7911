"""Writes a trained network as `models/cifar10/<model>.onnx` with its manifest, and compares it with the network."""

import hashlib
import math
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch

import float64
import graph
from data import LABELS, REPOSITORY
from lipschitz_network import LipschitzNet
from recipes import Recipe

sys.path.insert(0, str(REPOSITORY / "models" / "evaluate"))
from lipschitz.walk import prove  # noqa: E402  (the checker stands with the evaluation, and needs no PyTorch)

OUTPUT = REPOSITORY / "models" / "cifar10"
GRID_LEVELS = 255
TOLERANCE = 1e-3  # largest difference of a logit between PyTorch and ONNX Runtime

MANIFEST = """\
manifest_version = 1
name = "{name}"
file = "{file}"
sha256 = "{sha256}"
labels = [{labels}]

[input]
name = "input"
dtype = "float32"
shape = [3, 32, 32]        # without the batch axis
range = [0.0, 1.0]         # values outside are refused

[output]
name = "logits"
kind = "logits"            # or "probabilities"

[guarantee]
{guarantee}"""

NO_GUARANTEE = """\
kind = "none"
source = "{about}: nothing is proven of it"
"""

SMOOTHING_GUARANTEE = """\
kind = "gaussian_smoothing"
norm = "l2"
sigma = {sigma}               # in the units of the float input
levels = {levels}               # the grid: value = low + k * (high - low) / levels
source = "Theorem 2 of Bai, Anderson, Sojoudi (arXiv 2311.15165); base classifier {about}"
"""

LIPSCHITZ_GUARANTEE = """\
kind = "lipschitz_logits"
norm = "l2"
constant = {constant}
constant_of = "logit_vector"
logit_error_bound = {logit_error_bound}
source = "{about}; both numbers are proved by models/evaluate/lipschitz_bound.py"
"""


def export(network: torch.nn.Module, model: str, recipe: Recipe, images: np.ndarray) -> Path:
    """The manifest's path. `images` (uint8) are a few images on which both must agree."""
    name = f"cifar10-{model}"
    built = graph.build(network, name)
    if isinstance(network, LipschitzNet):
        built = float64.rewrite(built)  # so that a proven bound on the rounding of the logits is small
    content = built.SerializeToString(deterministic=True)
    check_agreement(network, content, images)

    OUTPUT.mkdir(parents=True, exist_ok=True)
    file = OUTPUT / f"{model}.onnx"
    file.write_bytes(content)
    manifest = MANIFEST.format(
        name=name,
        file=file.name,
        sha256=hashlib.sha256(content).hexdigest(),
        labels=", ".join(f'"{label}"' for label in LABELS),
        guarantee=guarantee(network, recipe, content),
    )
    path = file.with_suffix(".toml")
    path.write_text(manifest)
    print(f"wrote {path.relative_to(REPOSITORY)} and its model, {len(content)} bytes")
    return path


def guarantee(network: torch.nn.Module, recipe: Recipe, content: bytes) -> str:
    if recipe.sigma > 0:
        return SMOOTHING_GUARANTEE.format(sigma=recipe.sigma, levels=GRID_LEVELS, about=recipe.about)
    if isinstance(network, LipschitzNet):
        proof = prove(content, [3, 32, 32], 0.0, 1.0)
        return LIPSCHITZ_GUARANTEE.format(
            constant=rounded_up(proof.lipschitz, 6), logit_error_bound=rounded_up(proof.error, 8), about=recipe.about
        )
    return NO_GUARANTEE.format(about=recipe.about)


def rounded_up(value: float, digits: int) -> float:
    """At least `value`: the checker refuses a manifest that claims less than it proves."""
    return math.ceil(value * 10**digits + 1) / 10**digits


def check_agreement(network: torch.nn.Module, content: bytes, images: np.ndarray) -> None:
    batch = images.astype(np.float32) / GRID_LEVELS
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    exported = session.run(["logits"], {"input": batch})[0]
    with torch.no_grad():
        trained = network.eval()(torch.from_numpy(batch)).numpy()
    difference = np.abs(exported - trained).max()
    if not difference < TOLERANCE:
        raise SystemExit(f"the exported model's logits differ from the network's by {difference}")
