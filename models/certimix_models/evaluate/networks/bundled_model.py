"""Loads a bundled model twice: in ONNX Runtime, which the server runs, and in torch, which has
gradients.

    model = load_model(Path("models/cifar10/standard.toml"))
    model.torch_module(x)  # differentiable logits
    model.logits(images)   # the same by ONNX Runtime, from the bundled file
"""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from certimix_models.evaluate.networks.onnx_to_torch import OnnxModule

INFERENCE_BATCH = 128
LARGEST_LOGIT_DIFFERENCE = 1e-3  # between torch and ONNX Runtime; a larger difference means another network


@dataclass(frozen=True)
class BundledModel:
    """A model in ONNX Runtime and in torch, with its manifest."""

    path: Path
    manifest: dict
    torch_module: nn.Module
    session: onnxruntime.InferenceSession
    temperature: float = 1.0  # both divide their logits by it: softmax(z / T)

    @property
    def name(self) -> str:
        return self.manifest["name"]

    @property
    def sha256(self) -> str:
        return self.manifest["sha256"]

    @property
    def identity(self) -> tuple[str, str]:
        """The name of its ONNX file, and the SHA-256."""
        return self.manifest["file"], self.sha256

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits by ONNX Runtime. Images are float32 [N, 3, 32, 32] in [0, 1]."""
        if images.dtype != np.float32:
            raise TypeError(f"images are {images.dtype}, not float32")
        output_name, input_name = self.manifest["output"]["name"], self.manifest["input"]["name"]
        parts = [
            self.session.run([output_name], {input_name: images[i : i + INFERENCE_BATCH]})[0]
            for i in range(0, len(images), INFERENCE_BATCH)
        ]
        return np.concatenate(parts) / np.float32(self.temperature)


def pixels_to_floats(pixels: np.ndarray) -> np.ndarray:
    """uint8 pixels as the float32 images in [0, 1] that a model takes."""
    return pixels.astype(np.float32) / np.float32(255)


class TemperatureScaled(nn.Module):
    """A network whose logits are divided by a temperature."""

    def __init__(self, network: nn.Module, temperature: float):
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x) / self.temperature


def load_model(path: Path, threads: int = 1, temperature: float = 1.0) -> BundledModel:
    """The model that the manifest names. Checks its SHA-256, and that torch and ONNX Runtime agree."""
    path = Path(path)
    manifest = tomllib.loads(path.read_text())
    content = (path.parent / manifest["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise SystemExit(f"{path}: the model is not the one that the manifest names")
    if manifest["output"]["kind"] != "logits":
        raise SystemExit(f"{path}: gives {manifest['output']['kind']}, and the experiments need logits")
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = session_options.inter_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, session_options, providers=["CPUExecutionProvider"])
    network = OnnxModule(content)
    model = BundledModel(
        path, manifest, network if temperature == 1 else TemperatureScaled(network, temperature), session, temperature
    )
    _check_torch_agrees(model)
    return model


def _check_torch_agrees(model: BundledModel) -> None:
    """Compares torch and ONNX Runtime on noise, on uniform images and on darker noise. So it needs
    no data set.
    """
    generator = np.random.default_rng(0)
    shape = tuple(model.manifest["input"]["shape"])
    levels = np.linspace(0, 1, 4).reshape(4, *[1] * len(shape))
    images = np.concatenate(
        [generator.random((4, *shape)), levels * np.ones((4, *shape)), levels * generator.random((4, *shape))]
    )
    images = images.astype(np.float32)
    with torch.no_grad():
        by_torch = model.torch_module(torch.from_numpy(images)).numpy()
    difference = np.abs(by_torch - model.logits(images)).max()
    if not difference <= LARGEST_LOGIT_DIFFERENCE:
        raise SystemExit(f"{model.path}: torch and ONNX Runtime differ by {difference:g} in a logit")
