"""Accuracy of an exported model over the 10,000 test images, by ONNX Runtime, never by PyTorch.

    python models/train/evaluate.py models/cifar10/standard.toml models/cifar10/smoothed-025.toml
"""

import argparse
import hashlib
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime
from tqdm import tqdm

import data

BATCH = 100
NOISE_SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", type=Path, nargs="+")
    parser.add_argument("--work-dir", type=Path, default=data.DEFAULT_WORK_DIR, help="where the data set is cached")
    options = parser.parse_args()
    cifar = data.load(options.work_dir)
    for manifest in options.manifests:
        evaluate(manifest, cifar)


def evaluate(manifest_path: Path, cifar: data.Cifar10) -> None:
    """Prints the clean accuracy and, of a base classifier for smoothing, that under one draw of noise an image."""
    manifest = tomllib.loads(manifest_path.read_text())
    content = (manifest_path.parent / manifest["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise SystemExit(f"{manifest_path}: the model is not the one that the manifest names")
    print(f"{manifest['name']}: clean accuracy {accuracy(content, cifar, None):.2%}", flush=True)
    guarantee = manifest["guarantee"]
    if guarantee["kind"] == "gaussian_smoothing":
        deviation = guarantee["sigma"] * guarantee["levels"]
        noisy = accuracy(content, cifar, deviation)
        print(f"{manifest['name']}: accuracy under one noise draw: {noisy:.2%}", flush=True)


def accuracy(content: bytes, cifar: data.Cifar10, deviation: float | None) -> float:
    """`deviation` is that of the noise, in pixel levels; it is rounded to whole levels; nothing is clipped."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(NOISE_SEED)
    correct = 0
    for start in tqdm(range(0, len(cifar.test_labels), BATCH), mininterval=5, leave=False):
        levels = cifar.test_images[start : start + BATCH].astype(np.float64)
        if deviation is not None:
            levels += np.rint(random.normal(0, deviation, levels.shape))
        logits = session.run(["logits"], {"input": (levels / 255).astype(np.float32)})[0]
        correct += int((logits.argmax(axis=1) == cifar.test_labels[start : start + BATCH]).sum())
    return correct / len(cifar.test_labels)


if __name__ == "__main__":
    main()
