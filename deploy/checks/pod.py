#!/usr/bin/env python3
"""Runs the server as a pod of the overlay `cpu` runs it, and takes it through the life of a pod. Needs no cluster.

    deploy/checks/pod.py [--server target/release/certimix]

The settings lie in a folder as the kubelet mounts a ConfigMap. The check asks the probes, changes alpha by the symlink swap of
a ConfigMap's update, compares the memory limit with what callers can make the server take, and stops the server with SIGTERM
as a rollout does. Exit code 77: a tool is missing.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common.outcome import CheckFailed, report_missing
from common.prerequisites import RELEASE_SERVER, missing_tools

NEW_ALPHA = 0.8
# The server also compares the files every 5 s, for file systems that report no change.
CHANGED_WITHIN_S = 30
# During a reload of the models the old ones and the new ones are loaded.
COPIES_OF_MODELS = 2
MIB = 1 << 20
UNITS = {"Mi": MIB, "Gi": MIB << 10}
sys.dont_write_bytecode = True


def check(server: Path, folder: Path) -> None:
    """Takes one server through the life of a pod. Prints a line for each step.

    Raises:
        CheckFailed: at the first step that goes wrong.
    """
    from manifests import references, render, settings
    from manifests.pod_process import PodProcess, wait_for

    def expect(condition: bool, fault: str) -> None:
        if not condition:
            raise CheckFailed(fault)

    manifests = render.objects(render.kustomize(render.KUBERNETES / "overlays" / "cpu"))
    (deployment,) = references.of_kind(manifests, "Deployment")
    spec = references.pod_spec(deployment)
    text = spec["containers"][0]["resources"]["limits"]["memory"]
    limit = int(text[:-2]) * UNITS[text[-2:]]
    with PodProcess(server, manifests, folder, limit // 4) as pod:
        print(f"ready after {pod.wait_until_ready():.1f} s", flush=True)
        for path in ("/livez", "/readyz"):
            status, body = pod.get(path)
            expect(status == 200, f"{path} answers {status} {body!r}, expected 200")

        worst_case = (pod.log_line("limits of the memory") or {})["worst_case_bytes"]
        resident = pod.resident_bytes()
        needed = worst_case + COPIES_OF_MODELS * resident
        print(f"memory: {resident // MIB} MiB with the models, and callers can add {worst_case // MIB} MiB: {needed // MIB} MiB")
        expect(needed <= limit, f"the pod may need {needed // MIB} MiB, and its limit is {limit // MIB} MiB")

        served = pod.metric("certimix_config_alpha")
        changed = pod.settings.replace(f"alpha = {served} ", f"alpha = {NEW_ALPHA} ", 1)
        expect(changed != pod.settings, f"the settings do not set the alpha that is served, {served}")
        pod.mount.update({settings.FILE: changed})
        seconds = wait_for(lambda: pod.metric("certimix_config_alpha") == NEW_ALPHA, f"alpha is {NEW_ALPHA}", CHANGED_WITHIN_S)
        print(f"alpha changed from {served} to {NEW_ALPHA} without a restart, {seconds:.2f} s after the symlink swap", flush=True)
        pod.mount.update({settings.FILE: changed.replace(f"alpha = {NEW_ALPHA} ", "alpha = 1.8 ", 1)})
        wait_for(lambda: pod.metric("certimix_config_pending") == 1, "the change is rejected", CHANGED_WITHIN_S)
        expect(pod.metric("certimix_config_alpha") == NEW_ALPHA, "a rejected change has replaced alpha")
        print("a change to alpha = 1.8 is rejected, and the old alpha stays", flush=True)

        pod.process.send_signal(signal.SIGTERM)
        stopping = time.monotonic()
        wait_for(lambda: pod.get("/readyz")[0] == 503, "/readyz answers 503 after SIGTERM", CHANGED_WITHIN_S)
        address = (pod.log_line("ready") or {})["address"]
        info = subprocess.run([str(server), "info", "--address", str(address)], capture_output=True, check=False, timeout=60)
        expect(info.returncode == 0, "a server in its drain delay refuses callers that do not know yet that it stops")
        grace = spec["terminationGracePeriodSeconds"]
        try:
            code = pod.process.wait(grace)
        except subprocess.TimeoutExpired:
            raise CheckFailed(f"the server runs {grace} s after SIGTERM: the kubelet would kill it") from None
        expect(code == 0, f"the server ended with {code}, expected 0")
        print(f"stopped with 0, {time.monotonic() - stopping:.1f} s after SIGTERM; the grace period is {grace} s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=Path, default=RELEASE_SERVER, help="the server's program")
    options = parser.parse_args()
    if missing := missing_tools(["kubectl"], ["yaml"], options.server, needs_runtime=True):
        return report_missing(missing)

    with tempfile.TemporaryDirectory(prefix="certimix-pod-") as folder:
        try:
            check(options.server.resolve(), Path(folder))
        except CheckFailed as failure:
            print(f"FAIL: {failure}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
