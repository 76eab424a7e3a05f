"""Airflow's official chart, rendered with Palate's values by Helm.

``python -m tests.kubernetes.chart <chart>`` writes what was rendered, in short, to
``rendered.yaml`` beside this file: tests without the chart read it.
"""

import configparser
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.compose.docker_compose import go

VERSION = "1.22.0"
FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
RENDERED = Path(__file__).with_name("rendered.yaml")
# What only a sidecar, which runs nothing of Airflow, goes without.
_IS_AIRFLOW = "AIRFLOW__CORE__FERNET_KEY"
_TASK = "pod_template_file.yaml"
# Each way to deploy, and the files of values in their order.
WAYS = {
    "celery": ["values.yaml"],
    "celery and KEDA": ["values.yaml", "keda.yaml"],
    "kubernetes": ["values.yaml", "kubernetes-executor.yaml"],
}


def helm() -> Path:
    """Return Helm, built from its Go module outside of the checkout."""
    module = FOLDER / "helm"
    sums = hashlib.sha256((module / "go.sum").read_bytes()).hexdigest()[:12]
    program = Path.home() / ".cache" / "palate" / f"helm-{sums}"
    if not program.exists():
        package = "helm.sh/helm/v3/cmd/helm"
        command = [*go(), "build", "-ldflags", "-s -w", "-o", str(program), package]
        subprocess.run(command, cwd=module, check=True)
    return program


def files(way: str) -> list[Path]:
    """Return the files of values of a way, in their order."""
    return [FOLDER / name for name in WAYS[way]]


def render(chart: Path, files: list[Path]) -> list[dict[str, Any]]:
    """Return the objects that Helm would make.

    :raises subprocess.CalledProcessError: if the chart refuses the values
    """
    values = [f"--values={file}" for file in files]
    command = [str(helm()), "template", "palate", str(chart), "--namespace=palate"]
    done = subprocess.run(
        [*command, *values], check=True, stdout=subprocess.PIPE, text=True
    )
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    # What Airflow itself makes of each task, with the KubernetesExecutor.
    for one in list(objects):
        if one["kind"] == "ConfigMap" and _TASK in one.get("data", {}):
            task = yaml.safe_load(one["data"][_TASK])
            objects.append({**task, "kind": "Pod"})
    return objects


def digest() -> str:
    """Return what tells whether the values are still those that were rendered."""
    every = sorted({file for way in WAYS for file in files(way)})
    contents = b"".join(file.read_bytes() for file in every)
    return hashlib.sha256(contents).hexdigest()


def summary(chart: Path) -> dict[str, Any]:
    """Return, for each way, what runs and how, without what the chart adds to it."""
    return {
        "values": digest(),
        "ways": {way: _in_short(render(chart, files(way))) for way in WAYS},
    }


def template_of(one: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template of the pods that an object makes, or None."""
    if one["kind"] == "Pod":
        return one
    spec = one.get("spec", {})
    template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
    return template if isinstance(template, dict) else None


def containers(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the containers of a pod, those that run before it too."""
    yield from template["spec"].get("initContainers") or []
    yield from template["spec"]["containers"]


def environment(container: dict[str, Any]) -> dict[str, str]:
    """Return a container's variables; a secret one as ``secret <name> <key>``."""
    found = {one["name"]: _value(one) for one in container.get("env") or []}
    for source in container.get("envFrom") or []:
        ((kind, what),) = source.items()
        found[f"all of {what['name']}"] = kind
    return found


def _value(variable: dict[str, Any]) -> str:
    if "valueFrom" not in variable:
        return str(variable.get("value", ""))
    (source,) = variable["valueFrom"].items()
    kind, what = source
    if kind == "secretKeyRef":
        return f"secret {what['name']} {what['key']}"
    return f"{kind} {' '.join(str(part) for part in what.values())}"


def _in_short(objects: list[dict[str, Any]]) -> dict[str, Any]:
    named = {f"{one['kind']} {one['metadata']['name']}": one for one in objects}
    pods = {name: pod for name, one in named.items() if (pod := template_of(one))}
    shared = dict(
        set.intersection(
            *(
                set(environment(part).items())
                for pod in pods.values()
                for part in containers(pod)
                if _IS_AIRFLOW in environment(part)
            )
        )
    )
    return {
        "settings": _settings(objects),
        "objects": sorted(set(named) - set(pods)),
        "shared environment": shared,
        "pods": {
            name: {
                "component": pod["metadata"]["labels"]["component"],
                "containers": {
                    part["name"]: _part(part, shared) for part in containers(pod)
                },
            }
            for name, pod in pods.items()
        },
    }


def _part(container: dict[str, Any], shared: dict[str, str]) -> dict[str, Any]:
    found = environment(container)
    is_airflow = _IS_AIRFLOW in found
    return {
        "runs": [*container.get("command", []), *container.get("args", [])],
        "shared environment": is_airflow,
        "environment": {
            name: value
            for name, value in found.items()
            if not (is_airflow and name in shared)
        },
        "ports": [one["containerPort"] for one in container.get("ports") or []],
        "resources": container.get("resources") or {},
        "probes": sorted(key for key in container if key.endswith("Probe")),
    }


def _settings(objects: list[dict[str, Any]]) -> dict[str, str]:
    """Return settings of ``airflow.cfg`` by the names that their variables have."""
    (text,) = (
        one["data"]["airflow.cfg"]
        for one in objects
        if one["kind"] == "ConfigMap" and "airflow.cfg" in one.get("data", {})
    )
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return {
        f"AIRFLOW__{section.upper()}__{name.upper()}": value
        for section in sorted(
            {"celery", "core", "dag_processor", "scheduler"} & {*parser}
        )
        for name, value in parser.items(section)
    }


if __name__ == "__main__":
    text = yaml.safe_dump(summary(Path(sys.argv[1])), sort_keys=True, width=80)
    RENDERED.write_text(text)
    print(f"Written: {RENDERED}")
