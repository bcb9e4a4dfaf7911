"""The real server as a child process, with models of a few kilobytes."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Dict, Optional, Type

import numpy

ROOT = Path(__file__).resolve().parents[3]
# The bound of every wait of a test. A wait that reaches it fails the test.
PATIENCE = 60.0
CLEAR_INPUT = numpy.array([0.75, -0.75, -0.75, 0.0], dtype=numpy.float32)
"""Certified by the pair `linear_g`, `linear_h`."""
BORDER_INPUT = numpy.full(4, 0.1, dtype=numpy.float32)
"""On the border between all classes: nothing is certified."""
SLOW_VOTES = {
    "certificate.selection_votes": "1",
    "certificate.max_votes": "1000000",
    "certificate.failure_probability": "0.4",
    "runtime.standard_batch_size": "1",
    "runtime.robust_batch_size": "1",
    "scheduler.queue_rows": "2",
    "server.max_inputs": "1",
    "server.max_request_time": '"1h"',
}
"""A vote takes about 20 ms, and the queue holds one request for votes."""


def certificates() -> Path:
    """The folder of ca.crt, server.crt, server.key, client.crt and client.key."""
    return Path(os.environ["CERTIMIX_TEST_CERTIFICATES"])


class Server:
    """A process of `certimix serve` on a port that the system chooses, and on a Unix socket."""

    def __init__(
        self, settings: Optional[Dict[str, str]] = None, *, standard: str = "linear_g", robust: str = "linear_h"
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="certimix-")
        self.folder = Path(self._folder.name)
        self.socket = self.folder / "certimix.sock"
        self.port = 0
        fixtures = ROOT / "tests" / "fixtures"
        self._lines = {
            "models.standard": f'"{fixtures / standard}.toml"',
            "models.robust": f'"{fixtures / robust}.toml"',
            "runtime.library": f'"{ROOT / ".runtime" / "onnxruntime" / "libonnxruntime.so"}"',
            "runtime.provider": '"cpu"',
            "runtime.executors": "1",
            "server.unix_socket": f'"{self.socket}"',
            "server.drain_timeout": '"5s"',
            "metrics.listen": '""',
            **(settings or {}),
        }
        self._process: Optional[subprocess.Popen[str]] = None
        self.start()

    @property
    def tcp(self) -> str:
        """The address of the TCP port."""
        return f"127.0.0.1:{self.port}"

    @property
    def unix(self) -> str:
        """The address of the Unix socket."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Starts the server, on the port that it had before, and waits until it is ready."""
        lines = {**self._lines, "server.listen": f'"127.0.0.1:{self.port}"'}
        path = self.folder / "certimix.toml"
        path.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CERTIMIX")}
        self._process = subprocess.Popen(
            [os.environ["CERTIMIX_TEST_BINARY"], "serve", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        log: queue.SimpleQueue[str] = queue.SimpleQueue()
        stream = self._process.stderr
        assert stream is not None

        def read() -> None:
            with stream:
                for line in stream:
                    log.put(line)

        threading.Thread(target=read, daemon=True).start()
        before = []
        while True:
            try:
                line = log.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"the server is not ready: {before}") from None
            before.append(line)
            ready = re.search(r"certimix is ready on 127\.0\.0\.1:(\d+)", line)
            if ready:
                self.port = int(ready[1])
                return
            if self._process.poll() is not None:
                raise AssertionError(f"the server ended: {before}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends the server by a signal, and waits for its end."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.stop(signal.SIGKILL)
        self._folder.cleanup()
