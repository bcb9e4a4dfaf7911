"""The restricted Pod Security Standard of Kubernetes, as far as the manifests can break it, and what this project adds."""

from __future__ import annotations

from typing import Any, Iterator

from .render import Manifest, title


def faults(manifest: Manifest) -> Iterator[str]:
    """Every violation of the containers of a Deployment or a ServingRuntime."""
    if manifest["kind"] == "Deployment":
        pod = manifest["spec"]["template"]["spec"]
    elif manifest["kind"] == "ServingRuntime":
        pod = manifest["spec"]
    else:
        return
    where, shared = title(manifest), pod.get("securityContext", {})
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield f"{where}: {key} is set"
    for volume in pod["volumes"]:
        allowed = {"configMap", "secret", "emptyDir", "projected", "downwardAPI", "csi", "persistentVolumeClaim", "ephemeral"}
        if not set(volume) - {"name"} <= allowed:
            yield f"{where}: the volume {volume['name']} is of a kind that the standard forbids"
    for container in pod["containers"]:
        own = container.get("securityContext", {})

        def effective(key: str, own: dict[str, Any] = own) -> Any:
            return own.get(key, shared.get(key))

        wanted = {
            "runAsNonRoot": effective("runAsNonRoot") is True,
            "runAsUser is a number above 0": isinstance(effective("runAsUser"), int) and effective("runAsUser") > 0,
            "runAsGroup is a number above 0": isinstance(effective("runAsGroup"), int) and effective("runAsGroup") > 0,
            "seccompProfile RuntimeDefault": effective("seccompProfile") == {"type": "RuntimeDefault"},
            "allowPrivilegeEscalation false": own.get("allowPrivilegeEscalation") is False,
            "privileged is not set": not own.get("privileged"),
            "all capabilities dropped, none added": own.get("capabilities") == {"drop": ["ALL"]},
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
            "limits of cpu and memory": {"cpu", "memory"} <= set(container["resources"]["limits"]),
            "no hostPort": all("hostPort" not in port for port in container["ports"]),
        }
        yield from (f"{where}: {container['name']}: not met: {rule}" for rule, met in wanted.items() if not met)
    if manifest["kind"] == "Deployment":
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{where}: automountServiceAccountToken is not false"
        if not isinstance(shared.get("fsGroup"), int):
            yield f"{where}: fsGroup is not set"
