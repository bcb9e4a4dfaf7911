"""The settings in the ConfigMap: accepted by the server itself, and in agreement with the manifests round them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Iterator

from common.prerequisites import ROOT

from .references import of_kind, pod_spec
from .render import Manifest, title

FILE = "certimix.toml"
# After the drain the server sends its last spans (2 s) and log lines (1.5 s).
AFTER_DRAIN_S = 5
DURATION_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def settings_text(manifests: list[Manifest]) -> str:
    """The settings file of a rendered overlay."""
    (config,) = [each for each in of_kind(manifests, "ConfigMap") if FILE in each["data"]]
    text: str = config["data"][FILE]
    return text


def container_of(manifests: list[Manifest]) -> dict[str, Any]:
    """The container that runs the server."""
    for workload in of_kind(manifests, "Deployment"):
        return dict(pod_spec(workload)["containers"][0])
    (runtime,) = of_kind(manifests, "ServingRuntime")
    return dict(runtime["spec"]["containers"][0])


def variables(manifests: list[Manifest]) -> dict[str, str]:
    """The settings that the container's variables override. KServe's placeholder stands for a name."""
    container = container_of(manifests)
    return {each["name"]: each["value"].replace("{{.Name}}", "certimix") for each in container.get("env", [])}


def seconds(duration: str) -> float:
    """The seconds of a duration of the settings, such as "5s"."""
    number = duration.rstrip("mhs")
    return float(number) * DURATION_UNITS_S[duration[len(number) :]]


def local_paths() -> dict[str, str]:
    """The variables that put the files of this repository in place of those in the image."""
    return {
        "CERTIMIX__MODELS__STANDARD": str(ROOT / "models/cifar10/standard.toml"),
        "CERTIMIX__MODELS__ROBUST": str(ROOT / "models/cifar10/lipschitz.toml"),
        "CERTIMIX__RUNTIME__LIBRARY": str(ROOT / ".runtime/onnxruntime/libonnxruntime.so"),
    }


def environment(*settings: dict[str, str]) -> dict[str, str]:
    """The variables of a process: those of this one without settings of the server, then `settings`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CERTIMIX")}
    for each in settings:
        own.update(each)
    return own


def check_config(server: Path, manifests: list[Manifest], *arguments: str, **paths: str) -> list[str]:
    """The violations that the server itself finds in the settings of a rendered overlay, under its variables."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / FILE
        file.write_text(settings_text(manifests))
        command = [str(server), "check-config", str(file), "--json", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=300, env=environment(variables(manifests), paths)
        )
    if done.returncode == 0:
        return []
    try:
        return [f"check-config: {each['key']}: {each['message']}" for each in json.loads(done.stdout)["violations"]]
    except (ValueError, KeyError, TypeError):
        return [f"check-config exits with {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}"]


def image_faults(manifests: list[Manifest]) -> Iterator[str]:
    """Every path of the settings that the image does not have, and every variable of the image that hides another value."""
    file = ROOT / "Dockerfile"
    if not file.is_file():
        return
    dockerfile = file.read_text()
    settings = tomllib.loads(settings_text(manifests))
    copies = [line.split() for line in dockerfile.splitlines() if line.startswith("COPY")]
    targets = [copy[-1] for copy in copies]
    overridden = variables(manifests)
    paths = {
        "CERTIMIX__MODELS__STANDARD": settings["models"]["standard"],
        "CERTIMIX__MODELS__ROBUST": settings["models"]["robust"],
        "CERTIMIX__RUNTIME__LIBRARY": settings["runtime"]["library"],
    }
    for name, path in paths.items():
        if name not in overridden and os.path.dirname(path) not in {target.rstrip("/") for target in targets}:
            yield f"{path} is in no folder that the Dockerfile copies files to"
    for name, value in re.findall(r"(CERTIMIX__\w+)=(\S+)", dockerfile):
        _, table, key = name.lower().split("__")
        own = settings.get(table, {}).get(key)
        if own is not None and str(own) != value:
            yield f"{table}.{key} is {own}, and the image's variable {name}={value} hides it"


def faults(manifests: list[Manifest]) -> Iterator[str]:
    """Every disagreement between the settings and the manifests."""
    settings = tomllib.loads(settings_text(manifests))
    container = container_of(manifests)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for table, names in {"server": ("grpc", "h2c"), "metrics": ("metrics",)}.items():
        host, _, port = settings[table]["listen"].rpartition(":")
        if host != "0.0.0.0":
            yield f"{table}.listen is {host}:{port}, expected 0.0.0.0: the kubelet and callers are outside the pod"
        if int(port) not in {ports.get(name) for name in names}:
            yield f"{table}.listen has the port {port}, and the container has {ports}"
    mount = next(each["mountPath"] for each in container["volumeMounts"] if each["name"] == "config")
    if container["args"] != ["serve", f"{mount}/{FILE}"]:
        yield f"the container's args are {container['args']}, and the settings are at {mount}/{FILE}"
    drain = seconds(settings["server"]["drain_delay"]) + seconds(settings["server"]["drain_timeout"]) + AFTER_DRAIN_S
    for workload in manifests:
        grace = (pod_spec(workload) if workload["kind"] == "Deployment" else workload.get("spec", {}).get("predictor", {})).get(
            "terminationGracePeriodSeconds"
        )
        if grace is not None and grace < drain:
            yield f"{title(workload)}: terminationGracePeriodSeconds is {grace}, and the drain takes up to {drain:.0f} s"
