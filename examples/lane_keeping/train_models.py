"""Trains the two models of the control loop, proves the robust one, and writes them beside this file.

    pip install -e 'models[train,sign]'
    PYTHONPATH=examples python -m lane_keeping.train_models

It takes two minutes on one core. The seeds are fixed; the last digits of the weights depend on the processor.
`standard.onnx` is a convolutional network, trained for accuracy alone. `lipschitz.onnx` is 1-Lipschitz in l2 by
construction: orthogonal matrices and MaxMin. The prover of `certimix_models prove` proves its constant from the ONNX
file and signs the record with a new key. Its private half is deleted. Its public half goes into `server.toml`.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from certimix_models.float64_rewrite import rewrite_to_float64
from certimix_models.train.lipschitz_network import MaxMin
from certimix_models.train.onnx_graph import IR_VERSION, OPSET, GraphBuilder
from onnx import TensorProto, helper
from torch import nn
from torch.nn.functional import cross_entropy, one_hot
from torch.nn.utils.parametrizations import orthogonal

from lane_keeping.plant import DEAD_BAND, LABELS, LOOKAHEAD, SENSOR_SIGMA, SIZE, draw, offset_ahead

FOLDER = Path(__file__).parent
SEED = 1
BATCH = 256
WIDTH = 64  # of the robust model's hidden layers
TEMPERATURE = 0.1  # `mixture.robust_temperature` of server.toml
MARGIN = 0.9  # of l2 radius that the robust model's loss asks for, where the paint is bright
BRIGHT_PAINT = 0.5

MANIFEST = """\
manifest_version = 1
name = "lane-keeping-{name}"
file = "{name}.onnx"
sha256 = "{sha256}"
labels = ["left", "straight", "right"]   # how to steer

[input]
name = "input"
dtype = "float32"
shape = [1, 16, 16]        # the road ahead, without the batch axis
range = [0.0, 1.0]

[output]
name = "logits"
kind = "logits"

[guarantee]
"""
NO_GUARANTEE = """\
kind = "none"
source = "trained for accuracy by examples/lane_keeping/train_models.py, without a guarantee"
"""
LIPSCHITZ_GUARANTEE = """\
kind = "lipschitz_logits"
norm = "l2"
constant = 1000.0
constant_of = "logit_vector"
logit_error_bound = 1000.0
source = "1-Lipschitz in l2 by construction (orthogonal matrices, MaxMin); both numbers are proved by `certimix_models prove`"
"""


def standard_network() -> nn.Sequential:
    """Two convolutions and a linear layer."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * (SIZE // 4) ** 2, len(LABELS))),
    )


def lipschitz_network() -> nn.Sequential:
    """Orthogonal matrices and MaxMin, so that the vector of logits is 1-Lipschitz in l2."""
    widths = [SIZE * SIZE, WIDTH, WIDTH, WIDTH, len(LABELS)]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [orthogonal(nn.Linear(inputs, outputs)), MaxMin()]
    return nn.Sequential(*layers[:-1])


