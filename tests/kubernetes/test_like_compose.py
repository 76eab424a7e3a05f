"""Kubernetes and docker-compose.airflow.yaml run the same, with the same settings."""

import re
from typing import Any

import pytest
import yaml

from tests.kubernetes import chart

REPOSITORY = chart.FOLDER.parents[1]
COMPOSE = REPOSITORY / "docker-compose.airflow.yaml"
SETTINGS = REPOSITORY / "deploy" / "airflow.env"
# Each service of the compose file, and where the same runs on Kubernetes.
PARTS = {
    "init": ("Job palate-run-airflow-migrations", "run-airflow-migrations"),
    "airflow-apiserver": ("Deployment palate-api-server", "api-server"),
    "airflow-scheduler": ("Deployment palate-scheduler", "scheduler"),
    "airflow-dag-processor": ("Deployment palate-dag-processor", "dag-processor"),
    "airflow-triggerer": ("StatefulSet palate-triggerer", "triggerer"),
    "airflow-worker": ("StatefulSet palate-worker", "worker"),
    "airflow-housekeeping": ("CronJob palate-database-cleanup", "database-cleanup"),
}
# What differs, and why.
DIFFERENT = {
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "the Service has another name",
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": "a pod is found by its address",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": "another mount",
    "AIRFLOW__API__BASE_URL": "one's own ingress",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "the chart's probes ask Airflow's jobs",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE.read_text())
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


@pytest.fixture(scope="module")
def rendered() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(chart.RENDERED.read_text())["ways"]
    return found["celery"]


def settings_file() -> dict[str, str]:
    lines = [line for line in SETTINGS.read_text().splitlines() if line]
    pairs = [line.split("=", maxsplit=1) for line in lines if line[0] != "#"]
    return {name: value for name, value in pairs}


@pytest.mark.parametrize("service", PARTS)
def test_settings_are_the_same(
    services: dict[str, Any], rendered: dict[str, Any], service: str
) -> None:
    assert "deploy/airflow.env" in services[service]["env_file"]
    compose = settings_file() | services[service].get("environment", {})
    pod, name = PARTS[service]
    own = (
        rendered["shared environment"]
        | rendered["pods"][pod]["containers"][name]["environment"]
    )
    assert own["all of palate-settings"] == "configMapRef"
    cluster = rendered["settings"] | settings_file() | own
    wanted = {name: str(value) for name, value in compose.items() if is_ours(name)}
    assert {name: cluster.get(name) for name in wanted} == wanted
    unknown = {name for name, value in own.items() if is_ours(name)} - compose.keys()
    assert not {name for name in unknown if not own[name].startswith("secret ")}


def is_ours(name: str) -> bool:
    return name.startswith(("AIRFLOW__", "PALATE_")) and name not in DIFFERENT


@pytest.mark.parametrize("service", PARTS)
def test_commands_are_the_same(
    services: dict[str, Any], rendered: dict[str, Any], service: str
) -> None:
    pod, name = PARTS[service]
    wanted = commands(services[service]["command"])
    found = commands(rendered["pods"][pod]["containers"][name]["runs"])
    assert found
    assert found == {command for command in wanted if command.split()[0] != "python"}


def commands(words: list[str]) -> set[str]:
    """Return what is run of Airflow and Palate, without what is the container's."""
    text = words[-1] if words[0] == "bash" else f"airflow {' '.join(words)}"
    text = text.replace("$$", "$").replace("\\\n", " ").replace("\n", " ")
    # Logs: a volume that all of them share there, fetched over the network here.
    text = re.sub(r" --skip-serve-logs| --celery-hostname \S+", "", text)
    found = set()
    for part in re.split(r" && |;|\buntil\b|\bexec\b", text):
        if part.split()[:1] in (["airflow"], ["palate"], ["python"]):
            found.add(" ".join(part.split()))
    return found


def test_the_watch_is_the_same(services: dict[str, Any]) -> None:
    watch = yaml.safe_load((chart.FOLDER / "watch.yaml").read_text())
    (container,) = watch["spec"]["template"]["spec"]["containers"]
    assert container["args"] == services["watch"]["command"]


def test_the_intake_is_the_same(services: dict[str, Any]) -> None:
    objects = yaml.safe_load_all((chart.FOLDER / "intake.yaml").read_text())
    (pod,) = (
        one["spec"]["template"]["spec"]
        for one in objects
        if one["kind"] == "Deployment"
    )
    (container,) = pod["containers"]
    compose = services["intake-1"]
    command = [*compose["entrypoint"][1:], *compose["command"]]
    assert container["command"] == ["python", "-m", *command]
    given = {one["name"] for one in container["env"]}
    assert compose["environment"].keys() <= given
