"""What must hold for every container, as docker-compose understands the file."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from deploy.container import intake
from deploy.local import kafka
from deploy.local.ports import Ports
from deploy.local.settings_files import render
from palate.settings import Settings
from tests.compose.docker_compose import FILE, PROFILES, REPOSITORY, UNASKED, configure

Service = dict[str, Any]

_ALL = configure(*PROFILES)["services"]
# Those that end by themselves when they have done their work.
_ONCE = {"secrets", "secured", "init", "airline-init", "intake-init", "palate"}
_AIRLINE = ("airline", "airline-standby", "airline-simulator", "connect")
_LASTING = sorted(_ALL.keys() - _ONCE)
_AIRFLOW = sorted(
    name for name in _ALL if name.startswith("airflow-") or name == "watch"
)


@pytest.fixture(params=sorted(_ALL))
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = _ALL[request.param]
    return found


@pytest.mark.parametrize("profile", ["", *PROFILES])
def test_each_profile_is_accepted_and_starts_what_it_says(profile: str) -> None:
    started = configure(*filter(None, [profile]))["services"].keys()
    plain = {name for name, one in _ALL.items() if "profiles" not in one}
    added = {name for name, one in _ALL.items() if profile in one.get("profiles", [])}
    assert started == plain | added
    assert bool(added) == bool(profile)


def test_nothing_runs_as_root_or_may_become_it(service: Service) -> None:
    user, _, group = service["user"].partition(":")
    assert user not in {"root", "0", ""}
    assert group == "0"  # by which a service reads its secrets
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service


def test_each_container_has_limits_and_rotated_logs(service: Service) -> None:
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert service["logging"]["driver"] == "local"


@pytest.mark.parametrize("name", _LASTING)
def test_what_lasts_is_started_again_and_says_how_it_is(name: str) -> None:
    service = _ALL[name]
    assert service["restart"] == "unless-stopped"
    if name not in UNASKED:
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("name", _AIRFLOW)
def test_airflow_starts_after_init_and_init_after_the_services(name: str) -> None:
    waits = _ALL[name]["depends_on"]["init"]
    assert waits == {"condition": "service_completed_successfully", "required": True}
    conditions = {
        other: one["condition"] for other, one in _ALL["init"]["depends_on"].items()
    }
    assert conditions == {
        "secrets": "service_completed_successfully",
        "secured": "service_completed_successfully",
        **dict.fromkeys(("postgres", "redis", "kafka"), "service_healthy"),
    }


def test_ports_are_open_on_the_loopback_address_only(service: Service) -> None:
    assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", []))


def test_there_is_no_secret_in_the_file(service: Service) -> None:
    secret = re.compile("password|secret|key|token|conn_|dsn|broker_url", re.IGNORECASE)
    # A place where one stands is no secret.
    places = re.compile("/run/palate|/opt/airflow/secrets|PEM$")
    for name, value in service.get("environment", {}).items():
        if secret.search(name):
            assert places.match(value)


def test_all_parts_of_airflow_have_the_same_settings() -> None:
    """But for what one of them alone is there for."""
    own = {"DUMB_INIT_SETSID", "KEEP_DAYS", "PALATE_METRICS_ADDRESS"}
    light = {"AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CORE__PARALLELISM"}
    common = _ALL["airflow-scheduler"]["environment"]
    for name in _AIRFLOW:
        differing = dict(_ALL[name]["environment"].items() ^ common.items()).keys()
        assert differing <= (light if name == "airflow-light" else own)


def test_settings_shared_with_the_local_stack_are_in_one_file() -> None:
    """What both name beside that file differs: addresses, executor, how many tasks."""
    names = re.compile("^(AIRFLOW__[A-Z_]+)=", re.MULTILINE)
    template = REPOSITORY / "deploy/local/settings/airflow.env.j2"
    local = set(names.findall(template.read_text()))
    shared = set(names.findall((REPOSITORY / "deploy/airflow.env").read_text()))
    assert not shared & local
    for name in _AIRFLOW:
        assert shared <= _ALL[name]["environment"].keys()


def test_kafka_is_set_up_as_in_the_local_stack() -> None:
    text = render(
        "server.properties",
        port=1,
        secured_port=2,
        controller_port=3,
        certificate="",
        user=kafka.USER,
        broker=kafka.BROKER,
        login="",
        folder="",
    )
    local = dict(
        line.split("=", maxsplit=1)
        for line in text.splitlines()
        if line and not line.startswith("#")
    )
    # As the image does it: KAFKA_LOG_DIRS is log.dirs, three underscores are a dash.
    here = {
        name.removeprefix("KAFKA_").lower().replace("___", "-").replace("_", "."): value
        for name, value in _ALL["kafka"]["environment"].items()
        if name not in {"CLUSTER_ID", "KAFKA_HEAP_OPTS"}
    }
    by_name = {
        name.replace("listener.name.sasl_ssl", "listener.name.secured"): value
        for name, value in local.items()
    }
    # In containers the broker itself comes by the secured door.
    assert here.keys() - by_name.keys() == {
        "listener.name.secured.plain.sasl.jaas.config",
        "listener.name.secured.ssl.truststore.type",
        "listener.name.secured.ssl.truststore.location",
        "sasl.mechanism.inter.broker.protocol",
    }
    assert by_name.keys() <= here.keys()
    differing = {name for name in by_name if here[name] != by_name[name]}
    # Their names, addresses and folders are those of containers.
    assert {name for name in differing if "listener" not in name} == {
        "config.providers.file.param.allowed.paths",
        "controller.quorum.voters",
        "log.dirs",
        "super.users",
    }
    assert here["super.users"] == f"User:{kafka.BROKER}"


def test_versions_are_those_of_requirements_and_pom() -> None:
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    pinned = re.search(
        r"^apache-airflow==(\S+)",
        (REPOSITORY / "requirements.txt").read_text(),
        re.MULTILINE,
    )
    assert pinned
    assert f"FROM apache/airflow:slim-{pinned[1]}-python3.11\n" in dockerfile
    pom = ElementTree.parse(kafka.HERE / "pom.xml").getroot()
    maven = "{http://maven.apache.org/POM/4.0.0}"
    versions = {
        one.findtext(f"{maven}artifactId"): one.findtext(f"{maven}version")
        for one in pom.iter(f"{maven}dependency")
    }
    assert _ALL["kafka"]["image"] == f"apache/kafka:{versions['kafka_2.13']}"


def test_each_variable_is_explained_in_the_example() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", FILE.read_text()))
    example = (REPOSITORY / ".env.example").read_text()
    given = dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))
    assert given.keys() == used
    commented = set(re.findall(r"^# (PALATE_\w+)=", example, re.MULTILINE))
    assert {name.lower() for name in commented} <= Settings.model_fields.keys()
    # The example says the defaults.
    assert configure(**given) == configure()


def test_the_ports_are_those_of_the_local_stack_where_both_have_one() -> None:
    assert _ALL["postgres"]["ports"][0]["published"] == str(Ports().postgres)
    assert _ALL["intake-proxy"]["ports"][0]["published"] == str(Ports().intake)


def test_nobody_but_init_and_people_may_see_the_owners_password() -> None:
    def volumes(name: str) -> set[str]:
        return {volume["source"] for volume in _ALL[name].get("volumes", [])}

    writes = {"secrets", "secured"}
    assert {n for n in _ALL if "secrets-owner" in volumes(n)} - writes == {
        "init",
        "palate",
    }
    assert {n for n in _ALL if "secrets-kept" in volumes(n)} - writes == {
        "init",
        "airline-init",
    }
    for name in ("postgres", "redis", "kafka", *_AIRLINE):
        assert {n for n in _ALL if f"secrets-{name}" in volumes(n)} - writes == {name}
    door = {"intake-init", "intake-1", "intake-2"}
    assert {n for n in _ALL if "secrets-intake" in volumes(n)} - writes == door
    # Who is reached from outside sees its own login alone.
    for name in door:
        assert volumes(name) == {"files", "secrets-intake"}
    assert volumes("intake-proxy") == {"secrets-intake-proxy"}


def test_folder_of_each_volume_is_in_the_image() -> None:
    """Else the engine makes it, as root's, and nobody here may write there."""
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    (made,) = re.findall(r"mkdir -p ([^&]*)", dockerfile.replace("\\\n", " "))
    folders = {f"/opt/airflow/{folder}" for folder in made.split()}
    mounted = {
        volume["target"]
        for service in _ALL.values()
        if service["image"].startswith("palate")
        for volume in service.get("volumes", [])
    }
    assert mounted <= folders


def test_files_come_by_one_port_to_two_replicas() -> None:
    proxy, replicas = _ALL["intake-proxy"], ("intake-1", "intake-2")
    assert proxy["depends_on"].keys() == {*replicas}
    assert [name for name in _ALL if "intake" in name and "ports" in _ALL[name]] == [
        "intake-proxy"
    ]
    ports = {n: int(_ALL[n]["environment"]["PALATE_INTAKE_PORT"]) for n in replicas}
    assert ports == intake.PORTS
    assert (
        dict(intake.files({}, ""))["intake-proxy/haproxy.cfg"].count("server intake-")
        == 2
    )


def test_the_file_is_plain_yaml_too() -> None:
    assert yaml.safe_load(FILE.read_text())["services"].keys() == _ALL.keys()
