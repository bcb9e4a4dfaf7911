#!/usr/bin/env python3
"""Runs the image of Certimix as a cluster does, calls it and stops it.

    deploy/image/smoke_test.py [--engine docker] [--image certimix]

The container has a read-only root, no capabilities and 512 MiB. The test waits until it is ready, classifies the bundled
images, and expects that SIGTERM ends it with exit code 0. It needs an engine with the command line of Docker.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request

READY_WITHIN_S = 120
STOP_WITHIN_S = 60
CALL_WITHIN_S = 120
RESTRICTED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "512m"]
# The server publishes on every address of the container. The engine chooses the ports of the host.
PUBLISHED = ["--publish", "127.0.0.1::50051", "--publish", "127.0.0.1::9464"]


class Failure(Exception):
    """The image does not do what it should."""


class Container:
    """A container of the image."""

    def __init__(self, engine: list[str], image: str, arguments: list[str]) -> None:
        self.engine = engine
        self.id = self._output(["run", "--detach", *RESTRICTED, *arguments, image])

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.engine, *arguments], capture_output=True, text=True, check=False, timeout=CALL_WITHIN_S)

    def _output(self, arguments: list[str]) -> str:
        done = self._run(arguments)
        if done.returncode != 0:
            raise Failure(f"{shlex.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def certimix(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in the container."""
        return self._run(["exec", self.id, "certimix", *arguments])

    def inspect(self, template: str) -> str:
        return self._output(["inspect", "--format", template, self.id])

    def logs(self) -> str:
        done = self._run(["logs", self.id])
        return done.stdout + done.stderr

    def address(self, port: int) -> str:
        """The address of the host for a port of the container."""
        return self._output(["port", self.id, f"{port}/tcp"]).splitlines()[0]

    def stop(self) -> None:
        self._output(["stop", "--time", str(STOP_WITHIN_S), self.id])

    def remove(self) -> None:
        self._run(["rm", "--force", self.id])


def wait_until_ready(container: Container) -> float:
    """Waits until `certimix health` succeeds, and returns the seconds that it took."""
    began = time.monotonic()
    while time.monotonic() - began < READY_WITHIN_S:
        if container.certimix("health").returncode == 0:
            return time.monotonic() - began
        if container.inspect("{{.State.Running}}") != "true":
            raise Failure("the server has ended")
        time.sleep(0.2)
    raise Failure(f"the server is not ready after {READY_WITHIN_S} s")


def check_predictions(container: Container) -> str:
    done = container.certimix("predict", "models/cifar10/samples", "--json", "--deadline", "60s")
    if done.returncode != 0:
        raise Failure(f"certimix predict ended with {done.returncode}: {done.stderr.strip()}")
    statuses = [json.loads(line)["certificate"]["status"] for line in done.stdout.splitlines()]
    if len(statuses) != 20 or "certified" not in statuses:
        raise Failure(f"expected 20 predictions, some of them certified, found {statuses}")
    return f"{len(statuses)} predictions, {statuses.count('certified')} certified"


def check_published(container: Container) -> str:
    """The metrics port and the request port answer from outside the container."""
    url = f"http://{container.address(9464)}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            text = response.read().decode().strip()
    except (urllib.error.URLError, OSError) as error:
        raise Failure(f"{url} does not answer from the host: {error}") from error
    return f"{url}: {text}"


def check_stop(container: Container) -> str:
    began = time.monotonic()
    container.stop()
    code = container.inspect("{{.State.ExitCode}}")
    if code != "0":
        raise Failure(f"SIGTERM: expected exit code 0, found {code}")
    return f"SIGTERM: exit code 0 after {time.monotonic() - began:.1f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="docker", help="docker or podman, with global options (default: docker)")
    parser.add_argument("--image", default="certimix", help="the image (default: certimix)")
    parser.add_argument("--arguments", default="", help="more arguments of `run`, such as '--cpus 1'")
    parser.add_argument("--no-publish", action="store_true", help="call the server inside its container only")
    options = parser.parse_args()
    published = [] if options.no_publish else PUBLISHED
    try:
        container = Container(shlex.split(options.engine), options.image, [*published, *shlex.split(options.arguments)])
    except Failure as failure:
        print(f"failed: {failure}")
        return 1
    try:
        print(f"user {container.inspect('{{.Config.User}}')}", flush=True)
        print(f"ready after {wait_until_ready(container):.1f} s", flush=True)
        for arguments in ([], ["--probe", "liveness"]):
            print(container.certimix("health", *arguments).stdout.strip(), flush=True)
        print(check_predictions(container), flush=True)
        if not options.no_publish:
            print(check_published(container), flush=True)
        print(check_stop(container), flush=True)
    except Failure as failure:
        print(f"failed: {failure}\nthe log of the server:\n{container.logs()}")
        return 1
    finally:
        container.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
