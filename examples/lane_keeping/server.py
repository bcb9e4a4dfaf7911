"""Starts a server for the example."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import certimix

from lane_keeping.plant import LABELS

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 15.0  # seconds; the server drains for 10 s at most


class ServerError(Exception):
    """The server did not start."""


def find_binary() -> str:
    """The `certimix` of this repository, or that of PATH."""
    for build in ("release", "debug"):
        built = REPOSITORY / "target" / build / "certimix"
        if built.is_file():
            return str(built)
    found = shutil.which("certimix")
    if found is None:
        raise ServerError("there is no certimix: run `make build`, or name one with --binary")
    return found


@contextlib.contextmanager
def running_server(binary: str | None) -> Iterator[str]:
    """Serves `server.toml` on a Unix socket in a temporary folder. Gives its address, and stops it in the end."""
    with tempfile.TemporaryDirectory(prefix="certimix-") as folder:
        socket = Path(folder) / "certimix.sock"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CERTIMIX")}
        environment.update(
            CERTIMIX__SERVER__LISTEN="127.0.0.1:0",
            CERTIMIX__SERVER__UNIX_SOCKET=str(socket),
            CERTIMIX__METRICS__LISTEN="",
        )
        command = [binary or find_binary(), "serve", str(FOLDER / "server.toml")]
        null, pipe = subprocess.DEVNULL, subprocess.PIPE
        try:
            process = subprocess.Popen(command, stdin=null, stdout=null, stderr=pipe, text=True, env=environment)
        except OSError as error:
            raise ServerError(f"{command[0]} cannot be started: {error}") from error
        try:
            assert process.stderr is not None
            _wait_until_ready(process.stderr)
            yield f"unix://{socket}"
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def require_models(client: certimix.Client) -> None:
    """Raises `ServerError` if the server has other models than those of the example."""
    labels = tuple(client.info().labels)
    if labels != LABELS:
        raise ServerError(f"the server's classes are {labels}, not {LABELS}: start it with {FOLDER / 'server.toml'}")


def _wait_until_ready(log: IO[str]) -> None:
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        with log:
            for line in log:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    said = ""
    while True:
        try:
            line = lines.get(timeout=START_TIMEOUT)
        except queue.Empty:
            raise ServerError(f"the server is not ready after {START_TIMEOUT:.0f} s:\n{said}") from None
        if line is None:
            raise ServerError(f"the server did not start:\n{said}")
        said += line
        if "certimix is ready" in line:
            return
