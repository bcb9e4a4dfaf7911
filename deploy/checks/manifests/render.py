"""Renders the overlays as `kubectl apply -k` does."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from common.outcome import CheckFailed
from common.prerequisites import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"

# An object of Kubernetes, as YAML reads it.
Manifest = dict[str, Any]


def kustomize(folder: Path) -> str:
    """The manifests of one kustomization as YAML.

    Raises:
        CheckFailed: if kustomize refuses the folder.
    """
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise CheckFailed(f"kubectl kustomize {folder}: {done.stderr.strip()}")
    return done.stdout


def overlays() -> list[str]:
    """The names of the overlays."""
    return sorted(path.parent.name for path in (KUBERNETES / "overlays").glob("*/kustomization.yaml"))


def components() -> list[str]:
    """The names of the components."""
    return sorted(path.parent.name for path in (KUBERNETES / "components").glob("*/kustomization.yaml"))


def with_components(overlay: str, names: list[str]) -> str:
    """The manifests of `overlay` with the components `names`: its own file, with their lines added as its comments say."""
    own = KUBERNETES / "overlays" / overlay
    kustomization = yaml.safe_load((own / "kustomization.yaml").read_text())
    # A folder beside the overlay would be in the way of a git checkout, so every path is rewritten for a folder elsewhere.
    (ROOT / ".runtime").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".runtime") as scratch:

        def path(to: Path) -> str:
            return os.path.relpath(to.resolve(), Path(scratch).resolve())

        kustomization["resources"] = [path(own / each) for each in kustomization["resources"]]
        kustomization["components"] = [path(KUBERNETES / "components" / name) for name in names]
        for patch in kustomization.get("patches", []):
            if "path" in patch:
                (Path(scratch) / patch["path"]).write_text((own / patch["path"]).read_text())
        (Path(scratch) / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return kustomize(Path(scratch))


def objects(text: str) -> list[Manifest]:
    """The objects of a stream of YAML documents."""
    return [each for each in yaml.safe_load_all(text) if each]


def title(manifest: Manifest) -> str:
    """How a message names an object."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"
