"""The references between objects: selectors, ports, volumes, targets."""

from __future__ import annotations

from typing import Any, Iterator

from .render import Manifest, title


def pod_spec(workload: Manifest) -> dict[str, Any]:
    """The pod of a Deployment."""
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a selector of labels matches. The manifests use equality only."""
    wanted = selector.get("matchLabels", selector)
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """The objects of some kinds."""
    return [each for each in manifests if each["kind"] in kinds]


def faults(manifests: list[Manifest], external: set[str]) -> Iterator[str]:
    """Every reference to something that does not exist. `external` names the objects that the operator makes."""
    names = {title(each) for each in manifests} | external
    namespaces = {each["metadata"].get("namespace") for each in manifests if each["kind"] != "Namespace"}
    if namespaces != {"certimix"}:
        yield f"the objects are in the namespaces {namespaces}, expected certimix for all"
    for workload in of_kind(manifests, "Deployment"):
        yield from workload_faults(workload, names)
        labels = workload["spec"]["template"]["metadata"]["labels"]
        ports = {port["name"] for container in pod_spec(workload)["containers"] for port in container["ports"]}
        for service in of_kind(manifests, "Service"):
            yield from selector_faults(service, service["spec"]["selector"], labels)
            for port in service["spec"]["ports"]:
                if port["targetPort"] not in ports:
                    yield f"{title(service)}: targetPort {port['targetPort']} is no port of {title(workload)}: {sorted(ports)}"
        for policy in of_kind(manifests, "NetworkPolicy"):
            yield from selector_faults(policy, policy["spec"]["podSelector"], labels)
            allowed = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
            if allowed != ports:
                yield f"{title(policy)}: allows the ports {sorted(allowed)}, and the pods have {sorted(ports)}"
        for budget in of_kind(manifests, "PodDisruptionBudget"):
            yield from selector_faults(budget, budget["spec"]["selector"], labels)
    for monitor in of_kind(manifests, "ServiceMonitor"):
        matched = [each for each in of_kind(manifests, "Service") if selects(monitor["spec"]["selector"], each["metadata"]["labels"])]
        if len(matched) != 1:
            yield f"{title(monitor)}: selects {len(matched)} Services, expected 1: each pod must be scraped once"
        for endpoint in monitor["spec"]["endpoints"]:
            if any(endpoint["port"] not in {port["name"] for port in each["spec"]["ports"]} for each in matched):
                yield f"{title(monitor)}: the Service has no port {endpoint['port']}"
        job = monitor["spec"]["jobLabel"]
        if any(each["metadata"]["labels"].get(job) != "certimix" for each in matched):
            yield f"{title(monitor)}: the job, from the label {job} of the Service, is not certimix, which the alerts expect"
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        name = f"{target.get('kind', 'Deployment')} {target['name']}"
        if name not in names:
            yield f"{title(scaler)}: scales {name}, which does not exist"
        if any("replicas" in each["spec"] for each in of_kind(manifests, "Deployment")):
            yield f"{title(scaler)}: the Deployment states replicas too, so each apply would reset the number"


def selector_faults(owner: Manifest, selector: dict[str, Any], labels: dict[str, str]) -> Iterator[str]:
    """A selector that does not match the pods."""
    if not selects(selector, labels):
        yield f"{title(owner)}: the selector {selector} does not match the pods' labels {labels}"


def workload_faults(workload: Manifest, names: set[str]) -> Iterator[str]:
    """A Deployment's references: to itself, to its volumes and to other objects."""
    where, pod = title(workload), pod_spec(workload)
    labels = workload["spec"]["template"]["metadata"]["labels"]
    yield from selector_faults(workload, workload["spec"]["selector"], labels)
    for constraint in pod["topologySpreadConstraints"]:
        yield from selector_faults(workload, constraint["labelSelector"], labels)
    if f"ServiceAccount {pod['serviceAccountName']}" not in names:
        yield f"{where}: the ServiceAccount {pod['serviceAccountName']} does not exist"
    for volume in pod["volumes"]:
        source = f"ConfigMap {volume['configMap']['name']}" if "configMap" in volume else f"Secret {volume['secret']['secretName']}"
        if source not in names:
            yield f"{where}: the volume {volume['name']} names {source}, which does not exist"
    for container in pod["containers"]:
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            port = container[probe]["httpGet"]["port"]
            if port not in ports:
                yield f"{where}: {probe} uses the port {port}, and the container has {sorted(ports)}"
        mounted, declared = {each["name"] for each in container["volumeMounts"]}, {each["name"] for each in pod["volumes"]}
        if mounted != declared:
            yield f"{where}: the container mounts {sorted(mounted)}, and the pod declares {sorted(declared)}"
        for mount in container["volumeMounts"]:
            if "subPath" in mount:
                yield f"{where}: the mount {mount['name']} has a subPath, so its file never changes"
