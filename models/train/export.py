"""Writes a trained network as `models/cifar10/<name>.onnx` with its manifest, and compares it with the network."""

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import torch

import graph
from data import LABELS, REPOSITORY
from network import ResNet20

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
source = "standard training: nothing is proven of it"
"""

SMOOTHING_GUARANTEE = """\
kind = "gaussian_smoothing"
norm = "l2"
sigma = {sigma}               # in the units of the float input
levels = {levels}               # the grid: value = low + k * (high - low) / levels
source = "Theorem 2 of Bai, Anderson, Sojoudi (arXiv 2311.15165); base classifier trained on Gaussian noise"
"""


def export(network: ResNet20, kind: str, sigma: float, images: np.ndarray) -> Path:
    """The manifest's path. `images` (uint8) are a few images on which both must agree."""
    stem = "standard" if kind == "standard" else f"smoothed-{round(sigma * 100):03d}"
    name = f"cifar10-resnet20-{stem}"
    content = graph.build(network, name).SerializeToString(deterministic=True)
    check_agreement(network, content, images)

    guarantee = NO_GUARANTEE if kind == "standard" else SMOOTHING_GUARANTEE.format(sigma=sigma, levels=GRID_LEVELS)
    manifest = MANIFEST.format(
        name=name,
        file=f"{stem}.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
        labels=", ".join(f'"{label}"' for label in LABELS),
        guarantee=guarantee,
    )
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / f"{stem}.onnx").write_bytes(content)
    path = OUTPUT / f"{stem}.toml"
    path.write_text(manifest)
    print(f"wrote {path.relative_to(REPOSITORY)} and its model, {len(content)} bytes")
    return path


def check_agreement(network: ResNet20, content: bytes, images: np.ndarray) -> None:
    batch = images.astype(np.float32) / GRID_LEVELS
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    exported = session.run(["logits"], {"input": batch})[0]
    with torch.no_grad():
        trained = network.eval()(torch.from_numpy(batch)).numpy()
    difference = np.abs(exported - trained).max()
    if not difference < TOLERANCE:
        raise SystemExit(f"the exported model's logits differ from the network's by {difference}")
