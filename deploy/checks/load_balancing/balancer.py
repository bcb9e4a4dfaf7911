"""What spreads the requests over the replicas: Envoy, nginx, or the client itself."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Dict, List, Optional

from common.outcome import CheckFailed
from common.prerequisites import ROOT
from load_balancing.certificates import Certificates
from load_balancing.replica import PATIENCE, Replica, free_port

ENVOY_CONFIG = ROOT / "deploy" / "envoy" / "envoy.yaml"
NGINX_CONFIG = ROOT / "deploy" / "nginx" / "nginx.conf"
HAPROXY_CONFIG = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
REPLICA_PORTS = (50051, 50052)
METRICS_PORTS = (9464, 9465)
CALLER_PORT = 50050
ADMIN_PORT = 9901


def with_ports(text: str, ports: Dict[int, int], before: str) -> str:
    """`text` with other ports, each of which `before` precedes. Nothing else changes."""
    for committed, used in ports.items():
        text, count = re.subn(rf"({re.escape(before)}){committed}\b", rf"\g<1>{used}", text)
        if count == 0:
            raise CheckFailed(f"the config names port {committed} nowhere")
    return text


def uncommented(text: str, block: str) -> str:
    """`text` with one of its commented blocks in force."""
    found = re.search(rf"^ *# BEGIN {block}\n(.*?)^ *# END {block}\n", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise CheckFailed(f"the config has no block: {block}")
    return text.replace(found[0], re.sub(r"^( *)# ", r"\1", found[1], flags=re.MULTILINE))


def with_tls(text: str, certificates: Certificates) -> str:
    """`text` with TLS to the replicas, with the proxy's own certificate, as its comments describe."""
    text = uncommented(text, "TLS to the replicas").replace("grpc_pass grpc://", "grpc_pass grpcs://")
    return re.sub(r"/etc/(envoy|nginx)/replicas", str(certificates.proxy), text)


class Balancer:
    """A way from the callers to the replicas."""

    name = ""
    address = ""
    """The address that the callers use."""

    def __init__(self) -> None:
        self.client_options: Dict[str, Any] = {}
        """The options of TLS that the callers need."""

    async def start(self) -> None:
        """Starts the proxy, if there is one."""

    async def retries(self) -> Optional[int]:
        """The requests that the proxy has sent again; `None` if it counts none."""
        return None

    def stop(self) -> None:
        """Ends the proxy."""


class Direct(Balancer):
    """The Python client over both addresses: round robin over the replicas whose health service says SERVING."""

    name = "client"

    def __init__(self, replicas: List[Replica]) -> None:
        super().__init__()
        self.address = "ipv4:" + ",".join(f"127.0.0.1:{replica.port}" for replica in replicas)


