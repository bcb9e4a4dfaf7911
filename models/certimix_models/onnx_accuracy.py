"""Accuracy of an exported model over the 10,000 test images, by ONNX Runtime, never by PyTorch.

    python models/train/evaluate.py models/cifar10/*.toml

Writes docs/results/accuracy.csv, of which models/evaluate/paper/report.py makes the table of the model card.
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

import data
import tables

BATCH = 100
NOISE_SEED = 0
TABLE = data.REPOSITORY / "docs" / "results" / "accuracy.csv"
CERTIFIED_AT = (36, 72)  # pixel levels, in l2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", type=Path, nargs="+")
    parser.add_argument("--work-dir", type=Path, default=data.DEFAULT_WORK_DIR, help="where the data set is cached")
    options = parser.parse_args()
    cifar = data.load(options.work_dir)
    for manifest in options.manifests:
        evaluate(manifest, cifar)


def evaluate(manifest_path: Path, cifar: data.Cifar10) -> None:
    """Prints what was measured of a model, and puts it in the place of what the table had of it."""
    rows = list(measure(manifest_path, cifar))
    for row in rows:
        print(f"{row['model']}: {row['measure']}: {row['right'] / row['images']:.2%}", flush=True)
    network = tables.identity(manifest_path.with_suffix(".onnx"))
    tables.replace(TABLE, rows, lambda row: row["model"] == manifest_path.stem, network, part=manifest_path.stem)


def measure(manifest_path: Path, cifar: data.Cifar10) -> Iterator[dict]:
    """The clean accuracy and, of a base classifier for smoothing, that under one draw of noise an image; of a
    Lipschitz network, the share that its logits certify without any mixture."""
    manifest = tomllib.loads(manifest_path.read_text())
    content = (manifest_path.parent / manifest["file"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise SystemExit(f"{manifest_path}: the model is not the one that the manifest names")

    def row(name: str, hits: np.ndarray) -> dict:
        return {"model": manifest_path.stem, "measure": name, "images": len(hits), "right": int(hits.sum())}

    clean = logits_of(content, cifar, None)
    right = clean.argmax(axis=1) == cifar.test_labels
    yield row("clean", right)
    guarantee = manifest["guarantee"]
    if guarantee["kind"] == "gaussian_smoothing":
        noisy = logits_of(content, cifar, guarantee["sigma"] * guarantee["levels"])
        yield row("under one noise draw", noisy.argmax(axis=1) == cifar.test_labels)
    if guarantee["kind"] == "lipschitz_logits":
        first, second = np.sort(clean, axis=1)[:, :-3:-1].T.astype(np.float64)
        # Each of two logits may be off at the image and at the perturbed one: four errors (docs/concepts/certificates.md, section 2).
        radius = (first - second - 4 * guarantee["logit_error_bound"]) / (math.sqrt(2) * guarantee["constant"])
        for levels in CERTIFIED_AT:
            yield row(f"right and certified at {levels}/255", right & (radius > levels / 255))


def logits_of(content: bytes, cifar: data.Cifar10, deviation: float | None) -> np.ndarray:
    """`deviation` is that of the noise, in pixel levels; it is rounded to whole levels; nothing is clipped."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(NOISE_SEED)
    logits = []
    for start in tqdm(range(0, len(cifar.test_labels), BATCH), mininterval=5, leave=False):
        levels = cifar.test_images[start : start + BATCH].astype(np.float64)
        if deviation is not None:
            levels += np.rint(random.normal(0, deviation, levels.shape))
        logits.append(session.run(["logits"], {"input": (levels / 255).astype(np.float32)})[0])
    return np.concatenate(logits)


if __name__ == "__main__":
    main()
