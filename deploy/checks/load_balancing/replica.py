"""One replica: a process of `certimix serve` on ports that it keeps over restarts."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Dict, Optional

from common.outcome import CheckFailed
from common.prerequisites import ROOT

# The bound of every wait. A wait that reaches it fails the check.
PATIENCE = 60.0

SETTINGS = """\
[server]
listen = "127.0.0.1:{port}"
# Longer than the interval and the timeout of Envoy's health checks.
drain_delay = "2s"
drain_timeout = "5s"
# nginx has no health checks: a replica that loads must refuse connections.
accept_before_ready = false
# Connections end in every scenario, as they do where replicas come and go.
max_connection_age = "5s"
{server}
[models]
# The check is about requests and not about models: these take less than a microsecond, and start in a tenth of a second.
standard = "{root}/tests/fixtures/linear_g.toml"
robust = "{root}/tests/fixtures/linear_h.toml"

[runtime]
library = "{root}/.runtime/onnxruntime/libonnxruntime.so"
provider = "cpu"
executors = 1

[metrics]
listen = "127.0.0.1:{metrics_port}"
{tables}
"""


def free_port() -> int:
    """A free port outside the range from which the system takes the ports of outgoing connections.

    A connection of a proxy could otherwise take the port of a replica that restarts.
    """
    for _ in range(1000):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise CheckFailed("no port between 20000 and 32000 is free")


class Replica:
    """A server that can be stopped by every signal, and starts again on the same ports."""

    def __init__(self, name: str, binary: Path, folder: Path, *, server: str = "", tables: str = "") -> None:
        self.name = name
        self.port = free_port()
        self.metrics_port = free_port()
        self._binary = binary
        self._log = folder / f"{name}.log"
        self._config = folder / f"{name}.toml"
        self._config.write_text(
            SETTINGS.format(port=self.port, metrics_port=self.metrics_port, root=ROOT, server=server, tables=tables)
        )
        self._process: Optional[subprocess.Popen[bytes]] = None

    async def start(self) -> None:
        """Starts the process, and waits until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binary), "serve", str(self._config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        for _ in range(int(PATIENCE / 0.05)):
            if self._process.poll() is not None:
                break
            if await asyncio.to_thread(self._get, "/readyz") is not None:
                return
            await asyncio.sleep(0.05)
        raise CheckFailed(f"replica {self.name} is not ready; its log ends with:\n{self._log.read_text()[-2000:]}")

    async def stop(self, number: signal.Signals) -> None:
        """Sends a signal that ends the process, and waits for the end."""
        process = self._process
        if process is None:
            return
        process.send_signal(number)
        try:
            code = await asyncio.to_thread(process.wait, PATIENCE)
        except subprocess.TimeoutExpired:
            raise CheckFailed(f"replica {self.name} does not end after {number.name}") from None
        self._process = None
        if number == signal.SIGTERM and code != 0:
            raise CheckFailed(f"replica {self.name} ended with {code} after SIGTERM")

    def send(self, number: signal.Signals) -> None:
        """Sends a signal that does not end the process."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Ends the process, whatever its state."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def predictions(self) -> int:
        """The Predicts that this process has answered."""
        return sum(
            int(value)
            for labels, value in await self._series("certimix_requests_total")
            if 'rpc="Predict"' in labels and 'outcome="ok"' in labels
        )

    async def admissions(self) -> Dict[str, int]:
        """The admitted requests by the name of the caller."""
        found: Dict[str, int] = {}
        for labels, value in await self._series("certimix_caller_admissions_total"):
            caller = re.search(r'caller="([^"]*)"', labels)
            if caller and int(value) > 0:
                found[caller[1]] = found.get(caller[1], 0) + int(value)
        return found

    async def _series(self, metric: str) -> list[tuple[str, str]]:
        text = await asyncio.to_thread(self._get, "/metrics") or ""
        return re.findall(rf"^{metric}{{([^}}]*)}} ([0-9]+)$", text, re.MULTILINE)

    def _get(self, path: str) -> Optional[str]:
        """The body of a 200 of the metrics port."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}{path}", timeout=5) as response:
                return str(response.read().decode())
        except (urllib.error.URLError, OSError):
            return None
