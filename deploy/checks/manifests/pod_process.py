"""The server as a pod of an overlay runs it: with its arguments, its variables and its mounted settings."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Callable

from common.outcome import CheckFailed

from . import settings
from .mounted_folder import MountedFolder
from .render import Manifest

STARTED_WITHIN_S = 120
POLL_INTERVAL_S = 0.05


def wait_for(condition: Callable[[], bool], expected: str, limit_s: float) -> float:
    """Waits until `condition` holds, and returns the seconds that it took.

    Raises:
        CheckFailed: if it does not hold after `limit_s`.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit_s:
            raise CheckFailed(f"after {limit_s:.0f} s it still does not hold that {expected}")
        time.sleep(POLL_INTERVAL_S)
    return time.monotonic() - began


class PodProcess:
    """A running server. Its ports are free ones of the loopback interface."""

    def __init__(self, server: Path, manifests: list[Manifest], folder: Path, request_memory_bytes: int) -> None:
        self.settings = settings.settings_text(manifests)
        self.mount = MountedFolder(folder / "config", {settings.FILE: self.settings})
        self._log = folder / "log"
        local = {
            "CERTIMIX__SERVER__LISTEN": "127.0.0.1:0",
            "CERTIMIX__METRICS__LISTEN": "127.0.0.1:0",
            # The server derives it from the limit of its cgroup, which this process does not have.
            "CERTIMIX__SERVER__REQUEST_MEMORY_BYTES": str(request_memory_bytes),
        }
        environment = settings.environment(settings.variables(manifests), settings.local_paths(), local)
        command = [str(server), "serve", str(self.mount.folder / settings.FILE)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self) -> PodProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()

    def log_line(self, text: str) -> dict[str, Any] | None:
        """The first line of the log whose message begins with `text`."""
        for line in self._log.read_text().splitlines():
            try:
                fields = json.loads(line)
            except ValueError:
                continue
            if fields.get("message", "").startswith(text):
                return dict(fields)
        return None

    def wait_until_ready(self) -> float:
        """Waits until the models are loaded, and returns the seconds since the call."""

        def ready() -> bool:
            if self.process.poll() is not None:
                raise CheckFailed(f"the server ended with {self.process.returncode}: {self._log.read_text()[-1000:]}")
            return self.log_line("ready") is not None

        return wait_for(ready, "the server is ready", STARTED_WITHIN_S)

    def get(self, path: str) -> tuple[int, str]:
        """The status and the body of a request to the metrics port."""
        address = (self.log_line("ready") or {})["metrics"]
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """The value of a metric, with its labels as they are printed."""
        body = self.get("/metrics")[1]
        found = re.search(rf"^{re.escape(name)} (\S+)$", body, re.MULTILINE)
        if found is None:
            raise CheckFailed(f"the metrics have no {name}")
        return float(found[1])

    def resident_bytes(self) -> int:
        """The memory that the process takes now."""
        return int(self.metric("process_resident_memory_bytes"))
