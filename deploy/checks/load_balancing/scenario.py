"""What happens to the replicas while callers send requests."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import Awaitable, Callable, Dict, List, Optional

from load_balancing.balancer import Balancer
from load_balancing.load import DEADLINE, Loads
from common.outcome import CheckFailed
from load_balancing.replica import PATIENCE, Replica

Replicas = List[Replica]

# Requests that a replica holds when it is killed. Without any, a kill would show nothing.
HELD_AT_A_KILL = 6
# Seconds that a replica hangs. They are more than the deadline: a request that stays there is lost.
HANG = DEADLINE + 2.0


@dataclass(frozen=True)
class Outcome:
    """The requests of one kind of callers in one scenario."""

    balancer: str
    scenario: str
    callers: str
    sent: int
    lost: int
    slowest: float
    """Seconds until the slowest answer."""
    errors: Dict[str, int]
    proxy_retries: Optional[int]
    """Requests that the proxy sent again, of all callers; `None` if it counts none."""


async def gets_work(replica: Replica) -> None:
    """Waits until a replica answers Predicts that come from the callers."""
    before = await replica.predictions()
    for _ in range(int(PATIENCE / 0.1)):
        await asyncio.sleep(0.1)
        if await replica.predictions() > before:
            return
    raise CheckFailed(f"replica {replica.name} gets no requests")


async def steady(replicas: Replicas, loads: Loads) -> None:
    """Nothing happens."""
    await asyncio.sleep(1.0)


async def rolling_restart(replicas: Replicas, loads: Loads) -> None:
    """One replica after the other stops and starts, as in an update."""
    for replica in replicas:
        await replica.stop(signal.SIGTERM)
        await replica.start()
        await gets_work(replica)


async def kill(replicas: Replicas, loads: Loads) -> None:
    """Each replica dies with requests in progress, and starts again."""
    for replica in replicas:
        # It stops reading first, so that it certainly holds requests when it dies.
        replica.send(signal.SIGSTOP)
        before = loads.unanswered
        for _ in range(200):
            if loads.unanswered >= before + HELD_AT_A_KILL:
                break
            await asyncio.sleep(0.01)
        await replica.stop(signal.SIGKILL)
        await replica.start()
        await gets_work(replica)
        # Every caller connects to it again, within its longest backoff of a second, before the other replica dies.
        await asyncio.sleep(2.0)


async def hang(replicas: Replicas, loads: Loads) -> None:
    """A replica hangs: its connections stay open, and nothing comes back."""
    replicas[0].send(signal.SIGSTOP)
    try:
        await asyncio.sleep(HANG)
    finally:
        replicas[0].send(signal.SIGCONT)
    await gets_work(replicas[0])


SCENARIOS: Dict[str, Callable[[Replicas, Loads], Awaitable[None]]] = {
    "steady": steady,
    "rolling restart": rolling_restart,
    "SIGKILL": kill,
    "hang": hang,
}


async def run(balancer: Balancer, replicas: Replicas, scenario: str) -> List[Outcome]:
    """Runs one scenario under load. Both replicas have work before it begins."""
    retries_before = await balancer.retries()
    async with Loads(balancer.address) as loads:
        for replica in replicas:
            await gets_work(replica)
        await SCENARIOS[scenario](replicas, loads)
        await asyncio.sleep(0.3)
    retries = await balancer.retries()
    counted = None if retries is None or retries_before is None else retries - retries_before
    return [
        Outcome(balancer.name, scenario, load.kind, load.sent, load.lost, round(load.slowest, 3), dict(load.errors), counted)
        for load in loads.kinds
    ]
