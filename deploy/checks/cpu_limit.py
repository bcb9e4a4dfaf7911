#!/usr/bin/env python3
"""Runs servers under a CPU limit, asks for more than they can do, and counts what becomes of the requests.

    deploy/checks/cpu_limit.py [--server target/release/certimix] [--seconds 10]

Each server is in a cgroup of its own, as in a pod, and the callers in another; both weigh more than everything else on the
machine. Requests arrive at random, with deadlines of 350 ms. Of the admitted requests at most 3 % may be late, and several
replicas must answer as many requests each as one does. Needs root, for the cgroups. Exit code 77: a tool is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Iterator

from common.outcome import report_missing
from common.prerequisites import RELEASE_SERVER, ROOT, missing_tools

PERIOD_US = 100_000
DEADLINE_SECONDS = 0.35
# The CPU limits, the replicas, and the requests a second that each of them is offered. Callers of 80 ask 500m for a little too much.
CASES = [(0.25, 1, 80.0), (0.5, 1, 80.0), (1.0, 1, 80.0), (0.25, 2, 80.0)]
MAX_LATE_SHARE = 0.03
# Another replica answers at least this part of what the first one does.
MIN_GROWTH = 0.85
FIRST_PORT = 53900
# Callers that connect, and an estimate that settles, are no part of the result.
WARM_UP_SECONDS = 3.0
START_SECONDS = 60.0


class Cgroup:
    """A cgroup of version 1 or 2 with a CPU limit. Removed at the end of the block."""

    def __init__(self, name: str, cpus: float | None) -> None:
        version_1 = Path("/sys/fs/cgroup/cpu")
        self.is_version_1 = version_1.is_dir()
        parent = version_1 if self.is_version_1 else Path("/sys/fs/cgroup")
        self.folder = parent / f"certimix-check-{os.getpid()}-{name}"
        self.cpus = cpus

    def __enter__(self) -> Cgroup:
        self.folder.mkdir()
        quota = str(round(self.cpus * PERIOD_US)) if self.cpus else None
        if self.is_version_1:
            (self.folder / "cpu.shares").write_text("262144")
            (self.folder / "cpu.cfs_quota_us").write_text(quota or "-1")
        else:
            (self.folder / "cpu.weight").write_text("10000")
            (self.folder / "cpu.max").write_text(f"{quota or 'max'} {PERIOD_US}")
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.rmdir()

    def enter(self) -> None:
        """Moves the calling process into the cgroup."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def leave(self) -> None:
        """Moves the calling process out of the cgroup."""
        (self.folder.parent / "cgroup.procs").write_text(str(os.getpid()))


class Server:
    """A server with the bundled models in a cgroup."""

    def __init__(self, program: Path, cgroup: Cgroup, number: int) -> None:
        self.port = FIRST_PORT + 2 * number
        environment = os.environ | {
            "CERTIMIX__SERVER__LISTEN": f"127.0.0.1:{self.port}",
            "CERTIMIX__METRICS__LISTEN": f"127.0.0.1:{self.port + 1}",
            "CERTIMIX__LOG__FILTER": "error",
        }
        command = [program, "serve", ROOT / "config" / "cifar10.toml"]
        self.process = subprocess.Popen(command, env=environment, preexec_fn=cgroup.enter, stdout=subprocess.DEVNULL)

    def wait_until_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port + 1}/readyz", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise TimeoutError(f"the server on port {self.port} is not ready after {START_SECONDS:.0f} s")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def arrivals(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Random arrival times with this mean rate."""
    chance, at = random.Random(seed), 0.0
    while (at := at + chance.expovariate(rate)) < seconds:
        yield at


