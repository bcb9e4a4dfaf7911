#!/usr/bin/env python3
"""Renders every Kubernetes overlay with every component, and checks the manifests strictly. Needs no cluster.

    deploy/checks/kubernetes.py [--server target/release/certimix] [--crds FOLDER]

Kubernetes' own kinds are checked against its schemas, the kinds of the Prometheus Operator and of KEDA against theirs, all
from packages. No package has the schemas of KServe: with --crds, or the variable CERTIMIX_CRDS, the check reads
CustomResourceDefinitions from a folder. The references between objects, the Pod Security Standard, the rules in promtool and
the settings in the server itself are checked too. Exit code 77: a tool is missing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common.outcome import CheckFailed, report_missing
from common.prerequisites import RELEASE_SERVER, ROOT, missing_tools

# The packages that hold the schemas.
PACKAGES = ["cloudcoil", "jsonschema", "kubernetes_validate", "pydantic", "yaml"]
# Objects that the operator of the cluster makes, because they hold secrets.
EXTERNAL = {"Secret certimix-tls"}
sys.dont_write_bytecode = True


def without_layout(value: object) -> object:
    """A copy whose strings have single spaces only: kustomize adds blank lines to folded strings. PromQL ignores them."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, dict):
        return {key: without_layout(each) for key, each in value.items()}
    return [without_layout(each) for each in value] if isinstance(value, list) else value


def rule_faults(rules: object) -> list[str]:
    """The faults of a PrometheusRule: those that promtool finds, and differences from the source."""
    import yaml

    source = ROOT / "deploy" / "prometheus" / "alerts.yml"
    found = []
    if without_layout(rules) != without_layout(yaml.safe_load(source.read_text())):
        found.append(f"the PrometheusRule differs from {source.relative_to(ROOT)}: UPDATE_DEPLOY=1 cargo test --test deployment")
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump(rules, file)
        file.flush()
        done = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        found.append(f"promtool: {done.stdout}{done.stderr}")
    return found


def check(server: Path, crds: Path | None) -> list[str]:
    """Every fault of every overlay, after a line for each on standard output."""
    from manifests import pod_security, references, render, schemas, settings

    custom = schemas.custom_schemas(crds)
    components = render.components()
    rendered = {overlay: render.kustomize(render.KUBERNETES / "overlays" / overlay) for overlay in render.overlays()}
    for overlay in ("cpu", "gpu"):
        for names in [[name] for name in components] + [components]:
            rendered[f"{overlay} with {', '.join(names)}"] = render.with_components(overlay, names)
    faults, unchecked = [], set()
    for name, text in rendered.items():
        manifests = render.objects(text)
        found = list(references.faults(manifests, EXTERNAL)) + list(settings.faults(manifests))
        found += settings.image_faults(manifests)
        for manifest in manifests:
            violations = schemas.faults(manifest, custom)
            if violations is None:
                unchecked.add(manifest["kind"])
            found += violations or []
            found += pod_security.faults(manifest)
            if manifest["kind"] == "PrometheusRule":
                found += rule_faults(manifest["spec"])
        found += settings.check_config(server, manifests, "--offline")
        print(f"{'ok' if not found else 'FAIL':<5} {name}: {len(manifests)} objects", flush=True)
        faults += [f"{name}: {fault}" for fault in found]
    # The models and the runtime of this repository stand in for those of the image.
    cpu = settings.check_config(server, render.objects(rendered["cpu"]), **settings.local_paths())
    print(f"{'ok' if not cpu else 'FAIL':<5} cpu: the server accepts the settings with the models loaded", flush=True)
    for kind in sorted(unchecked):
        print(f"not checked against a schema: {kind} (give the folder of its CustomResourceDefinition with --crds)")
    return faults + [f"cpu: {fault}" for fault in cpu]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=Path, default=RELEASE_SERVER, help="the server's program")
    parser.add_argument("--crds", type=Path, default=os.environ.get("CERTIMIX_CRDS"), help="a folder of CustomResourceDefinitions")
    options = parser.parse_args()
    if missing := missing_tools(["kubectl", "promtool"], PACKAGES, options.server):
        return report_missing(missing)

    try:
        faults = check(options.server.resolve(), options.crds)
    except CheckFailed as failure:
        faults = [str(failure)]
    for fault in dict.fromkeys(faults):
        print(f"FAIL: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
