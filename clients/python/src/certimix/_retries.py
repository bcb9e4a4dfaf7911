"""Retries: which error is tried again, after which time, and never beyond the deadline."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Optional, TypeVar

from certimix._errors import CertimixError, DeadlineExceededError, ResourceExhaustedError, UnavailableError

Result = TypeVar("Result")

_SERVICE = "certimix.v1.MixedClassifier"
# gRPC retries these calls. A PredictStream carries many requests, which the client repeats one by one.
_METHODS = ["Predict", "Certify", "CertifyStream", "GetModelInfo", "GetShadowReport"]


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how soon a call is repeated within its deadline.

    gRPC repeats calls that end with UNAVAILABLE, by the service config. The client repeats calls whose connection broke before
    the answer, which gRPC leaves alone: every call of the service only reads its input. The client also repeats calls that the server refused
    for lack of room (RESOURCE_EXHAUSTED), after the time that the server asks for. gRPC itself could do this too, but it
    waits even where the deadline ends first, and then reports the deadline and not the refusal.
    """

    max_attempts: int = 4
    """Attempts with the first one, 1 to 5. 1 repeats nothing."""
    initial_backoff: float = 0.02
    """Seconds before the second attempt, with jitter. The backoff doubles with each attempt."""
    max_backoff: float = 0.5
    """The longest backoff in seconds. The time that a server asks for has no such limit except the deadline."""

    def __post_init__(self) -> None:
        if not 1 <= self.max_attempts <= 5:
            raise ValueError(f"max_attempts: expected 1 to 5, found {self.max_attempts}")
        if not 0 < self.initial_backoff <= self.max_backoff < 3600:
            raise ValueError(
                f"initial_backoff, max_backoff: expected 0 < initial_backoff <= max_backoff < 3600 s, "
                f"found {self.initial_backoff} and {self.max_backoff}"
            )

    def service_config(self, *, balanced: bool) -> str:
        """The gRPC service config, in JSON. `balanced` spreads the calls over every address of the target."""
        method: dict[str, Any] = {"name": [{"service": _SERVICE, "method": name} for name in _METHODS]}
        if self.max_attempts > 1:
            method["retryPolicy"] = {
                "maxAttempts": self.max_attempts,
                "initialBackoff": f"{self.initial_backoff:.9f}s",
                "maxBackoff": f"{self.max_backoff:.9f}s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            }
        config: dict[str, Any] = {"methodConfig": [method]}
        if balanced:
            # The health service of each server tells the client to leave a server that drains or loads.
            config["loadBalancingConfig"] = [{"round_robin": {}}]
            config["healthCheckConfig"] = {"serviceName": _SERVICE}
        return json.dumps(config)

    def delay(
        self, error: CertimixError, attempts: int, time_left: float, *, retry_unavailable: bool, jitter: float
    ) -> Optional[float]:
        """The seconds to wait before the next attempt; `None` if the call must not be repeated.

        `attempts` have failed, the last one with `error`, and `time_left` seconds remain. `jitter` is in [0, 1).
        """
        if attempts >= self.max_attempts:
            return None
        backoff: float = min(self.max_backoff, self.initial_backoff * 2 ** (attempts - 1)) * (0.5 + jitter)
        if isinstance(error, ResourceExhaustedError) and error.retry_after is not None:
            # Callers that were refused together come back apart.
            delay = error.retry_after + self.initial_backoff * jitter
        elif isinstance(error, UnavailableError) and (retry_unavailable or error.was_reset):
            delay = backoff
        else:
            return None
        return delay if delay < time_left else None


def repeat(attempt: Callable[[float], Result], retry: RetryPolicy, end: float, *, retry_unavailable: bool) -> Result:
    """Calls `attempt` with the seconds left until `end`, a time of `time.monotonic`, as often as `retry` allows."""
    attempts = 0
    while True:
        attempts += 1
        try:
            return attempt(_time_left(end))
        except CertimixError as error:
            delay = _delay(retry, error, attempts, end, retry_unavailable)
            if delay is None:
                raise
        time.sleep(delay)


async def repeat_async(
    attempt: Callable[[float], Awaitable[Result]], retry: RetryPolicy, end: float, *, retry_unavailable: bool
) -> Result:
    """`repeat` for asyncio."""
    attempts = 0
    while True:
        attempts += 1
        try:
            return await attempt(_time_left(end))
        except CertimixError as error:
            delay = _delay(retry, error, attempts, end, retry_unavailable)
            if delay is None:
                raise
        await asyncio.sleep(delay)


def _delay(
    retry: RetryPolicy, error: CertimixError, attempts: int, end: float, retry_unavailable: bool
) -> Optional[float]:
    time_left = end - time.monotonic()
    return retry.delay(error, attempts, time_left, retry_unavailable=retry_unavailable, jitter=random.random())


def _time_left(end: float) -> float:
    time_left = end - time.monotonic()
    if time_left <= 0:
        raise DeadlineExceededError("the deadline passed before the request was sent")
    return time_left
