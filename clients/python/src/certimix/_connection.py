"""The address of a server, the options of its channel, and the credentials of the client."""

from __future__ import annotations

import ipaddress
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional, Tuple, Union
from urllib.parse import urlsplit

import grpc

from certimix._retries import RetryPolicy

PathLike = Union[str, Path]

_MAX_TOKEN_FILE = 1 << 20
_MAX_ANSWER_BYTES = 64 << 20

_ADDRESS_LISTS = ("ipv4:", "ipv6:")
_BALANCED = (*_ADDRESS_LISTS, "dns:")
"""gRPC's own names for several servers: a list of addresses, or every address of a DNS name."""


@dataclass(frozen=True)
class Connection:
    """Everything that opens a channel and authorizes a call."""

    target: str
    options: List[Tuple[str, Any]]
    credentials: Optional[grpc.ChannelCredentials]
    token_file: Optional[TokenFile]

    def metadata(self) -> Tuple[Tuple[str, str], ...]:
        """The headers of one call."""
        if self.token_file is None:
            return ()
        return (("authorization", f"Bearer {self.token_file.token()}"),)


class TokenFile:
    """A file with a token, which is read for each call, so that the token can be replaced.

    A file that cannot be read, because it is being replaced, leaves the last token in force: it must not end a control
    loop. The first reading raises its error.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = _read_token(path)

    def token(self) -> str:
        """The token of the file, or the last one."""
        try:
            self._token = _read_token(self._path)
        except (OSError, ValueError):
            pass
        return self._token


def connection(
    address: str,
    *,
    retry: RetryPolicy,
    tls_ca: Optional[PathLike],
    tls_certificate: Optional[PathLike],
    tls_key: Optional[PathLike],
    tls_server_name: Optional[str],
    token_file: Optional[PathLike],
) -> Connection:
    """Reads the address and the files of the credentials.

    Raises ValueError for a wrong address or contradicting options, and OSError for a file that cannot be read.
    """
    target, wants_tls = _target(address)
    is_unix = target.startswith("unix:")
    is_list = target.startswith(_ADDRESS_LISTS)
    files = [tls_ca, tls_certificate, tls_key, tls_server_name]
    has_tls = wants_tls or any(file is not None for file in files)
    if has_tls and (is_unix or address.startswith("http://")):
        raise ValueError(f"address: expected https://HOST:PORT with the options of TLS, found {address!r}")
    if (tls_certificate is None) != (tls_key is None):
        raise ValueError("tls_certificate, tls_key: expected both or neither")
    options: List[Tuple[str, Any]] = [
        ("grpc.service_config", retry.service_config(balanced=target.startswith(_BALANCED))),
        ("grpc.enable_retries", int(retry.max_attempts > 1)),
        ("grpc.max_receive_message_length", _MAX_ANSWER_BYTES),
        # A control loop wants its server back soon after a restart. gRPC's own backoff grows to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 50),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # Finds a server whose machine is gone while a stream is open.
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.max_pings_without_data", 0),
        # Clients do not share a connection, nor its backoff.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if is_unix or is_list:
        # gRPC would send the path or the whole list as the authority, which HTTP/2 libraries refuse with RST_STREAM.
        options.append(("grpc.default_authority", "localhost"))
    if tls_server_name is not None:
        options.append(("grpc.ssl_target_name_override", tls_server_name))
    credentials = None
    if has_tls:
        credentials = grpc.ssl_channel_credentials(_bytes(tls_ca), _bytes(tls_key), _bytes(tls_certificate))
    token = None if token_file is None else TokenFile(Path(token_file))
    if token is not None and not (has_tls or is_unix or _is_loopback(target)):
        warnings.warn(f"the token is sent to {address} without encryption: use https://", stacklevel=3)
    return Connection(target, options, credentials, token)


def _target(address: str) -> Tuple[str, bool]:
    """gRPC's target of an address, and whether the address asks for TLS."""
    expected = (
        "unix:///PATH, HOST:PORT, http://HOST:PORT or https://HOST:PORT, or of several servers "
        "dns:///NAME:PORT, ipv4:ADDRESS:PORT,… or ipv6:[ADDRESS]:PORT,…"
    )
    if address.startswith("unix:"):
        if not address[len("unix:") :].strip("/"):
            raise ValueError(f"address: expected {expected}, found {address!r}")
        return address, False
    if address.startswith(_BALANCED):
        hosts = address.split(":", 1)[1].rsplit("/", 1)[-1].split(",")
        if not all(_has_port(host) for host in hosts) or (address.startswith("dns:") and len(hosts) > 1):
            raise ValueError(f"address: expected {expected}, found {address!r}")
        return address, False
    url = urlsplit(address if "://" in address else f"//{address}")
    if url.scheme not in ("", "http", "https") or not _has_port(url.netloc) or url.path.strip("/"):
        raise ValueError(f"address: expected {expected}, found {address!r}")
    return url.netloc, url.scheme == "https"


def _has_port(host: str) -> bool:
    """Whether a text is a host and a port."""
    url = urlsplit(f"//{host}")
    try:
        return bool(url.hostname) and url.port is not None
    except ValueError:
        return False


def _is_loopback(target: str) -> bool:
    if target.startswith(_BALANCED):
        return all(_is_loopback(host) for host in target.split(":", 1)[1].rsplit("/", 1)[-1].split(","))
    host = urlsplit(f"//{target}").hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bytes(file: Optional[PathLike]) -> Optional[bytes]:
    return None if file is None else Path(file).read_bytes()


def _read_token(path: Path) -> str:
    """The first line that is neither empty nor a comment."""
    with path.open("rb") as file:
        lines = file.read(_MAX_TOKEN_FILE).splitlines()
    for line in (line.strip() for line in lines):
        if line and not line.startswith(b"#"):
            if not all(0x21 <= byte <= 0x7E for byte in line):
                break
            return line.decode("ascii")
    raise ValueError(f"token_file: expected a token of printable ASCII in the first line of {path}")
