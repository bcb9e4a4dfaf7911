"""The queries of the documents, the alerts and the dashboard."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import yaml

from common.prerequisites import ROOT

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "certimix.json"

# A query with this mark has a result only when something is wrong.
EMPTY_WHEN_HEALTHY = "empty when healthy"


@dataclass(frozen=True)
class Query:
    """One expression in PromQL: where it stands, and whether Grafana runs it over a range of time."""

    place: str
    expression: str
    over_range: bool = False


def documented() -> list[Query]:
    """The queries in the `promql` blocks, one a line, and in the code spans of every document."""
    found: list[Query] = []
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        text, name = path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))
        for block in re.findall(r"^```promql\n(.*?)^```", text, re.M | re.S):
            found += _of_block(name, block)
        prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
        for span in re.findall(r"`([^`\n]+)`", prose):
            if re.search(r"(certimix|process)_\w+", span) and re.search(r"\[\w+\]|\bby \(|\btime\(\)", span):
                found.append(Query(name, span))
    return found


def _of_block(name: str, block: str) -> list[Query]:
    found, comment = [], ""
    for line in block.splitlines():
        if line.startswith("#"):
            comment = line
        elif line.strip():
            expressions = operands(line) if EMPTY_WHEN_HEALTHY in comment else [line]
            found += [Query(f"{name} ({comment.lstrip('# ')})", expression) for expression in expressions]
    return found


def recorded_and_alerts() -> list[Query]:
    """The operands of every rule: an alert itself has a result only when it fires."""
    found = []
    for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            name = rule.get("alert") or rule["record"]
            found += [Query(name, operand) for operand in operands(rule["expr"])]
    return found


def operands(expression: str) -> list[str]:
    """The parts of an alert that have a result on a healthy server.

    Each comparison becomes one with `bool`, which keeps what it compares. The two sides of `unless` and `or` stand alone.
    `absent(x)` becomes `x`.
    """
    selectors: list[str] = []

    def hide(match: re.Match[str]) -> str:
        selectors.append(match.group())
        return f"\0{len(selectors) - 1}\0"

    text = re.sub(r"\{[^}]*\}|\"[^\"]*\"", hide, expression)
    text = re.sub(r"(==|!=|>=|<=|>|<)(?!=)(?!\s*bool\b)", r"\1 bool ", text)
    parts = [_balanced(part) for part in re.split(r"\b(?:unless|or)\b", text)]
    parts = [re.sub(r"^absent\((.*)\)$", r"\1", part, flags=re.S) for part in parts]
    return [re.sub("\0(\\d+)\0", lambda match: selectors[int(match.group(1))], part) for part in parts]


def _balanced(part: str) -> str:
    """The part without the parentheses that a split left alone."""
    part = part.strip()
    while part.count("(") > part.count(")"):
        part = part.removeprefix("(").strip()
    while part.count(")") > part.count("("):
        part = part.removesuffix(")").strip()
    return part


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def filled_in(expression: str, seconds: int) -> str:
    """The expression with Grafana's variables replaced, for a view of this length in seconds."""
    variables = {"$__rate_interval": "15s", "$__range": f"{seconds}s", "$__interval": "15s", "$job": "certimix", "$instance": ".*"}
    for name, value in variables.items():
        expression = expression.replace(name, value)
    return expression


def of_dashboard(seconds: int) -> list[Query]:
    """The queries of every panel and annotation."""
    found, board = [], dashboard()
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            place = f"dashboard: {panel['title']} ({target['refId']})"
            found.append(Query(place, filled_in(target["expr"], seconds), not target["instant"]))
    for mark in board["annotations"]["list"]:
        found.append(Query(f"dashboard: annotation {mark['name']}", filled_in(mark["expr"], seconds), True))
    return found


def of_variables(seconds: int) -> list[tuple[str, str, str]]:
    """The name, series selector and label of each variable that asks Prometheus for its values."""
    found = []
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
            found.append((variable["name"], filled_in(selector, seconds), label))
    return found
