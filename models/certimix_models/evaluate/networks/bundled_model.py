"""Loads a bundled model twice: in ONNX Runtime, which is what the server runs, and in torch, which has gradients.

model = models.load(Path("models/cifar10/standard.toml"))
model.torch(x)        # differentiable logits
model.logits(images)  # the same by ONNX Runtime, from the bundled file
"""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnx_torch import OnnxModule
from torch import nn

BATCH = 128
LARGEST_DIFFERENCE = 1e-3  # between the two, in a logit; more is another network


@dataclass(frozen=True)
class Model:
    path: Path
    manifest: dict
    torch: nn.Module
    session: onnxruntime.InferenceSession
    temperature: float = 1.0  # both kinds of logits are divided by it: softmax(z / T)

    @property
    def name(self) -> str:
        return self.manifest["name"]

    @property
    def sha256(self) -> str:
        return self.manifest["sha256"]

    @property
    def identity(self) -> tuple[str, str]:
        """The name of its ONNX file, and the sha256."""
        return self.manifest["file"], self.sha256

    def logits(self, images: np.ndarray) -> np.ndarray:
        """By ONNX Runtime; images float32 [N, 3, 32, 32] in [0, 1]."""
        if images.dtype != np.float32:
            raise TypeError(f"images are {images.dtype}, not float32")
        output, given = self.manifest["output"]["name"], self.manifest["input"]["name"]
        parts = [self.session.run([output], {given: images[i : i + BATCH]})[0] for i in range(0, len(images), BATCH)]
        return np.concatenate(parts) / np.float32(self.temperature)


def to_floats(pixels: np.ndarray) -> np.ndarray:
    """uint8 pixels as the float32 images in [0, 1] that a model is given."""
    return pixels.astype(np.float32) / np.float32(255)


class Tempered(nn.Module):
    def __init__(self, network: nn.Module, temperature: float):
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x) / self.temperature


def load(path: Path, threads: int = 1, temperature: float = 1.0) -> Model:
    """The model that the manifest names; its sha256 is checked, and that torch and ONNX Runtime agree."""
    path = Path(path)
    manifest = tomllib.loads(path.read_text())
    content = (path.parent / manifest["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise SystemExit(f"{path}: the model is not the one that the manifest names")
    if manifest["output"]["kind"] != "logits":
        raise SystemExit(f"{path}: gives {manifest['output']['kind']}, and these experiments need logits")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    network = OnnxModule(content)
    model = Model(path, manifest, network if temperature == 1 else Tempered(network, temperature), session, temperature)
    _compare(model)
    return model


def _compare(model: Model) -> None:
    """On noise, on flat images and on darker noise, so that no data set is needed."""
    random = np.random.default_rng(0)
    shape = tuple(model.manifest["input"]["shape"])
    levels = np.linspace(0, 1, 4).reshape(4, *[1] * len(shape))
    images = np.concatenate(
        [random.random((4, *shape)), levels * np.ones((4, *shape)), levels * random.random((4, *shape))]
    )
    images = images.astype(np.float32)
    with torch.no_grad():
        by_torch = model.torch(torch.from_numpy(images)).numpy()
    difference = np.abs(by_torch - model.logits(images)).max()
    if not difference <= LARGEST_DIFFERENCE:
        raise SystemExit(f"{model.path}: torch and ONNX Runtime differ by {difference:g} in a logit")
