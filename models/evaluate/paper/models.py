"""Loads a bundled model in ONNX Runtime, which is what the server runs; its sha256 is checked."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

BATCH = 100


@dataclass(frozen=True)
class Model:
    path: Path
    manifest: dict
    session: onnxruntime.InferenceSession

    @property
    def name(self) -> str:
        return self.manifest["name"]

    @property
    def sha256(self) -> str:
        return self.manifest["sha256"]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Images float32 [N, 3, 32, 32] in [0, 1]."""
        output, given = self.manifest["output"]["name"], self.manifest["input"]["name"]
        parts = [self.session.run([output], {given: images[i : i + BATCH]})[0] for i in range(0, len(images), BATCH)]
        return np.concatenate(parts)


def load(path: Path, threads: int = 1) -> Model:
    path = Path(path)
    manifest = tomllib.loads(path.read_text())
    content = (path.parent / manifest["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise SystemExit(f"{path}: the model is not the one that the manifest names")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    return Model(path, manifest, onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]))
