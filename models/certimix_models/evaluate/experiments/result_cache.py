"""Raw results in files, so that a run that is stopped continues where it was.

The folder's name is a hash of everything on which the results depend. Results of other settings or
models are never mixed in. The hash covers the settings and the models, not the code.
"""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def settings_folder(parent: Path, settings: dict) -> Path:
    """The folder for these settings, which also holds them as `settings.json`."""
    text = json.dumps(settings, indent=1, sort_keys=True)
    folder = parent / hashlib.sha256(text.encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(text)
    return folder


class RowCache:
    """The rows of a table, chunk by chunk: one JSON file for each chunk."""

    def __init__(self, parent: Path, settings: dict):
        self.folder = settings_folder(parent, settings)
        self.seconds = self.cpu_seconds = 0.0

    def get(self, name: str, compute: Callable[[], tuple[list[dict], dict[str, np.ndarray]]]) -> list[dict]:
        """The rows with that name. `compute` returns them with arrays (the adversarial images),
        which are kept beside them.
        """
        path = self.folder / f"{name}.json"
        if not path.exists():
            started, cpu_started = time.perf_counter(), time.process_time()
            rows, arrays = compute()
            np.savez_compressed(path.with_suffix(".npz"), **arrays)
            partial = path.with_suffix(".partial")
            durations = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu_started}
            partial.write_text(json.dumps(durations | {"rows": rows}, indent=1))
            partial.rename(path)
        stored = json.loads(path.read_text())
        self.seconds += stored["seconds"]
        self.cpu_seconds += stored["cpu_seconds"]
        return stored["rows"]

    def time_taken(self) -> str:
        """The time that all chunks took, as text."""
        return f"{self.seconds / 60:.1f} minutes ({self.cpu_seconds / 60:.1f} of processor time), over all starts"
