"""The parts of Prometheus' HTTP interface that the check needs."""

from __future__ import annotations

import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any


class QueryError(Exception):
    """Prometheus rejected the query; the text is its reason."""


class Prometheus:
    """A client of one Prometheus server."""

    def __init__(self, address: str) -> None:
        self.address = address

    def _get(self, path: str, **arguments: Any) -> Any:
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(arguments, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(json.load(error)["error"]) from error

    def instant(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The series of an expression now, without those that are NaN or infinite."""
        found = self._get("query", query=expression)
        if found["resultType"] == "scalar":
            return [({}, float(found["result"][1]))]
        series = [(one["metric"], float(one["value"][1])) for one in found["result"]]
        return [(labels, value) for labels, value in series if math.isfinite(value)]

    def over(self, expression: str, seconds: float, points: int = 120) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """The series of an expression over the last `seconds`, without points that are NaN or infinite."""
        end = time.time()
        step = max(1.0, seconds / points)
        found = self._get("query_range", query=expression, start=end - seconds, end=end, step=step)
        series = []
        for one in found["result"]:
            values = [(float(at), float(value)) for at, value in one["values"] if math.isfinite(float(value))]
            if values:
                series.append((one["metric"], values))
        return series

    def label_values(self, selector: str, label: str) -> list[str]:
        """The values of a label among the series of a selector."""
        found: list[str] = self._get(f"label/{label}/values", **{"match[]": selector})
        return found
