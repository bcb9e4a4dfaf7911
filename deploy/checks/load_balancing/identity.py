"""The principals that replicas see behind a proxy with mTLS: the proxy, or the tokens of its callers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import certimix

from load_balancing.balancer import Balancer
from common.outcome import CheckFailed
from load_balancing.certificates import Certificates
from load_balancing.load import DEADLINE, INPUT
from load_balancing.replica import Replica

# Requests of each caller.
REQUESTS = 10
# The token of each caller. The server takes the name in front of a token.
TOKENS = {"planner": "3f9c2d7a" * 4, "batch-jobs": "b81e55f0" * 4}

TABLES = """
[tls]
certificate = "{server}/tls.crt"
key = "{server}/tls.key"
client_ca = "{server}/ca.crt"
"""
PROXY_TABLES = """
[[scheduler.callers]]
name = "proxy"
certificate = "{proxy}"
"""
TOKEN_TABLES = """
[[scheduler.callers]]
name = "planner"
token = "planner"

[[scheduler.callers]]
name = "batch-jobs"
token = "batch-jobs"
"""


async def check(
    make_balancer: Callable[[List[Replica], Certificates], Balancer], binary: Path, folder: Path, certificates: Certificates
) -> Dict[str, Dict[str, int]]:
    """The requests that both replicas admitted, by the name of the principal: without tokens, and with them."""
    (folder / "tokens").write_text("".join(f"{name} {token}\n" for name, token in TOKENS.items()))
    for name, token in TOKENS.items():
        (folder / f"{name}.token").write_text(token)
    found: Dict[str, Dict[str, int]] = {}
    for kind in ["without tokens", "with tokens"]:
        tables = TABLES.format(server=certificates.server)
        if kind == "with tokens":
            tables += TOKEN_TABLES
            server = f'bearer_token_file = "{folder / "tokens"}"'
        else:
            tables += PROXY_TABLES.format(proxy=certificates.PROXY_NAME)
            server = ""
        replicas = [Replica(name, binary, folder, server=server, tables=tables) for name in ["a", "b"]]
        balancer = make_balancer(replicas, certificates)
        try:
            for replica in replicas:
                await replica.start()
            await balancer.start()
            await _send(balancer, folder, with_tokens=kind == "with tokens")
            admitted = [await replica.admissions() for replica in replicas]
        finally:
            balancer.stop()
            for replica in replicas:
                replica.kill()
        found[kind] = {name: sum(each.get(name, 0) for each in admitted) for each in admitted for name in each}
    expected = {"without tokens": {"proxy": 2 * REQUESTS}, "with tokens": {name: REQUESTS for name in TOKENS}}
    if found != expected:
        raise CheckFailed(f"{balancer.name} with mTLS: the replicas admitted {found}, expected {expected}")
    return found


async def _send(balancer: Balancer, folder: Path, *, with_tokens: bool) -> None:
    """Sends the requests of two callers, and one without a token where tokens are required."""
    callers: List[Tuple[str, Dict[str, Any]]] = [
        (name, {"token_file": folder / f"{name}.token"} if with_tokens else {}) for name in TOKENS
    ]
    for _, options in callers:
        async with certimix.AsyncClient(balancer.address, **options, **balancer.client_options) as client:
            for _ in range(REQUESTS):
                await client.predict(INPUT, deadline=DEADLINE)
    if with_tokens:
        async with certimix.AsyncClient(balancer.address, **balancer.client_options) as client:
            try:
                await client.predict(INPUT, deadline=DEADLINE)
            except certimix.UnauthenticatedError:
                return
        raise CheckFailed(f"{balancer.name} with mTLS: a caller without a token was answered")
