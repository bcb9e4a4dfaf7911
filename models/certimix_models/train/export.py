"""Writes a trained network as `models/cifar10/<model>.onnx` with its manifest, and compares the
file with the network.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from certimix_models.dataset.cifar10 import LABELS
from certimix_models.float64_rewrite import rewrite_to_float64
from certimix_models.prove.network_proof import prove_network
from certimix_models.repository import BUNDLED_MODELS, REPOSITORY
from certimix_models.train.lipschitz_network import LipschitzNet
from certimix_models.train.model_summaries import MODEL_SUMMARIES
from certimix_models.train.onnx_graph import build_onnx_model
from certimix_models.train.recipes import Recipe

# The grid of the served model. It is finer than a pixel, so a float32 input moves little when it is
# snapped to the grid; 65535 = 257 * 255, so every pixel value lies on the grid.
GRID_LEVELS = 65535
PIXEL_LEVELS = 255
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
source = "{about}; no proven guarantee"
"""

SMOOTHING_GUARANTEE = """\
kind = "gaussian_smoothing"
norm = "l2"
sigma = {sigma}               # in the units of the float input
levels = {levels}             # the grid: value = low + k * (high - low) / levels; u / 255 is k = 257 u
source = "Theorem 2 of Bai, Anderson, Sojoudi (arXiv 2311.15165); base classifier {about}"
"""

LIPSCHITZ_GUARANTEE = """\
kind = "lipschitz_logits"
norm = "l2"
constant = {constant}
constant_of = "logit_vector"
logit_error_bound = {logit_error_bound}
source = "{about}; both numbers are proved by `certimix_models prove`"
"""


def export_model(network: torch.nn.Module, model: str, recipe: Recipe, images: np.ndarray) -> Path:
    """Writes the model and returns the manifest's path. Both must agree on `images` (uint8), a few
    images.
    """
    name = f"cifar10-{model}"
    exported = build_onnx_model(network, name)
    if isinstance(network, LipschitzNet):
        # so that the proven bound on the rounding of the logits is small
        exported = rewrite_to_float64(exported)
    content = exported.SerializeToString(deterministic=True)
    check_agreement(network, content, images)

    BUNDLED_MODELS.mkdir(parents=True, exist_ok=True)
    file = BUNDLED_MODELS / f"{model}.onnx"
    file.write_bytes(content)
    manifest = MANIFEST.format(
        name=name,
        file=file.name,
        sha256=hashlib.sha256(content).hexdigest(),
        labels=", ".join(f'"{label}"' for label in LABELS),
        guarantee=guarantee_table(network, model, recipe, content),
    )
    path = file.with_suffix(".toml")
    path.write_text(manifest)
    print(f"wrote {path.relative_to(REPOSITORY)} and its model, {len(content)} bytes")
    return path


def guarantee_table(network: torch.nn.Module, model: str, recipe: Recipe, content: bytes) -> str:
    """The text of the manifest's table `guarantee`."""
    about = MODEL_SUMMARIES[model]
    if recipe.sigma > 0:
        return SMOOTHING_GUARANTEE.format(sigma=recipe.sigma, levels=GRID_LEVELS, about=about)
    if isinstance(network, LipschitzNet):
        proof = prove_network(content, [3, 32, 32], 0.0, 1.0)
        return LIPSCHITZ_GUARANTEE.format(
            constant=round_up(proof.lipschitz, 6), logit_error_bound=round_up(proof.error, 8), about=about
        )
    return NO_GUARANTEE.format(about=about)


def round_up(value: float, digits: int) -> float:
    """At least `value`: the prover rejects a manifest that claims less than it proves."""
    return math.ceil(value * 10**digits + 1) / 10**digits


def check_agreement(network: torch.nn.Module, content: bytes, images: np.ndarray) -> None:
    """Exits if a logit of the exported model differs from the network's by more than the tolerance."""
    batch = images.astype(np.float32) / PIXEL_LEVELS
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    by_onnx = session.run(["logits"], {"input": batch})[0]
    with torch.no_grad():
        by_torch = network.eval()(torch.from_numpy(batch)).numpy()
    difference = np.abs(by_onnx - by_torch).max()
    if not difference < TOLERANCE:
        raise SystemExit(f"the exported model's logits differ from the network's by {difference}")
