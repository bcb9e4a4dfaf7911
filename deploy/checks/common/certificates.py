"""An authority, and the certificates that it signs, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .outcome import CheckFailed

DAYS = "30"


class CertificateAuthority:
    """An authority in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.certificate, self._key = folder / "ca.crt", folder / "ca.key"
        self._openssl("req", "-x509", *self._new_key(self._key), "-days", DAYS, "-subj", "/CN=authority", "-out", str(self.certificate))

    def issue(self, folder: Path, name: str, subject: str, usage: str) -> None:
        """Makes `folder` with tls.crt, tls.key and ca.crt, as a Secret of Kubernetes has them.

        Args:
            name: the common name.
            subject: the alternative name, such as "DNS:certimix" or "IP:127.0.0.1".
            usage: "serverAuth" or "clientAuth".
        """
        folder.mkdir()
        extensions, request = folder / "extensions", folder / "request"
        extensions.write_text(f"subjectAltName={subject}\nextendedKeyUsage={usage}\n")
        self._openssl("req", *self._new_key(folder / "tls.key"), "-subj", f"/CN={name}", "-out", str(request))
        self._openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial"),
            *("-days", DAYS, "-extfile", str(extensions), "-out", str(folder / "tls.crt")),
        )
        (folder / "ca.crt").write_bytes(self.certificate.read_bytes())

    @staticmethod
    def _new_key(path: Path) -> list[str]:
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(path)]

    @staticmethod
    def _openssl(*arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], check=False, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise CheckFailed(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
