"""Raw results, chunk by chunk, so that a run that was stopped goes on where it was: one JSON file of rows each.

The folder's name is a hash of everything that the results depend on; results of other settings or models are never mixed in.
"""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def folder_for(parent: Path, settings: dict) -> Path:
    text = json.dumps(settings, indent=1, sort_keys=True)
    folder = parent / hashlib.sha256(text.encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(text)
    return folder


class Chunks:
    def __init__(self, parent: Path, settings: dict):
        self.folder = folder_for(parent, settings)
        self.seconds = self.cpu_seconds = 0.0

    def get(self, name: str, compute: Callable[[], tuple[list[dict], dict[str, np.ndarray]]]) -> list[dict]:
        """The rows of that name. `compute` returns them with arrays (the adversarial images) to keep beside them."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            begun, begun_computing = time.perf_counter(), time.process_time()
            rows, arrays = compute()
            np.savez_compressed(path.with_suffix(".npz"), **arrays)
            partial = path.with_suffix(".partial")
            taken = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - begun_computing}
            partial.write_text(json.dumps(taken | {"rows": rows}, indent=1))
            partial.rename(path)
        stored = json.loads(path.read_text())
        self.seconds += stored["seconds"]
        self.cpu_seconds += stored["cpu_seconds"]
        return stored["rows"]

    def time_taken(self) -> str:
        return f"{self.seconds / 60:.1f} minutes ({self.cpu_seconds / 60:.1f} of a processor), over all starts"
