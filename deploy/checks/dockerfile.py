#!/usr/bin/env python3
"""Checks the Dockerfile: hadolint, the build context, the version and the settings of the image.

    deploy/checks/dockerfile.py

Exits with 0 (passed), 1 (failed) or 77 (hadolint is missing).
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from common.outcome import report_missing
from common.prerequisites import ROOT, missing_tools

SETTINGS = "deploy/image/certimix.toml"
README_SETTINGS = "config/cifar10.toml"
# An older engine refuses some of these, and a digest stays behind the updates of its image.
REFUSED = {
    r"(?m)^#\s*syntax\s*=": "a `# syntax=` line, which pulls another image before the build",
    r"<<-?['\"]?EOF": "a here-document in RUN",
    r"(?m)^COPY\s.*--link": "COPY --link",
    r"(?m)^(FROM|ARG)\s.*@sha256:": "a digest of a base image, which stops security updates",
}


def instructions(text: str) -> list[str]:
    """The instructions of a Dockerfile without comments, each on one line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [line.strip() for line in joined.splitlines() if line.strip()]


def context_sources(steps: list[str]) -> list[str]:
    """The paths that COPY takes from the repository."""
    copies = [step.split()[1:] for step in steps if step.startswith("COPY ") and "--from=" not in step]
    return [source for words in copies for source in words[:-1] if not source.startswith("--")]


def problems(text: str, ignored: str, version: str) -> list[str]:
    """The faults of the Dockerfile, apart from those that hadolint finds."""
    steps = instructions(text)
    found = [f"Dockerfile: {what}" for pattern, what in REFUSED.items() if re.search(pattern, text)]
    allowed = [line[1:].rstrip("/") for line in ignored.splitlines() if line.startswith("!")]
    for source in context_sources(steps):
        if not (ROOT / source).exists():
            found.append(f"Dockerfile: COPY {source}: no such file")
        if not any(source == path or source.startswith(f"{path}/") for path in allowed):
            found.append(f".dockerignore: {source} is not in the build context; expected a line !{source}")
    users = [step.split()[1] for step in steps if step.startswith("USER ")]
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        found.append(f"Dockerfile: USER {users[-1:]}: expected the numbers of a user and a group, not root")
    if f"ARG VERSION={version}" not in steps:
        found.append(f"Dockerfile: expected ARG VERSION={version}, the version of Cargo.toml")
    return found


def settings_differences() -> list[str]:
    """Where the settings of the image mix other models, or mix them otherwise, than those of the README."""
    ours, readme = (tomllib.loads((ROOT / name).read_text(encoding="utf-8")) for name in (SETTINGS, README_SETTINGS))
    found = []
    if ours["mixture"] != readme["mixture"]:
        found.append(f"{SETTINGS}: [mixture] is {ours['mixture']}, expected {readme['mixture']} as in {README_SETTINGS}")
    for key, path in readme["models"].items():
        expected = f"/opt/certimix/{path.removeprefix('../')}"
        if ours["models"].get(key) != expected:
            found.append(f"{SETTINGS}: models.{key} is {ours['models'].get(key)!r}, expected {expected!r}")
    return found


def main() -> int:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]["version"]
    found = problems(text, (ROOT / ".dockerignore").read_text(encoding="utf-8"), version)
    found += settings_differences()
    print("the build context, the user, the version and the settings of the Dockerfile", *found, sep="\n")
    if missing := missing_tools(["hadolint"]):
        code = report_missing(missing)
        return 1 if found else code
    print("hadolint Dockerfile", flush=True)
    lint = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], check=False)
    return 1 if found or lint.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
