"""Two replicas of the real server and the Prometheus server that watches them."""

from __future__ import annotations

import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from common.certificates import CertificateAuthority
from common.outcome import CheckFailed
from common.prerequisites import ROOT

from .prometheus_api import Prometheus, QueryError
from .queries import ALERTS

SAMPLES = sorted((ROOT / "models" / "cifar10" / "samples").glob("*.png"))
LONGEST_WAIT_S = 120
SHADOW = "fallback_alpha = 0.0\nshadow_candidates = [{ alpha = 0.6 }, { alpha = 0.9, fallback_alpha = 0.0 }]\n"


def wait_until(what: str, holds: Callable[[], bool]) -> None:
    """Waits until something holds, for at most `LONGEST_WAIT_S`."""
    end = time.monotonic() + LONGEST_WAIT_S
    while time.monotonic() < end:
        try:
            if holds():
                return
        except (OSError, QueryError):
            pass
        time.sleep(0.5)
    raise CheckFailed(f"after {LONGEST_WAIT_S} s still not: {what}")


class Service:
    """Two replicas with TLS under load from the command line's client."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self._folder = tempfile.TemporaryDirectory(prefix="certimix-prometheus-")
        self.folder = Path(self._folder.name)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._loads: list[threading.Thread] = []
        self._stop = threading.Event()
        self.began = time.monotonic()
        self.addresses: dict[str, list[str]] = {}

    def __enter__(self) -> Service:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._stop.set()
        for load in self._loads:
            load.join(LONGEST_WAIT_S)
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()

    def _start(self) -> None:
        print("starting two replicas of the bundled models ...", flush=True)
        authority = CertificateAuthority(self.folder / "authority")
        authority.issue(self.folder / "tls", "127.0.0.1", "IP:127.0.0.1", "serverAuth")
        targets = []
        for name in ("certimix-0", "certimix-1"):
            self.settings(name, 0.76)
        logs = {name: self._launch(name, [str(self.program), "serve", f"{name}.toml"]) for name in ("certimix-0", "certimix-1")}
        for name, log in logs.items():
            ready = re.compile(r"certimix is ready on ([0-9.:]+),.*metrics on ([0-9.:]+)")
            wait_until(f"{name} is ready", lambda log=log, ready=ready: bool(ready.search(log.read_text())))  # type: ignore[misc]
            address, metrics = ready.search(log.read_text()).groups()  # type: ignore[union-attr]
            self.addresses[name] = [f"https://{address}", "--tls-ca", "tls/ca.crt"]
            targets.append(f"{{targets: ['{metrics}'], labels: {{instance: {name}}}}}")
        print("starting Prometheus ...", flush=True)
        rules = ALERTS.read_text(encoding="utf-8").replace("interval: 30s", "interval: 2s")
        (self.folder / "alerts.yml").write_text(rules, encoding="utf-8")
        (self.folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 2s}\nrule_files: [alerts.yml]\n"
            f"scrape_configs:\n  - job_name: certimix\n    static_configs: [{', '.join(targets)}]\n"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        data = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
        self._launch("prometheus", ["prometheus", *data])
        self.prometheus = Prometheus(address)
        wait_until("both replicas are scraped", lambda: len(self.prometheus.instant('up{job="certimix"} == 1')) == 2)

    def _launch(self, name: str, command: list[str]) -> Path:
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            self._processes.append(subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=subprocess.STDOUT))
        return log

    def settings(self, name: str, alpha: float) -> None:
        """Writes the settings of a replica as editors do: the new file takes the place of the old one."""
        text = (ROOT / "config" / "cifar10-tiny.toml").read_text(encoding="utf-8").replace('"../', f'"{ROOT}/')
        text = re.sub(r'^listen = "[^"]*"', 'listen = "127.0.0.1:0"', text, flags=re.M)
        text = re.sub(r"^alpha = \S+", f"alpha = {alpha}", text, flags=re.M)
        text = re.sub(r"^fallback_alpha = .*\n", SHADOW, text, flags=re.M)
        text += f'\n[tls]\ncertificate = "{self.folder}/tls/tls.crt"\nkey = "{self.folder}/tls/tls.key"\n'
        draft = self.folder / f"{name}.draft"
        draft.write_text(text, encoding="utf-8")
        draft.rename(self.folder / f"{name}.toml")

    def call(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the client of the command line against a replica."""
        address = ["--address", *self.addresses[name]]
        command = [str(self.program), *arguments, *address]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=LONGEST_WAIT_S, check=False)

    def put_under_load(self) -> None:
        """Sends Predict, PredictStream and Certify to both replicas until the service ends."""
        self.began = time.monotonic()
        for name in self.addresses:
            thread = threading.Thread(target=self._load, args=(name,), daemon=True)
            thread.start()
            self._loads.append(thread)

    def _load(self, name: str) -> None:
        images = [str(path) for path in SAMPLES]
        turn = 0
        while not self._stop.is_set():
            turn += 1
            kind = [["predict"], ["predict", "--stream"], ["certify", "--votes", "500"]][turn % 3]
            few = images[: 4 if kind[0] == "certify" else len(images)]
            try:
                self.call(name, *kind, *few)
                # Too short for any server: admission refuses it.
                self.call(name, "certify", images[0], "--deadline", "3ms", "--quiet")
            except subprocess.TimeoutExpired as error:
                print(f"the load goes on after: {error}", flush=True)
            self._stop.wait(0.3)

    def elapsed(self) -> int:
        """Seconds since the load began."""
        return max(1, round(time.monotonic() - self.began))
