"""An authority, and the certificates of the replicas and of the proxy, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Certificates:
    """Two folders with tls.crt, tls.key and ca.crt: one for servers, and one for the proxy as a client of the replicas."""

    SERVER_NAME = "certimix"
    """The DNS name in the certificate of servers, which the configs of the proxies expect."""
    PROXY_NAME = "proxy"
    """The common name in the proxy's certificate."""

    def __init__(self, folder: Path) -> None:
        self.server = folder / "server"
        self.proxy = folder / "proxy"
        folder.mkdir()
        key, authority = folder / "ca.key", folder / "ca.crt"
        self._openssl("req", "-x509", *self._new_key(key), "-days", "2", "-subj", "/CN=authority", "-out", str(authority))
        for target, name, usage in [(self.server, self.SERVER_NAME, "serverAuth"), (self.proxy, self.PROXY_NAME, "clientAuth")]:
            target.mkdir()
            extensions = target / "extensions"
            extensions.write_text(f"subjectAltName=DNS:{name}\nextendedKeyUsage={usage}\n")
            request, issued = target / "request", target / "tls.crt"
            self._openssl("req", *self._new_key(target / "tls.key"), "-subj", f"/CN={name}", "-out", str(request))
            self._openssl(
                *("x509", "-req", "-in", str(request), "-CA", str(authority), "-CAkey", str(key), "-CAcreateserial"),
                *("-days", "2", "-extfile", str(extensions), "-out", str(issued)),
            )
            (target / "ca.crt").write_bytes(authority.read_bytes())

    @staticmethod
    def _new_key(path: Path) -> list[str]:
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(path)]

    @staticmethod
    def _openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)
