"""The certificates of the replicas and of the proxy."""

from __future__ import annotations

from pathlib import Path

from common.certificates import CertificateAuthority


class Certificates:
    """Two folders with tls.crt, tls.key and ca.crt: one for servers, and one for the proxy as a client of the replicas."""

    SERVER_NAME = "certimix"
    """The DNS name in the certificate of servers, which the configs of the proxies expect."""
    PROXY_NAME = "proxy"
    """The common name in the proxy's certificate."""

    def __init__(self, folder: Path) -> None:
        authority = CertificateAuthority(folder)
        self.server = folder / "server"
        self.proxy = folder / "proxy"
        authority.issue(self.server, self.SERVER_NAME, f"DNS:{self.SERVER_NAME}", "serverAuth")
        authority.issue(self.proxy, self.PROXY_NAME, f"DNS:{self.PROXY_NAME}", "clientAuth")