class Proxy(Balancer):
    """A proxy in a process of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._log = folder / f"{self.name}.log"
        self._process: Optional[subprocess.Popen[bytes]] = None
        port = free_port()
        self._ports = {CALLER_PORT: port}
        self.address = f"127.0.0.1:{port}"

    def _run(self, command: List[str]) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    async def _until(self, ready: str) -> None:
        for _ in range(int(PATIENCE / 0.1)):
            if self._process is None or self._process.poll() is not None:
                break
            if await asyncio.to_thread(get, ready) is not None:
                return
            await asyncio.sleep(0.1)
        raise CheckFailed(f"{self.name} is not ready; its log ends with:\n{self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


class Envoy(Proxy):
    """deploy/envoy/envoy.yaml."""

    name = "envoy"

    def __init__(
        self, binary: str, folder: Path, replicas: List[Replica], certificates: Optional[Certificates] = None
    ) -> None:
        super().__init__(folder)
        self._binary = binary
        self._admin = f"http://127.0.0.1:{free_port()}"
        self._ports |= {ADMIN_PORT: int(self._admin.rsplit(":", 1)[1])}
        self._ports |= dict(zip(REPLICA_PORTS, (replica.port for replica in replicas)))
        text = with_ports(ENVOY_CONFIG.read_text(), self._ports, "port_value: ")
        if certificates is not None:
            text = uncommented(with_tls(text, certificates), "TLS to the callers")
            text = text.replace("/etc/envoy/tls", str(certificates.server))
            self.address = f"https://{self.address}"
            self.client_options = {"tls_ca": certificates.server / "ca.crt", "tls_server_name": certificates.SERVER_NAME}
        self._config = folder / "envoy.yaml"
        self._config.write_text(text)

    async def start(self) -> None:
        self._run(
            # One worker, as the replicas have one executor. Without a base id, two Envoys on a machine share memory.
            [self._binary, "-c", str(self._config), "--concurrency", "1", "-l", "warn", "--use-dynamic-base-id"]
        )
        await self._until(f"{self._admin}/ready")

    async def retries(self) -> Optional[int]:
        text = await asyncio.to_thread(get, f"{self._admin}/stats?filter=^cluster.certimix.upstream_rq_retry$") or ""
        found = re.search(r"upstream_rq_retry: (\d+)", text)
        return int(found[1]) if found else None


class Nginx(Proxy):
    """deploy/nginx/nginx.conf."""

    name = "nginx"

    def __init__(
        self, binary: str, folder: Path, replicas: List[Replica], certificates: Optional[Certificates] = None
    ) -> None:
        super().__init__(folder)
        self._binary = binary
        self._folder = folder
        self._ports |= dict(zip(REPLICA_PORTS, (replica.port for replica in replicas)))
        text = with_ports(NGINX_CONFIG.read_text(), self._ports, "127.0.0.1:")
        self._config = folder / "nginx.conf"
        self._config.write_text(text if certificates is None else with_tls(text, certificates))
        (folder / "logs").mkdir(exist_ok=True)

    async def start(self) -> None:
        pid = self._folder / "nginx.pid"
        self._run(
            [self._binary, "-p", str(self._folder), "-c", str(self._config), "-g", f"daemon off; pid {pid};"]
        )
        for _ in range(int(PATIENCE / 0.1)):
            if pid.is_file() and pid.read_text().strip():
                return
            await asyncio.sleep(0.1)
        raise CheckFailed(f"nginx is not ready; its log ends with:\n{self._log.read_text()[-2000:]}")


class HaProxy(Proxy):
    """deploy/haproxy/haproxy.cfg."""

    name = "haproxy"

    def __init__(self, binary: str, folder: Path, replicas: List[Replica]) -> None:
        super().__init__(folder)
        self._binary = binary
        self._ports |= dict(zip(REPLICA_PORTS, (replica.port for replica in replicas)))
        text = with_ports(HAPROXY_CONFIG.read_text(), self._ports, "127.0.0.1:")
        metrics = dict(zip(METRICS_PORTS, (replica.metrics_port for replica in replicas)))
        self._config = folder / "haproxy.cfg"
        self._config.write_text(with_ports(text, metrics, " port "))

    async def start(self) -> None:
        self._run([self._binary, "-db", "-f", str(self._config)])
        # The first request waits for the port. A process that cannot start ends at once.
        await asyncio.sleep(0.5)
        if self._process is None or self._process.poll() is not None:
            raise CheckFailed(f"haproxy is not ready; its log ends with:\n{self._log.read_text()[-2000:]}")


def get(url: str) -> Optional[str]:
    """The body of a 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return str(response.read().decode())
    except (urllib.error.URLError, OSError):
        return None


def find_envoy() -> Optional[str]:
    """The program of `make deploy-tools`, or the one of the PATH."""
    installed = ROOT / ".runtime" / "deploy-tools" / "bin" / "envoy"
    return str(installed) if installed.is_file() else shutil.which("envoy")


def find_system_proxy(name: str) -> Optional[str]:
    """A program of the PATH, or of a folder that the PATH of an ordinary user lacks."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def quick_checks(envoy: Optional[str], nginx: Optional[str], haproxy: Optional[str], folder: Path) -> None:
    """The proxies' own checks of the committed files, as they are."""
    commands: List[List[str]] = []
    if envoy:
        commands.append([envoy, "--mode", "validate", "-c", str(ENVOY_CONFIG), "-l", "warn"])
    if nginx:
        (folder / "logs").mkdir(exist_ok=True)
        pid = f"pid {folder / 'nginx.pid'};"
        commands.append([nginx, "-t", "-q", "-p", str(folder), "-c", str(NGINX_CONFIG), "-g", pid])
    if haproxy:
        commands.append([haproxy, "-c", "-f", str(HAPROXY_CONFIG)])
    for command in commands:
        print(f"{Path(command[0]).name}: its own check of the file ...", flush=True)
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise CheckFailed(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
