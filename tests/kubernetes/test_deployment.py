"""What runs on Kubernetes, by what the chart made of the values."""

import json
import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.local.settings_files import render
from palate.files import IntakeSettings
from tests.kubernetes import chart

SECRETS = chart.FOLDER / "secrets.example.yaml"
# What the tasks of an area need beside the Connections.
AREAS = {
    "flights": ["FLIGHTS_STANDBY_DSN", "MART_DSN"],
    "files": [
        "PALATE_INTAKE_STORE",
        "PALATE_INTAKE_BUCKET",
        "PALATE_INTAKE_STORE_USER",
        "PALATE_INTAKE_STORE_SECRET",
    ],
}


@pytest.fixture(scope="module")
def rendered() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(chart.RENDERED.read_text())
    return found


@pytest.fixture(scope="module")
def secrets() -> dict[str, dict[str, str]]:
    found = yaml.safe_load_all(SECRETS.read_text())
    return {one["metadata"]["name"]: one["stringData"] for one in found}


def every_container(rendered: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for way, made in rendered["ways"].items():
        for pod, parts in made["pods"].items():
            for name, part in parts["containers"].items():
                shared = (
                    made["shared environment"] if part["shared environment"] else {}
                )
                environment = {**shared, **part["environment"]}
                found[f"{way}: {pod}: {name}"] = {**part, "environment": environment}
    return found


def test_values_are_those_that_were_rendered(rendered: dict[str, Any]) -> None:
    assert rendered["values"] == chart.digest(), (
        "The values have changed. Get the chart (helm pull airflow --version "
        f"{chart.VERSION} --repo https://airflow.apache.org), run "
        "`python -m tests.kubernetes.chart <chart>`, and read the difference."
    )


@pytest.mark.parametrize(
    "name",
    [
        "secrets.example.yaml",
        "network-policy.yaml",
        "watch.yaml",
        "connect.yaml",
        "intake.yaml",
    ],
)
def test_own_objects_fit_kubernetes_schemas(name: str) -> None:
    objects = list(yaml.safe_load_all((chart.FOLDER / name).read_text()))
    for one in objects:
        kubernetes_validate.validate(one, "1.33", strict=True)
    assert objects


def test_every_secret_that_is_asked_for_is_explained(
    rendered: dict[str, Any], secrets: dict[str, dict[str, str]]
) -> None:
    of_areas = [one for area in AREAS for one in values_of(area)]
    environments = [
        {
            one["envName"]: f"secret {one['secretName']} {one['secretKey']}"
            for one in of_areas
        },
        *(one["environment"] for one in every_container(rendered).values()),
        chart.environment(_watch()["containers"][0]),
    ]
    asked = {
        tuple(value.split()[1:])
        for environment in environments
        for value in environment.values()
        if value.startswith("secret ")
    }
    # The intake has all of its secrets, each by its own name.
    asked |= {
        (source["secretRef"]["name"], key)
        for source in intake_pod()["containers"][0]["envFrom"]
        if "secretRef" in source
        for key in secrets[source["secretRef"]["name"]]
    }
    explained = {(name, key) for name, keys in secrets.items() for key in keys}
    # These are files, not variables.
    files = {
        ("palate-authority", "ca.crt"),
        ("palate-login", "passwords.json"),
        ("palate-connect", "worker.properties"),
        ("palate-connect", "login.properties"),
    }
    assert asked == explained - files


def test_no_secret_stands_in_a_variable(rendered: dict[str, Any]) -> None:
    secret = re.compile("PASSWORD$|SECRET|_KEY$|_CONN|DSN|BROKER_URL|RESULT_BACKEND")
    for where, container in every_container(rendered).items():
        for name, value in container["environment"].items():
            if secret.search(name):
                assert value.startswith("secret "), f"{where}: {name}"


def test_only_the_migration_knows_the_owner(rendered: dict[str, Any]) -> None:
    owners = {
        where.split(": ")[1]
        for where, container in every_container(rendered).items()
        if "secret palate-warehouse-owner dsn" in container["environment"].values()
    }
    assert owners == {"Job palate-run-airflow-migrations"}


@pytest.mark.parametrize("way", chart.WAYS)
def test_each_part_runs_once_as_it_should(rendered: dict[str, Any], way: str) -> None:
    pods = rendered["ways"][way]["pods"]
    runs = [
        " ".join(container["runs"])
        for pod in pods.values()
        for container in pod["containers"].values()
    ]
    wanted = [
        "palate migrate && airflow db migrate",
        "exec airflow api-server",
        "exec airflow scheduler",
        "exec airflow dag-processor",
        "exec airflow triggerer",
        "exec airflow db clean",
    ]
    if way != "kubernetes":
        wanted.append("airflow celery worker")
    for command in wanted:
        assert sum(command in run for run in runs) == 1, command


def test_everything_that_stays_has_probes_and_limits(rendered: dict[str, Any]) -> None:
    lasting = {
        where: container
        for where, container in every_container(rendered).items()
        if re.search(r": (scheduler|api-server|dag-processor|triggerer|worker)$", where)
    }
    assert len(lasting) == 5 + 5 + 4  # the last way has no workers
    for where, container in lasting.items():
        assert "livenessProbe" in container["probes"], where
        assert {"requests", "limits"} <= container["resources"].keys(), where


def test_the_watch_has_what_the_chart_gives_to_the_other_parts(
    rendered: dict[str, Any],
) -> None:
    pod = _watch()
    values = yaml.safe_load(chart.files("celery")[0].read_text())
    (container,) = pod["containers"]
    shared = rendered["ways"]["celery"]["shared environment"]
    own = chart.environment(container)
    assert own.pop("PALATE_METRICS_TOKEN") == "secret palate-metrics token"
    assert own.pop("FLIGHTS_PRIMARY_DSN") == "secret palate-flights primary"
    assert own.items() <= shared.items()
    connections = {name for name in shared if name.startswith("AIRFLOW_CONN_")}
    assert connections - own.keys() == {"AIRFLOW_CONN_AIRFLOW_DB"}  # the chart's alone
    assert pod["securityContext"] == values["securityContexts"]["pod"]
    assert container["securityContext"] == values["securityContexts"]["containers"]
    assert pod["volumes"] == values["volumes"]
    assert container["volumeMounts"] == values["volumeMounts"]


@pytest.mark.parametrize("area", AREAS)
def test_areas_have_the_other_connections_too(area: str) -> None:
    """A list of values replaces the one before it."""
    values, of_area = values_of("values"), values_of(area)
    assert of_area[: len(values)] == values
    assert [one["envName"] for one in of_area[len(values) :]] == AREAS[area]


def test_intake_is_asked_and_ended_as_it_says(secrets: dict[str, Any]) -> None:
    pod = intake_pod()
    (container,) = pod["containers"]
    paths = {
        name: container[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "liveness", "readiness")
    }
    assert paths == {
        "startup": "/liveness",
        "liveness": "/liveness",
        "readiness": "/readiness",
    }
    # It answers from its last look, so a slow answer is none.
    assert container["readinessProbe"]["timeoutSeconds"] == 1
    stop = IntakeSettings.model_fields["palate_intake_stop_seconds"].default
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > stop + pause
    values = yaml.safe_load(chart.files("celery")[0].read_text())
    assert pod["securityContext"] == values["securityContexts"]["pod"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"].items() >= (
        values["securityContexts"]["containers"].items()
    )
    given = {one["name"] for one in container["env"]} - {"TMPDIR"}
    given |= secrets["palate-intake"].keys() | secrets["palate-objects"].keys()
    assert {name.lower() for name in given} <= IntakeSettings.model_fields.keys()


def test_two_intakes_at_least_are_there_whatever_is_replaced() -> None:
    objects = {one["kind"]: one for one in intake_objects()}
    deployment = objects["Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    scaler = objects["HorizontalPodAutoscaler"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert scaler["minReplicas"] == 2
    # The scaler says how many there are, so an update does not.
    assert "replicas" not in deployment["spec"]
    budget = objects["PodDisruptionBudget"]["spec"]
    assert budget["minAvailable"] < scaler["minReplicas"]
    assert budget["selector"]["matchLabels"] == labels
    assert objects["Service"]["spec"]["selector"] == labels


def intake_objects() -> list[dict[str, Any]]:
    text = (chart.FOLDER / "intake.yaml").read_text()
    return list(yaml.safe_load_all(text))


def intake_pod() -> dict[str, Any]:
    (pod,) = (
        one["spec"]["template"]["spec"]
        for one in intake_objects()
        if one["kind"] == "Deployment"
    )
    found: dict[str, Any] = pod
    return found


def values_of(name: str) -> list[dict[str, str]]:
    """Return the secret variables that a file of values gives to all parts."""
    text = (chart.FOLDER / f"{name}.yaml").read_text()
    found: list[dict[str, str]] = yaml.safe_load(text)["secret"]
    return found


def test_connect_is_as_in_containers(secrets: dict[str, dict[str, str]]) -> None:
    text = (chart.FOLDER / "connect.yaml").read_text()
    _, pods = yaml.safe_load_all(text)
    (container,) = pods["spec"]["template"]["spec"]["containers"]
    compose = yaml.safe_load(
        (chart.FOLDER.parents[1] / "docker-compose.airflow.yaml").read_text()
    )["services"]["connect"]
    assert container["image"] == compose["image"]
    assert container["command"] == compose["entrypoint"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    for name in ("KAFKA_HEAP_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS"):
        assert environment[name] == compose["environment"][name]
    login = {"sasl.jaas.config": "-", "security.protocol": "-", "sasl.mechanism": "-"}
    login |= {"ssl.truststore.type": "-", "ssl.truststore.location": "-"}
    written = render(
        "connect.properties",
        bootstrap="-",
        login_at_kafka=login,
        listener="-",
        offsets="-",
        plugins="/kafka/connect",
        login="/etc/palate/connect/login.properties",
    )
    example = secrets["palate-connect"]["worker.properties"].replace("\\\n", "")
    here, there = (
        {line.partition("=")[0] for line in found.splitlines() if "=" in line}
        for found in (example, written)
    )
    assert here == there


def _watch() -> dict[str, Any]:
    watch = yaml.safe_load((chart.FOLDER / "watch.yaml").read_text())
    found: dict[str, Any] = watch["spec"]["template"]["spec"]
    return found


@pytest.fixture(scope="module")
def policies() -> dict[str, Any]:
    objects = yaml.safe_load_all((chart.FOLDER / "network-policy.yaml").read_text())
    return {one["metadata"]["name"]: one["spec"] for one in objects}


def test_policies_are_about_pods_and_ports_that_there_are(
    rendered: dict[str, Any], policies: dict[str, Any]
) -> None:
    pods = [pod for way in rendered["ways"].values() for pod in way["pods"].values()]
    components = {pod["component"] for pod in pods}
    ports = {
        port
        for pod in pods
        for container in pod["containers"].values()
        for port in container["ports"]
    }
    text = json.dumps(policies)
    named = set(re.findall('"component": "([^"]*)"', text))
    for values in re.findall(r'"operator": "In", "values": \[([^]]*)\]', text):
        named |= set(re.findall('"([^"]*)"', values))
    assert named <= components | {"watch", "connect", "intake"}
    assert {"api-server", "worker", "triggerer", "scheduler"} <= named
    _, _, each_other = policies["palate-services"]["egress"]
    assert {one["port"] for one in each_other["ports"]} == ports
    ((metrics,),) = (one["ports"] for one in policies["palate-metrics"]["ingress"])
    (container,) = _watch()["containers"]
    assert [metrics["port"]] == [one["containerPort"] for one in container["ports"]]
    ((door,),) = (one["ports"] for one in policies["palate-intake"]["ingress"])
    (container,) = intake_pod()["containers"]
    assert [door["port"]] == [one["containerPort"] for one in container["ports"]]


def test_ports_of_the_example_are_open(
    policies: dict[str, Any], secrets: dict[str, dict[str, str]]
) -> None:
    _, services, _ = policies["palate-services"]["egress"]
    addresses = json.dumps(secrets)
    for port in (one["port"] for one in services["ports"]):
        assert f":{port}" in addresses or f": {port}" in addresses
    assert policies["palate-nothing-else"]["policyTypes"] == ["Ingress", "Egress"]
