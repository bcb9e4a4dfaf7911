"""Accuracy of an exported model on the 10,000 test images, by ONNX Runtime, never by PyTorch.

Training and evaluation both use it. It writes docs/results/accuracy.csv.
"""

import argparse
import hashlib
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from tqdm import tqdm

from certimix_models import result_tables
from certimix_models.dataset.cifar10 import Cifar10, load_cifar10
from certimix_models.repository import RESULTS

BATCH = 100
NOISE_SEED = 0
TABLE = RESULTS / "accuracy.csv"
CERTIFIED_AT = (36, 72)  # pixel levels, in l2


def run(options: argparse.Namespace) -> None:
    cifar10 = load_cifar10(options.work_dir)
    for manifest in options.manifests:
        measure_and_record(manifest, cifar10)


def measure_and_record(manifest_path: Path, cifar10: Cifar10) -> None:
    """Measures a model, prints the result, and replaces the model's rows of the table."""
    rows = list(measure_accuracy(manifest_path, cifar10))
    for row in rows:
        print(f"{row['model']}: {row['measure']}: {row['right'] / row['images']:.2%}", flush=True)
    model_file = result_tables.file_identity(manifest_path.with_suffix(".onnx"))
    result_tables.replace_part(
        TABLE, rows, lambda row: row["model"] == manifest_path.stem, model_file, part=manifest_path.stem
    )


def measure_accuracy(manifest_path: Path, cifar10: Cifar10) -> Iterator[dict]:
    """The rows of a model: the clean accuracy; of a base classifier for smoothing also the accuracy
    under one noise draw for each image; of a Lipschitz network also the share that its logits
    certify without a mixture.
    """
    manifest = tomllib.loads(manifest_path.read_text())
    content = (manifest_path.parent / manifest["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise SystemExit(f"{manifest_path}: the model is not the one that the manifest names")

    def row(name: str, correct: np.ndarray) -> dict:
        return {"model": manifest_path.stem, "measure": name, "images": len(correct), "right": int(correct.sum())}

    clean = compute_logits(content, cifar10, None)
    correct = clean.argmax(axis=1) == cifar10.test_labels
    yield row("clean", correct)
    guarantee = manifest["guarantee"]
    if guarantee["kind"] == "gaussian_smoothing":
        noisy = compute_logits(content, cifar10, guarantee["sigma"] * guarantee["levels"])
        yield row("under one noise draw", noisy.argmax(axis=1) == cifar10.test_labels)
    if guarantee["kind"] == "lipschitz_logits":
        first, second = np.sort(clean, axis=1)[:, :-3:-1].T.astype(np.float64)
        # Each of two logits may be off at the image and at the perturbed image: four errors
        # (docs/concepts/certificates.md, section 2).
        radius = (first - second - 4 * guarantee["logit_error_bound"]) / (math.sqrt(2) * guarantee["constant"])
        for levels in CERTIFIED_AT:
            yield row(f"right and certified at {levels}/255", correct & (radius > levels / 255))


def compute_logits(content: bytes, cifar10: Cifar10, noise_deviation: float | None) -> np.ndarray:
    """The logits of all test images. `noise_deviation` is in pixel levels. The noise is rounded to
    whole levels; nothing is clipped.
    """
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(NOISE_SEED)
    logits = []
    for start in tqdm(range(0, len(cifar10.test_labels), BATCH), mininterval=5, leave=False):
        levels = cifar10.test_images[start : start + BATCH].astype(np.float64)
        if noise_deviation is not None:
            levels += np.rint(generator.normal(0, noise_deviation, levels.shape))
        logits.append(session.run(["logits"], {"input": (levels / 255).astype(np.float32)})[0])
    return np.concatenate(logits)
