#!/usr/bin/env python3
"""Evaluates the queries of prometheus-adapter and KEDA on known series with promtool, and compares what they answer.

Two pods have two executors each. Callers ask the one for 1.0 executors and the other for 1.8, of which 0.4 are refused. Exit
code 77: a tool is missing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import Any

from common.outcome import report_missing
from common.prerequisites import ROOT, missing_tools

COMPONENTS = ROOT / "deploy" / "kubernetes" / "components"
# The executors asked for and admitted, asked for and refused, and there, by pod.
PODS = {"certimix-a": (1.0, 0.0, 2.0), "certimix-b": (1.4, 0.4, 2.0)}
SCRAPE_SECONDS = 15


def series() -> list[dict[str, str]]:
    """The series of both pods for five minutes."""
    result = []
    for pod, (admitted, refused, executors) in PODS.items():
        labels = f'job="certimix",namespace="certimix",pod="{pod}"'
        for name, rate in (("admitted", admitted), ("refused", refused)):
            metric = f'certimix_demanded_executor_seconds_total{{{labels},class="interactive",result="{name}"}}'
            result.append({"series": metric, "values": f"0+{rate * SCRAPE_SECONDS:g}x20"})
        result.append({"series": f"certimix_sustained_executors{{{labels}}}", "values": f"{executors:g}x20"})
    return result


def load(pod: str) -> float:
    """The load of one pod: the executors asked for in proportion to those that are there."""
    admitted, refused, executors = PODS[pod]
    return (admitted + refused) / executors


def expectations(adapter: str, keda: str) -> list[dict[str, Any]]:
    """Each query with its answer: the load of each pod for the adapter, and their sum for KEDA."""
    by_pod = adapter.replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'namespace="certimix",pod=~"certimix-.*"')
    samples = [{"labels": f'{{pod="{pod}"}}', "value": round(load(pod), 9)} for pod in PODS]
    total = [{"labels": "{}", "value": round(sum(load(pod) for pod in PODS), 9)}]
    return [
        {"expr": f"round({by_pod}, 0.001)", "eval_time": "5m", "exp_samples": samples},
        {"expr": f"round({keda}, 0.001)", "eval_time": "5m", "exp_samples": total},
    ]


def main() -> int:
    if missing := missing_tools(["promtool"], ["yaml"]):
        return report_missing(missing)
    import yaml

    rules = yaml.safe_load((COMPONENTS / "autoscaling" / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    autoscaler = yaml.safe_load((COMPONENTS / "autoscaling" / "horizontal-pod-autoscaler.yaml").read_text())["spec"]
    scaled = yaml.safe_load((COMPONENTS / "autoscaling-keda" / "scaled-object.yaml").read_text())["spec"]
    metric, trigger = autoscaler["metrics"][0]["pods"], scaled["triggers"][0]["metadata"]
    faults = []
    if metric["metric"]["name"] != rules[0]["name"]["as"]:
        faults.append(f"the HorizontalPodAutoscaler reads {metric['metric']['name']}, and the adapter serves {rules[0]['name']['as']}")
    if metric["target"]["averageValue"] != f"{float(trigger['threshold']) * 1000:.0f}m":
        faults.append(f"the targets differ: {metric['target']['averageValue']} and {trigger['threshold']}")
    tests = [
        {
            "interval": f"{SCRAPE_SECONDS}s",
            "input_series": series(),
            "promql_expr_test": expectations(rules[0]["metricsQuery"], trigger["query"]),
        }
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"tests": tests}, file)
        file.flush()
        done = subprocess.run(["promtool", "test", "rules", file.name], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        faults.append(f"promtool: {done.stdout}{done.stderr}")
    for fault in faults:
        print(f"FAIL: {fault}")
    if not faults:
        print("ok    the queries of prometheus-adapter and KEDA count admitted and refused work, and their targets agree")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
