"""What the service goes through, and what Prometheus must then answer."""

from __future__ import annotations

import time

from common.outcome import CheckFailed

from . import queries
from .prometheus_api import Prometheus, QueryError
from .service import Service, wait_until

DIFFER = "count by (job) (count by (job, revision) (certimix_config_info)) > 1"


def run(service: Service, seconds: int) -> list[str]:
    """Takes the service through reloads under load, runs every query, and returns what failed."""
    prometheus = service.prometheus
    print(f"load on both replicas for {seconds} s ...", flush=True)
    service.put_under_load()
    time.sleep(seconds / 2)
    failures = differ_only_while_they_do(service)
    print("a rejected change on one replica ...", flush=True)
    service.settings("certimix-0", 2.0)
    wait_until("the change is rejected", lambda: bool(prometheus.instant("certimix_config_pending == 1")))
    service.settings("certimix-0", 0.8)
    wait_until("the file is valid again", lambda: not prometheus.instant("certimix_config_pending == 1"))
    time.sleep(seconds / 2)
    wait_until("the slowest rules are recorded", lambda: bool(prometheus.instant("job:certimix_disagreements:share_rate15m")))
    shadow = 'certimix_shadow_inputs_total > 0'
    wait_until("the candidates have seen inputs", lambda: len(prometheus.instant(shadow)) >= 2)
    return failures + unanswered(prometheus, service.elapsed())


def differ_only_while_they_do(service: Service) -> list[str]:
    """Changes alpha on one replica and then on the other: the replicas must differ in between, and only then."""
    prometheus = service.prometheus
    print("a change of alpha, first on one replica ...", flush=True)
    failures = [f"replicas with the same settings differ: {DIFFER}"] if prometheus.instant(DIFFER) else []
    service.settings("certimix-0", 0.8)
    try:
        wait_until("the replicas differ", lambda: bool(prometheus.instant(DIFFER)))
        service.settings("certimix-1", 0.8)
        wait_until("the replicas agree again", lambda: not prometheus.instant(DIFFER))
    except CheckFailed as error:
        failures.append(str(error))
    return failures


def unanswered(prometheus: Prometheus, seconds: int) -> list[str]:
    """Runs every query over the last `seconds` and returns a line for each without a result."""
    failures, counts = [], {}
    sources = {
        "documents": queries.documented(),
        "operands of rules and alerts": queries.recorded_and_alerts(),
        "dashboard": queries.of_dashboard(seconds),
    }
    for source, found in sources.items():
        counts[source] = len(found)
        for query in found:
            try:
                answer: list[object] = [*(prometheus.over(query.expression, seconds) if query.over_range else prometheus.instant(query.expression))]
                if not answer:
                    failures.append(f"no result: {query.place}\n    {query.expression}")
            except QueryError as error:
                failures.append(f"{error}: {query.place}\n    {query.expression}")
    for name, selector, label in queries.of_variables(seconds):
        if not prometheus.label_values(selector, label):
            failures.append(f"no value: variable {name} of the dashboard, label {label} of {selector}")
    print("queries: " + ", ".join(f"{count} of the {source}" for source, count in counts.items()))
    print(f"{len(failures)} without a result")
    return failures