async def offer(ports: list[int], rate: float, seconds: float) -> Counter[str]:
    """Sends Predicts at `rate` for `seconds`, and counts them as answered, refused or late after the warm-up."""
    import grpc
    from certimix.v1 import mixed_classifier_pb2 as messages

    options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{ports[number % len(ports)]}", options) for number in range(4 * len(ports))]
    predict: list[Any] = [
        channel.unary_unary(
            "/certimix.v1.MixedClassifier/Predict",
            request_serializer=messages.PredictRequest.SerializeToString,
            response_deserializer=messages.PredictResponse.FromString,
        )
        for channel in channels
    ]
    image = bytes(index * 7 % 256 for index in range(3 * 32 * 32))
    tensor = messages.Tensor(dtype=messages.DATA_TYPE_UINT8, shape=[1, 3, 32, 32], data=image)
    request, counts = messages.PredictRequest(inputs=tensor), Counter[str]()

    async def one(number: int, counted: bool) -> None:
        try:
            await predict[number % len(predict)](request, timeout=DEADLINE_SECONDS)
            result = "answered"
        except grpc.aio.AioRpcError as error:
            late = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
            refused = error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED or "by themselves" in (error.details() or "")
            result = "refused" if refused else "late" if error.code() in late else error.code().name
        counts[result] += counted

    start, tasks = time.monotonic(), []
    for number, at in enumerate(arrivals(rate, WARM_UP_SECONDS + seconds, seed=1)):
        await asyncio.sleep(max(0.0, start + at - time.monotonic()))
        tasks.append(asyncio.create_task(one(number, at >= WARM_UP_SECONDS)))
    await asyncio.gather(*tasks)
    for channel in channels:
        await channel.close()
    return counts


def run_case(program: Path, cpus: float, replicas: int, rate: float, seconds: float) -> Counter[str]:
    """The counts of one case, in which each replica is offered `rate` requests a second."""
    with ExitStack() as stack:
        servers = []
        for number in range(replicas):
            cgroup = stack.enter_context(Cgroup(str(number), cpus))
            server = Server(program, cgroup, number)
            stack.callback(server.stop)
            servers.append(server)
        for server in servers:
            server.wait_until_ready()
        callers = stack.enter_context(Cgroup("callers", None))
        stack.callback(callers.leave)
        callers.enter()
        return asyncio.run(offer([server.port for server in servers], replicas * rate, seconds))


def faults_of(counts: Counter[str], case: str) -> Iterator[str]:
    """What is wrong with the counts of one case."""
    admitted = counts["answered"] + counts["late"]
    if counts["late"] > MAX_LATE_SHARE * admitted:
        yield f"{case}: {counts['late']} of {admitted} admitted requests are late, expected at most {MAX_LATE_SHARE:.0%}"
    if others := set(counts) - {"answered", "late", "refused"}:
        yield f"{case}: requests failed with {', '.join(sorted(others))}"


def missing_of(server: Path) -> list[str]:
    """What the check needs and does not find, each with the way to get it."""
    missing = missing_tools(modules=["certimix", "grpc"], server=server)
    try:
        with Cgroup("probe", 1.0):
            pass
    except OSError as error:
        missing.append(f"a cgroup with a CPU limit ({error}): run this as root where the cpu controller is writable")
    return missing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=Path, default=RELEASE_SERVER, help="the server's program")
    parser.add_argument("--seconds", type=float, default=10.0, help="the length of a case (10)")
    options = parser.parse_args()
    sys.path[:0] = [str(ROOT / ".runtime" / "python"), str(ROOT / "clients" / "python" / "src")]
    if missing := missing_of(options.server):
        return report_missing(missing)
    faults: list[str] = []
    one_replica: dict[float, int] = {}
    print("| CPU limit | replicas | requests/s | answered/s | refused/s | late, of the admitted |\n|---|---|---|---|---|---|")
    for cpus, replicas, rate in CASES:
        counts = run_case(options.server.resolve(), cpus, replicas, rate, options.seconds)
        answered, refused, late = (counts[name] for name in ("answered", "refused", "late"))
        share = late / max(1, answered + late)
        each = f"{answered / options.seconds:.1f} | {refused / options.seconds:.1f} | {share:.1%}"
        print(f"| {cpus * 1000:.0f}m | {replicas} | {replicas * rate:.0f} | {each} |", flush=True)
        case = f"{cpus * 1000:.0f}m, {replicas} replicas"
        faults += faults_of(counts, case)
        if replicas == 1:
            one_replica[cpus] = answered
        elif answered < MIN_GROWTH * replicas * one_replica.get(cpus, 0):
            faults.append(f"{case}: {answered} requests are answered, and {one_replica[cpus]} by one replica")
    for fault in faults:
        print(f"FAIL: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
