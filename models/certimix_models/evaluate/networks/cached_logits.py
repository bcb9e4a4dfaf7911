"""Logits of test images by ONNX Runtime, kept in a file, and the halves of the test set."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from certimix_models.dataset.cifar10 import Cifar10
from certimix_models.evaluate.networks.bundled_model import BundledModel, pixels_to_floats

CHUNK_IMAGES = 500


def cached_logits(model: BundledModel, cifar10: Cifar10, images: list[int], cache: Path) -> np.ndarray:
    """Float64 logits of the images at these indices. Logits that were computed before are read from
    the cache.
    """
    path = cache / f"{model.path.stem}-{model.sha256[:12]}.npz"
    known = dict(zip(*(np.load(path)[key] for key in ("images", "logits")), strict=True)) if path.exists() else {}
    missing = [image for image in images if image not in known]
    for start in tqdm(range(0, len(missing), CHUNK_IMAGES), desc=model.path.stem, unit="chunk", disable=not missing):
        chunk = missing[start : start + CHUNK_IMAGES]
        known.update(zip(chunk, model.logits(pixels_to_floats(cifar10.test_images[chunk])), strict=True))
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, images=np.array(list(known)), logits=np.stack(list(known.values())))
    return np.stack([known[image] for image in images]).astype(np.float64)


def split_halves(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The images that choose the settings, and those that are reported."""
    return np.arange(1, count, 2), np.arange(0, count, 2)
