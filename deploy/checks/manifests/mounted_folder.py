"""A ConfigMap's volume as the kubelet writes it: files are links through `..data`, and an update swaps that link."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class MountedFolder:
    """A folder whose files change together, in one step."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self.folder = folder
        self._revisions = 0
        folder.mkdir()
        self.update(files)
        for name in files:
            (folder / name).symlink_to(Path("..data") / name)

    def update(self, files: dict[str, str]) -> None:
        """Replaces every file, and removes the folder that held the old ones."""
        link = self.folder / "..data"
        old = self.folder / os.readlink(link) if link.is_symlink() else None
        self._revisions += 1
        fresh = self.folder / f"..revision-{self._revisions}"
        fresh.mkdir()
        for name, text in files.items():
            (fresh / name).write_text(text)
        temporary = self.folder / "..data_tmp"
        temporary.symlink_to(fresh.name)
        temporary.replace(link)
        if old is not None:
            shutil.rmtree(old)
