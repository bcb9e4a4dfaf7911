"""Validates each object strictly: a field that its schema does not know is an error."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pydantic
import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus_operator

from .render import Manifest, title

# The oldest and the newest version of Kubernetes that the manifests must fit.
KUBERNETES_VERSIONS = ["1.30.0", "1.37.0"]
# The models are made from the operators' own schemas.
MODELS: dict[tuple[str, str], type[pydantic.BaseModel]] = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): prometheus_operator.ServiceMonitor,
    ("monitoring.coreos.com/v1", "PrometheusRule"): prometheus_operator.PrometheusRule,
    ("keda.sh/v1alpha1", "ScaledObject"): keda.ScaledObject,
}


def closed(schema: Any) -> Any:
    """A copy of an OpenAPI schema in which an unknown field is an error, as the API server warns of it."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in copy.copy(schema).items()}
    has_fields = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if has_fields and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result["additionalProperties"] = False
    return result


def custom_schemas(folder: Path | None) -> dict[tuple[str, str], Any]:
    """The schemas of the CustomResourceDefinitions in `folder`, by apiVersion and kind."""
    schemas = {}
    for file in sorted(folder.glob("*.y*ml")) if folder else []:
        for definition in yaml.safe_load_all(file.read_text()):
            if not definition or definition.get("kind") != "CustomResourceDefinition":
                continue
            spec = definition["spec"]
            for version in spec["versions"]:
                schema = closed(version["schema"]["openAPIV3Schema"])
                # The definitions say no more of these than that they are objects.
                for name in ("apiVersion", "kind", "metadata"):
                    schema["properties"][name] = {}
                schemas[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return schemas


def faults(manifest: Manifest, custom: dict[tuple[str, str], Any]) -> list[str] | None:
    """The violations of the schema of one object; None if no schema of its kind is at hand."""
    kind = (manifest["apiVersion"], manifest["kind"])
    found, checked = [], False
    if kind in custom:
        checked = True
        for error in jsonschema.Draft202012Validator(custom[kind]).iter_errors(manifest):
            found.append(f"{title(manifest)}: {error.json_path}: {error.message[:300]}")
    if kind in MODELS:
        checked = True
        try:
            MODELS[kind].model_validate(manifest, extra="forbid")
        except pydantic.ValidationError as error:
            found += [f"{title(manifest)}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    # A group without a dot, or of k8s.io, belongs to Kubernetes itself.
    group = manifest["apiVersion"].rpartition("/")[0]
    if "." not in group or group.endswith(".k8s.io"):
        checked = True
        for version in KUBERNETES_VERSIONS:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                path = ".".join(map(str, error.path))
                found.append(f"{title(manifest)}: {path}: {error.message[:300]} (Kubernetes {version})")
    return found if checked else None
