#!/usr/bin/env python3
"""Two replicas behind the real proxies: which requests are lost while replicas restart, are killed, and hang.

    deploy/checks/proxies.py [--server target/release/certimix] [--only envoy,nginx,haproxy,client] [--json FILE]

The check starts two servers and each proxy with its committed config, with other ports and nothing else changed. Callers send
Predicts, without and with the retries of the Python client and over PredictStreams. The check takes less than three minutes.
It prints a table in Markdown, and fails if requests are lost that must not be. Exit code 77: a tool is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, List, Tuple

from common.outcome import CheckFailed, report_missing
from common.prerequisites import RELEASE_SERVER, ROOT, missing_tools

# The client as it is in the repository, and the packages that `make python-packages` fetches.
sys.path[:0] = [str(ROOT / "clients" / "python" / "src"), str(ROOT / ".runtime" / "python")]
sys.dont_write_bytecode = True

BALANCERS = ["envoy", "nginx", "haproxy", "client"]
EVENTS = ["steady", "rolling restart", "SIGKILL", "hang"]
# What must lose nothing: balancer, scenario, callers. The others are measured and shown.
LOSSLESS = {
    *(("envoy", scenario, callers) for scenario in EVENTS
      for callers in ["no retries", "retries", "PredictStream"]),
    *(("haproxy", scenario, callers) for scenario in EVENTS for callers in ["no retries", "retries", "PredictStream"]),
    *(("nginx", scenario, callers) for scenario in ["steady", "rolling restart"]
      for callers in ["no retries", "retries", "PredictStream"]),
    *(("nginx", scenario, callers) for scenario in ["SIGKILL", "hang"] for callers in ["retries"]),
    # Without retries, a call fails at the moment in which the client has no connection to any replica.
    *(("client", scenario, callers) for scenario in ["steady", "rolling restart", "SIGKILL"]
      for callers in ["retries", "PredictStream"]),
}  # fmt: skip


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=Path, default=RELEASE_SERVER, help="the server's program")
    parser.add_argument("--only", default=",".join(BALANCERS), help="the balancers to check, separated by commas")
    parser.add_argument("--events", default=",".join(EVENTS), help="the events under load, separated by commas; all by default")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args()


def missing_of(server: Path, wanted: List[str]) -> List[str]:
    """What the check needs and does not find, each with the way to get it."""
    missing = missing_tools(["openssl"], ["certimix"], server, needs_runtime=True)
    if any(each.startswith("certimix:") for each in missing):
        return missing
    from load_balancing import balancer

    if "envoy" in wanted and balancer.find_envoy() is None:
        missing.append("envoy: make deploy-tools")
    for name, package in {"nginx": "nginx-light", "haproxy": "haproxy"}.items():
        if name in wanted and balancer.find_system_proxy(name) is None:
            missing.append(f"{name}: apt-get install {package}")
    return missing


async def check(server: Path, wanted: List[str], events: List[str], folder: Path) -> Tuple[list, List[str]]:
    """The figures, and the faults."""
    from load_balancing import balancer, identity, scenario
    from load_balancing.certificates import Certificates
    from load_balancing.replica import Replica

    envoy = balancer.find_envoy() if "envoy" in wanted else None
    nginx = balancer.find_system_proxy("nginx") if "nginx" in wanted else None
    haproxy = balancer.find_system_proxy("haproxy") if "haproxy" in wanted else None
    balancer.quick_checks(envoy, nginx, haproxy, folder)
    outcomes: list = []
    replicas = [Replica(name, server, folder) for name in ["a", "b"]]
    try:
        for replica in replicas:
            await replica.start()
        for name in wanted:
            found: balancer.Balancer
            if name == "envoy":
                found = balancer.Envoy(envoy or "", folder, replicas)
            elif name == "nginx":
                found = balancer.Nginx(nginx or "", folder, replicas)
            elif name == "haproxy":
                found = balancer.HaProxy(haproxy or "", folder, replicas)
            else:
                found = balancer.Direct(replicas)
            try:
                await found.start()
                for happening in events:
                    print(f"{name}: {happening} ...", flush=True)
                    outcomes += await scenario.run(found, replicas, happening)
            finally:
                found.stop()
    finally:
        for replica in replicas:
            replica.kill()
    certificates = Certificates(folder / "certificates")
    proxies = {
        "envoy": lambda found, trusted: balancer.Envoy(envoy or "", folder, found, trusted),
        "nginx": lambda found, trusted: balancer.Nginx(nginx or "", folder, found, trusted),
    }
    for name in [name for name in wanted if name in proxies]:
        print(f"{name}: mTLS to the replicas ...", flush=True)
        seen = await identity.check(proxies[name], server, folder, certificates)
        print("\n".join(f"{name}: principals {kind}: {principals}" for kind, principals in seen.items()))
    faults = [
        f"{each.balancer}, {each.scenario}, {each.callers}: {each.lost} of {each.sent} requests lost: {each.errors}"
        for each in outcomes
        if (each.balancer, each.scenario, each.callers) in LOSSLESS and each.lost > unavoidable(each)
    ]
    killed = [each for each in outcomes if (each.balancer, each.scenario) == ("envoy", "SIGKILL")]
    if killed and not any(each.proxy_retries for each in killed):
        faults.append("Envoy counts no retry although replicas were killed with requests in progress")
    return outcomes, faults


def unavoidable(outcome: Any) -> int:
    """The lost requests whose answer had begun when its replica died or hung.

    No proxy can repeat them; a retry of the caller can. It is the instant between two writes of a replica.
    """
    if outcome.callers != "no retries" or outcome.scenario not in ["SIGKILL", "hang"]:
        return 0
    return min(2, sum(count for error, count in outcome.errors.items() if "the connection broke" in error))


def table(outcomes: list) -> str:
    """The figures in Markdown: lost of sent requests, by the kind of callers."""
    lines = [
        "| balancer | event | no retries | retries | PredictStream | slowest answer | retries of the proxy |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    rows: dict = {}
    for each in outcomes:
        rows.setdefault((each.balancer, each.scenario), []).append(each)
    for (balancer, event), kinds in rows.items():
        lost = " | ".join(f"{each.lost} of {each.sent}" for each in kinds)
        slowest = max(each.slowest for each in kinds)
        retries = "–" if kinds[0].proxy_retries is None else kinds[0].proxy_retries
        lines.append(f"| {balancer} | {event} | {lost} | {slowest:.1f} s | {retries} |")
    return "\n".join(lines)


def main() -> int:
    options = arguments()
    wanted = [name for name in BALANCERS if name in options.only.split(",")]
    events = [name for name in EVENTS if name in options.events.split(",")]
    if missing := missing_of(options.server, wanted):
        return report_missing(missing)

    with tempfile.TemporaryDirectory(prefix="certimix-proxies-") as folder:
        try:
            outcomes, faults = asyncio.run(check(options.server.resolve(), wanted, events, Path(folder)))
        except CheckFailed as failure:
            print(f"FAIL: {failure}")
            return 1
    print(table(outcomes))
    if options.json:
        options.json.write_text(json.dumps([dataclasses.asdict(each) for each in outcomes], indent=2) + "\n")
    for fault in faults:
        print(f"FAIL: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
