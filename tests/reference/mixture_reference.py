"""Computes the expected results for 100 test images with numpy and ONNX Runtime, independently of the server.

    python tests/reference/mixture_reference.py      writes mixture_cifar10.json

It draws the same votes as the server for a given noise key. The number of votes is fixed. It writes the certificate
with the one-sided Clopper-Pearson bound and the tight radius.
"""

import hashlib
import json
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnxruntime

import chacha
import images
import mathematics
import noise_reference

MODELS = Path(__file__).resolve().parents[2] / "models" / "cifar10"
OUTPUT = Path(__file__).with_name("mixture_cifar10.json")

ALPHA = 0.76
FAILURE_PROBABILITY = 1e-6
SELECTION_VOTES = 16
VOTES = 112
BATCH_ROWS = 16


class Model:
    """An ONNX model that always runs BATCH_ROWS rows, padded with zero rows, as in the server."""

    def __init__(self, manifest_path: Path):
        self.manifest = tomllib.loads(manifest_path.read_text())
        content = (manifest_path.parent / self.manifest["file"]).read_bytes()
        self.sha256 = hashlib.sha256(content).hexdigest()
        if self.sha256 != self.manifest["sha256"]:
            raise SystemExit(f"{manifest_path}: the model's sha256 is {self.sha256}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def logits(self, rows: np.ndarray) -> np.ndarray:
        batches = []
        for start in range(0, len(rows), BATCH_ROWS):
            batch = np.zeros((BATCH_ROWS, *rows.shape[1:]), dtype=np.float32)
            part = rows[start : start + BATCH_ROWS]
            batch[: len(part)] = part
            batches.append(self.session.run(["logits"], {"input": batch})[0][: len(part)])
        return np.concatenate(batches)


def to_input(levels: np.ndarray, manifest: dict, grid: int) -> np.ndarray:
    """Converts integer levels to the model's input, in float64 with one rounding to float32."""
    low, high = manifest["input"]["range"]
    return (np.float64(low) + levels.astype(np.float64) * ((high - low) / grid)).astype(np.float32)


def count_votes(logits: np.ndarray) -> np.ndarray:
    """Counts the votes for each class: the first argmax of each row. A row with a NaN casts no vote."""
    valid = logits[~np.isnan(logits).any(axis=1)]
    return np.bincount(valid.argmax(axis=1), minlength=logits.shape[1])


def main() -> None:
    chacha.self_test()
    standard, robust = Model(MODELS / "standard.toml"), Model(MODELS / "smoothed-025.toml")
    guarantee = robust.manifest["guarantee"]
    # The reference uses the grid of bytes, not the finer one of the manifest, so that its votes stay the same.
    sigma, grid = guarantee["sigma"], 255
    low, high = robust.manifest["input"]["range"]
    thresholds = noise_reference.table(grid * Fraction(str(sigma)) / (Fraction(high) - Fraction(low)))

    pixels = images.read_rows(MODELS / "test_100.png")
    labels = json.loads((MODELS / "test_100_labels.json").read_text())
    standard_logits = standard.logits(to_input(pixels, standard.manifest, 255))
    votes = np.arange(SELECTION_VOTES + VOTES)

    entries = []
    for position, (image, label) in enumerate(zip(pixels, labels)):
        key = hashlib.sha256(b"certimix reference key" + position.to_bytes(8, "little")).digest()
        noise = noise_reference.noise(key, votes, image.size, thresholds)
        noisy = image.astype(np.int64) + noise.reshape(-1, *image.shape)
        logits = robust.logits(to_input(noisy, robust.manifest, grid))
        entries.append(certify(position, label, key, standard_logits[position], logits, sigma))

    reference = {
        "alpha": ALPHA,
        "failure_probability": FAILURE_PROBABILITY,
        "sigma": sigma,
        "levels": grid,
        "selection_votes": SELECTION_VOTES,
        "votes": VOTES,
        "batch_rows": BATCH_ROWS,
        "standard_model_sha256": standard.sha256,
        "robust_model_sha256": robust.sha256,
        "onnxruntime": onnxruntime.__version__,
        "images": entries,
    }
    OUTPUT.write_text(to_json(reference))
    report(entries)


def certify(position: int, label: int, key: bytes, g_logits: np.ndarray, h_logits: np.ndarray, sigma: float) -> dict:
    selection = count_votes(h_logits[:SELECTION_VOTES])
    counts = count_votes(h_logits[SELECTION_VOTES:])
    selected = int(selection.argmax())
    log_g = mathematics.log_softmax(g_logits)
    mixed = mathematics.mixed_logits(log_g, counts / VOTES, ALPHA)
    lower = mathematics.clopper_pearson_lower(int(counts[selected]), VOTES, FAILURE_PROBABILITY)
    radius = mathematics.tight_radius(lower, sigma, ALPHA)
    certified = radius > 0
    return {
        "index": position,
        "label": label,
        "noise_key": key.hex(),
        "standard_logits": [float(z) for z in g_logits],
        "standard_probabilities": np.exp(log_g).tolist(),
        "selection_counts": selection.tolist(),
        "selected_class": selected,
        "counts": counts.tolist(),
        "mixed_logits": mixed.tolist(),
        "class": selected if certified else int(mixed.argmax()),
        "status": "CERTIFIED" if certified else "ABSTAINED",
        "lower_bound": lower,
        "radius": radius if certified else 0.0,
    }


def to_json(reference: dict) -> str:
    """Writes one line for each image, so that a diff shows the image."""
    head = {name: value for name, value in reference.items() if name != "images"}
    lines = ",\n  ".join(json.dumps(entry) for entry in reference["images"])
    return json.dumps(head, indent=1)[:-2] + f',\n "images": [\n  {lines}\n ]\n}}\n'


def report(entries: list[dict]) -> None:
    certified = [e for e in entries if e["status"] == "CERTIFIED"]
    correct = sum(e["class"] == e["label"] for e in entries)
    both = sum(e["class"] == e["label"] for e in certified)
    standard = sum(int(np.argmax(e["standard_logits"])) == e["label"] for e in entries)
    print(f"{OUTPUT.name}: {len(entries)} images, standard model correct {standard}, mixture correct {correct}, ", end="")
    print(f"certified {len(certified)}, certified and correct {both}, ", end="")
    print(f"largest radius {max(e['radius'] for e in entries):.4f}")


if __name__ == "__main__":
    main()