def random_images(random: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Noisy images, their classes, and the contrast of their paint."""
    curvature = random.uniform(-1 / 150, 1 / 150, count)
    heading = random.normal(0.0, 0.06, count)
    ahead = random.uniform(-2.4, 2.4, count)
    offset = np.clip(ahead - offset_ahead(LOOKAHEAD, 0.0, heading, curvature), -1.6, 1.6)
    ahead = offset_ahead(LOOKAHEAD, offset, heading, curvature)
    contrast = random.uniform(0.06, 0.7, count)
    light, slope = random.uniform(0.15, 0.45, count), random.uniform(-0.15, 0.15, count)
    images = draw(offset, heading, curvature, contrast, light, slope)
    images = np.clip(images + random.normal(0.0, SENSOR_SIGMA, images.shape), 0.0, 1.0).astype(np.float32)
    classes = np.where(ahead > DEAD_BAND, 0, np.where(ahead < -DEAD_BAND, 2, 1))
    return torch.from_numpy(images), torch.from_numpy(classes), contrast


def train(network: nn.Sequential, steps: int, learning_rate: float, robust: bool) -> nn.Sequential:
    """Trains by Adam on a new batch for each step."""
    random = np.random.default_rng(SEED)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, steps)
    for step in range(steps):
        images, classes, contrast = random_images(random, BATCH)
        logits = network(images)
        if robust:
            # Where the paint is pale, no network has a large margin.
            wanted = np.minimum(contrast / BRIGHT_PAINT, 1.0) * MARGIN * np.sqrt(2.0)
            required = torch.from_numpy(wanted.astype(np.float32))[:, None] * one_hot(classes, len(LABELS))
            logits = (logits - required) / TEMPERATURE
        loss = cross_entropy(logits, classes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if (step + 1) % 500 == 0:
            print(f"step {step + 1} of {steps}: loss {loss.item():.4f}", flush=True)
    return network.eval()


def exported(network: nn.Sequential) -> onnx.ModelProto:
    """The network as plain ONNX nodes."""
    graph, x = GraphBuilder(), "input"
    for index, layer in enumerate(network):
        name = "logits" if index == len(network) - 1 else f"layer{index}"
        if isinstance(layer, nn.Conv2d):
            weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
            x = graph.conv(x, weight, bias, name, strides=[2, 2], pads=[1] * 4)
        elif isinstance(layer, nn.Linear):
            weight = layer.weight.detach().double()
            if hasattr(layer, "parametrizations"):
                # as orthogonal as float64 allows, before the weights are rounded once
                left, _, right = torch.linalg.svd(weight, full_matrices=False)
                weight = left @ right
            x = graph.gemm(x, weight.numpy(), layer.bias.detach().numpy(), name)
        elif isinstance(layer, nn.Flatten):
            x = graph.node("Flatten", [x], name, axis=1)
        elif isinstance(layer, nn.ReLU):
            x = graph.relu(x)
        else:
            x = graph.max_min(x, WIDTH)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "lane-keeping",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, SIZE, SIZE])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(LABELS)])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="certimix lane_keeping/train_models.py",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write_model(name: str, model: onnx.ModelProto, guarantee: str) -> None:
    """Writes the ONNX file and its manifest."""
    content = model.SerializeToString(deterministic=True)
    (FOLDER / f"{name}.onnx").write_bytes(content)
    manifest = MANIFEST.format(name=name, sha256=hashlib.sha256(content).hexdigest()) + guarantee
    (FOLDER / f"{name}.toml").write_text(manifest)
    print(f"wrote {name}.onnx, {len(content)} bytes", flush=True)


def prove_and_sign() -> None:
    """Proves the robust model, writes the proved numbers and the record, and trusts the record's key in server.toml."""
    prove = [sys.executable, "-m", "certimix_models", "prove"]
    (FOLDER / "lipschitz.proof.json").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "proof.key"
        printed = subprocess.run([*prove, "--new-key", key], check=True, stdout=subprocess.PIPE, text=True).stdout
        public = printed.strip()
        subprocess.run([*prove, FOLDER / "lipschitz.toml", "--write", "--sign", key], check=True)
    settings = FOLDER / "server.toml"
    text, count = re.subn(r'proof_keys = \["[0-9a-f]*"\]', f'proof_keys = ["{public}"]', settings.read_text())
    if count != 1:
        raise SystemExit(f"{settings}: expected one line proof_keys with one key")
    settings.write_text(text)


def main() -> None:
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    standard = train(standard_network(), steps=1500, learning_rate=2e-3, robust=False)
    robust = train(lipschitz_network(), steps=3000, learning_rate=5e-3, robust=True)
    images, classes, _ = random_images(np.random.default_rng(SEED + 1), 20_000)
    for name, network in (("standard", standard), ("lipschitz", robust)):
        with torch.no_grad():
            accuracy = (network(images).argmax(1) == classes).double().mean()
        print(f"{name}: {accuracy:.2%} of 20,000 new images are right")
    write_model("standard", exported(standard), NO_GUARANTEE)
    # in float64, so that the proven bound on the rounding of the logits is small
    write_model("lipschitz", rewrite_to_float64(exported(robust)), LIPSCHITZ_GUARANTEE)
    prove_and_sign()


if __name__ == "__main__":
    main()
