"""Computes the expected results of the Lipschitz pair for 100 test images, independently of the server.

    python tests/reference/lipschitz_reference.py      writes lipschitz_cifar10.json

It writes the results for three values of fallback_alpha. The first equals alpha: the paper's mixture.
"""

import json
import math
from pathlib import Path

import numpy as np
import onnxruntime

import images
import mathematics
from mixture_reference import MODELS, Model, to_input, to_json

OUTPUT = Path(__file__).with_name("lipschitz_cifar10.json")

ALPHA = 0.76
TEMPERATURE = 0.2
FALLBACK_ALPHAS = [ALPHA, 0.25, 0.0]


def main() -> None:
    standard, robust = Model(MODELS / "standard.toml"), Model(MODELS / "lipschitz.toml")
    guarantee, input_range = robust.manifest["guarantee"], robust.manifest["input"]["range"]
    pixels = images.read_rows(MODELS / "test_100.png")
    labels = json.loads((MODELS / "test_100_labels.json").read_text())
    g_logits = standard.logits(to_input(pixels, standard.manifest, 255))
    h_logits = robust.logits(to_input(pixels, robust.manifest, 255))
    diameter = (input_range[1] - input_range[0]) * math.sqrt(pixels[0].size)

    def entry(position: int) -> dict:
        log_g = mathematics.log_softmax(g_logits[position])
        h = np.exp(mathematics.log_softmax(h_logits[position] / np.float64(TEMPERATURE)))
        radius = mathematics.logit_radius(
            h_logits[position], TEMPERATURE, guarantee["constant"], guarantee["logit_error_bound"], ALPHA
        )
        second, first = np.sort(h)[-2:]
        return {
            "index": position,
            "label": labels[position],
            "standard_probabilities": rounded(np.exp(log_g)),
            "robust_probabilities": rounded(h),
            "margin": float(first - second),
            "status": "CERTIFIED" if radius > 0 else "ABSTAINED",
            "radius": min(radius, diameter) if radius > 0 else 0.0,
            "mixtures": [mixture(log_g, h, fallback_alpha) for fallback_alpha in FALLBACK_ALPHAS],
        }

    reference = {
        "alpha": ALPHA,
        "temperature": TEMPERATURE,
        "fallback_alphas": FALLBACK_ALPHAS,
        "standard_model_sha256": standard.sha256,
        "robust_model_sha256": robust.sha256,
        "onnxruntime": onnxruntime.__version__,
        "images": [entry(position) for position in range(len(pixels))],
    }
    OUTPUT.write_text(to_json(reference))
    report(reference)


def mixture(log_g: np.ndarray, h: np.ndarray, fallback_alpha: float) -> dict:
    weight = mathematics.robust_weight(h, ALPHA, fallback_alpha)
    mixed = mathematics.mixed_logits(log_g, h, weight)
    return {"robust_weight": weight, "mixed_logits": rounded(mixed), "class": int(mixed.argmax())}


def rounded(values: np.ndarray) -> list[float]:
    """Returns the values with 12 digits, far more than the tests compare."""
    return [float(f"{value:.12g}") for value in values]


def report(reference: dict) -> None:
    entries = reference["images"]
    certified = [e for e in entries if e["status"] == "CERTIFIED"]
    print(f"{OUTPUT.name}: {len(entries)} images, {len(certified)} certified", end="")
    for place, fallback_alpha in enumerate(FALLBACK_ALPHAS):
        correct = sum(e["mixtures"][place]["class"] == e["label"] for e in entries)
        print(f", fallback_alpha {fallback_alpha}: {correct} correct", end="")
    print(f", largest radius {max(e['radius'] for e in entries):.4f}")


if __name__ == "__main__":
    main()
