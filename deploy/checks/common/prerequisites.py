"""What a check needs beside Python, and how to get it."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Iterable

ROOT = Path(__file__).resolve().parents[3]
RELEASE_SERVER = ROOT / "target" / "release" / "certimix"

PROGRAMS = {
    "hadolint": "make deploy-tools",
    "kubectl": "version 1.27 or later: see the installation guide of Kubernetes",
    "openssl": "apt-get install openssl",
    "prometheus": "apt-get install prometheus",
    "promtool": "apt-get install prometheus",
}
# Those of deploy/checks/requirements.txt are in a virtual environment.
DEPLOY_TOOLS = "make deploy-tools, and run this with .runtime/deploy-tools/bin/python"
MODULES = {"certimix": "make python-packages", "grpc": "make python-packages"}


def missing_tools(
    programs: Iterable[str] = (),
    modules: Iterable[str] = (),
    server: Path | None = None,
    needs_runtime: bool = False,
) -> list[str]:
    """What is not there of the programs, the Python modules, the server's binary and ONNX Runtime, each with the way to get it."""
    missing = [f"{name}: {PROGRAMS[name]}" for name in programs if shutil.which(name) is None]
    missing += [f"{name}: {MODULES.get(name, DEPLOY_TOOLS)}" for name in modules if importlib.util.find_spec(name) is None]
    if server is not None and not server.is_file():
        missing.append(f"{server}: make build")
    if needs_runtime and not (ROOT / ".runtime" / "onnxruntime" / "libonnxruntime.so").exists():
        missing.append("ONNX Runtime: make runtime")
    return missing
